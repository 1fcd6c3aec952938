"""A served app with one view that streams, and everything a test wants to see of it.

::

    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        bench.node.send(stream_pid, "sse.message", "hello")
        assert client.event() == Event("sse.message", "hello", "1")

The client parses what it reads by the HTML standard, "Interpreting an event stream", anew: not with
the code under test.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import gevent
from flask import Flask

from greenrelay.transport.stream import Stream
from greenrelay.web import sse_relay, stream
from tests.relayed import Relayed, relayed
from tests.serving import dial, received

View = Callable[["Bench"], Any]
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r)")


class Event(NamedTuple):
    """What a browser hands to the page."""

    name: str
    data: str
    last_event_id: str = ""

    def json(self) -> Any:
        """Return the data, decoded from JSON."""
        return json.loads(self.data)


class Parser:
    """Takes bytes, finds events and comments; ``retry`` is the last one given, in milliseconds."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.comments: list[str] = []
        self.retry: int | None = None
        self.last_event_id = ""
        self._rest = bytearray()
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes; a line is one once its end has come."""
        self._rest += data
        if b"\n" not in data and b"\r" not in data:
            return
        at = 0
        while match := _LINE.match(self._rest, at):
            if match[2] == b"\r" and match.end() == len(self._rest):
                # The LF of a CR LF may be on its way.
                break
            at = match.end()
            self._line(match[1].decode())
        del self._rest[:at]

    def _line(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field:
            self.comments.append(value)
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self.last_event_id = value
        elif field == "retry" and value.isdecimal():
            self.retry = int(value)

    def _dispatch(self) -> None:
        if self._data:
            event = Event(self._name or "message", "\n".join(self._data), self.last_event_id)
            self.events.append(event)
        self._name, self._data = "", []


class EventClient:
    """One open stream; waits are bounded by ``timeout`` in seconds."""

    def __init__(
        self,
        address: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        tls: Any = None,
    ) -> None:
        self.timeout = timeout
        self.sock = dial(address, timeout, tls)
        self.parser = Parser()
        fields = {"Host": address, "Accept": "text/event-stream", **(headers or {})}
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        self.sock.sendall(f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        self._read_head()

    def _read_head(self) -> None:
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self.sock.recv(65536)
            assert data, f"the server has closed after {answer!r}"
            answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        pairs = [line.partition(": ") for line in lines]
        self.headers = {name.lower(): value for name, _, value in pairs}
        self.parser.feed(body)

    def read(self) -> bool:
        """Take what comes; False when the server has closed."""
        data = received(self.sock)
        self.parser.feed(data)
        return bool(data)

    def event(self) -> Event:
        """Return the next event."""
        found = self.next_event()
        assert found is not None, "the server has closed"
        return found

    def next_event(self) -> Event | None:
        """Return the next event; None when the server has closed."""
        with gevent.Timeout(self.timeout):
            while not self.parser.events:
                if not self.read():
                    return None
        return self.parser.events.popleft()

    def comment(self) -> str:
        """Return the next comment; events before it stay to be read."""
        with gevent.Timeout(self.timeout):
            while not self.parser.comments:
                assert self.read(), "the server has closed"
        return self.parser.comments.pop(0)

    def rest(self) -> list[Event]:
        """Read to the end; return the events."""
        found: list[Event] = []
        while (event := self.next_event()) is not None:
            found.append(event)
        return found

    def drop(self) -> None:
        """Leave, as a closed tab does."""
        self.sock.close()


class Bench(Relayed[Stream]):
    """What a test of the relay of events has in hand."""

    kind = Stream
    path = "/events"
    join_topic = "sse.join"
    send_topic = "sse.message"

    @contextmanager
    def listen(self, path: str = "/events", **options: Any) -> Iterator[EventClient]:
        """Open a stream; at the end leave it."""
        client = EventClient(self.address, path, **options)
        try:
            assert client.status == 200, client.status
            yield client
        finally:
            client.drop()

    def stream(self, stream_pid: str) -> Stream:
        """Return the stream behind a PID."""
        return self.found(stream_pid)

    def streams(self) -> list[Stream]:
        """Return the streams of the node."""
        return self.all_found()


@contextmanager
def streaming(
    view: View | None = None,
    *,
    command: dict[str, Any] | None = None,
    app: Flask | None = None,
    certificate: tuple[str, str] | None = None,
    **options: Any,
) -> Iterator[Bench]:
    """Serve ``/events``, which streams from ``bench.target``; ``options`` are the decorator's.

    ``command`` are fields of the relay command; ``view`` is another view.
    """

    def add(app: Flask, answer: Callable[[], Any]) -> None:
        methods = ["GET", "POST"]
        app.route("/events", methods=methods, endpoint="events")(sse_relay(**options)(answer))

    def answer(bench: Bench) -> Any:
        return stream(**{"target_pid": bench.target.pid, **(command or {})})

    app = app or Flask("tests.streaming")
    with relayed(Bench, app, add, view or answer, certificate) as bench:
        yield bench


def raw_command(**fields: Any) -> dict[str, str]:
    """Return the header of a stream command, as a view that writes it by hand does."""
    return {"X-SSE-Relay": json.dumps(fields)}
