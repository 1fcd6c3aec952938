"""The test's hand on tests/servers/peer.py, a WebSocket client in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.servers.peer import pack, unpack
from tests.servers.running import ROOT, TIMEOUT


class PeerError(AssertionError):
    """What was asked of the client did not work out."""


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(answer)
        self.status = answer["status"]
        self.body = answer["body"]
        self.headers = answer["headers"]


class Client:
    """The process of the client; ``stop`` ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.peer"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, command: str, **arguments: object) -> Any:
        """Have one command done and return its value; raises PeerError."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([command, arguments]) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "error" in answer:
            raise PeerError(f"{command}: {answer['error']}")
        return answer["value"]

    def stop(self) -> None:
        """End the process."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            process.kill()
        process.wait(TIMEOUT)

    def open(
        self,
        url: str,
        *,
        origin: str | None = None,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        unix: str | None = None,
        trusted: str | None = None,
        get_first: str | None = None,
    ) -> WebSocket:
        """Open a WebSocket; raises Refused."""
        answer = self.do(
            "open_socket",
            url=url,
            origin=origin,
            subprotocols=list(subprotocols),
            headers=dict(headers or {}),
            unix=unix,
            trusted=trusted,
            get_first=get_first,
        )
        if "status" in answer:
            raise Refused(answer)
        return WebSocket(self, answer)

    @contextmanager
    def opened(self, url: str, **options: Any) -> Iterator[WebSocket]:
        """Open a WebSocket; at the end drop it if it is not closed yet."""
        websocket = self.open(url, **options)
        try:
            yield websocket
        finally:
            websocket.drop()

    def send_early(self, url: str, text: str) -> str:
        """Send the handshake and a message as one segment; return the first message back."""
        return str(self.do("send_early", url=url, text=text))


class WebSocket:
    """One open WebSocket of the client."""

    def __init__(self, client: Client, answer: Mapping[str, Any]) -> None:
        self._client = client
        self._number = answer["number"]
        self.subprotocol = answer["subprotocol"]
        self.cookies: list[str] = answer["cookies"]

    def send(self, data: str | bytes) -> None:
        """Send one message."""
        self._client.do("send", number=self._number, data=pack(data))

    def recv(self) -> str | bytes:
        """Return the next message."""
        return unpack(self._client.do("receive", number=self._number))

    def wait_closed(self) -> tuple[int, str]:
        """Read until the server has closed; return its close code, 1006 for none, and reason."""
        answer = self._client.do("wait_closed", number=self._number)
        return answer["code"], answer["reason"]

    def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        """Do a closing handshake; return the server's close code and reason."""
        got, said = self._client.do("close", number=self._number, code=code, reason=reason)
        return got, said

    def drop(self) -> None:
        """Cut TCP, if it is not closed yet."""
        self._client.do("drop", number=self._number)
