"""A dashboard that is served, and its page as a client without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask

from greenrelay.process import Node, receive, register, spawn
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.serving import Refused, WebSocketClient, dial, http, received, serving

PATH = "/_greenrelay"
PASSWORD = "a password of tests"
# Those of all pages, until the dashboard they belong to is over.
_opened: list[WebSocketClient] = []


def room(name: str = "room") -> None:
    """Be a process that has a name, takes what comes and ends when told to."""
    register(name)
    for message in iter(lambda: receive(timeout=None), None):
        if getattr(message, "topic", None) == "end":
            return


def entries(**fields: object) -> list[dict[str, object]]:
    """Return a configuration with a dashboard."""
    return [
        {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0"},
        {"name": "dashboard", "kind": "http.dashboard", "meta.server": "gateway", **fields},
    ]


def make_app(*more: Mapping[str, object], node: Node | None = None, **fields: object) -> Flask:
    """Return an app with a dashboard, and a view ``/chat`` that relays to the room ``room``."""
    app = Flask("tests.dashboard")
    GreenRelay(app, [*entries(**fields), *more], node=node)

    @app.get("/chat")
    @websocket_relay()
    def chat() -> Any:
        return relay("room", metadata={"user_id": "ada", "token": "hush", "nick": "<b>Ada</b>"})

    @app.get("/start")
    def start() -> str:
        return spawn(room)

    return app


class Page:
    """What the page knows and does: its cookie, its token, its socket."""

    def __init__(self, address: str, *, cookie: str = "", path: str = PATH) -> None:
        self.address = address
        status, headers, body = http(address, f"{path}/", headers={"Cookie": cookie})
        assert status == 200, body
        self.cookie = cookie_of(headers)
        found = re.search(r'name="greenrelay-token" content="([0-9a-f]+)"', body)
        assert found, body
        self.token = found[1]
        self.socket = open_socket(address, self.cookie, path=path)
        self.hello = self.socket.recv_json()["hello"]
        self._number = 0

    def ask(self, name: str, **values: object) -> Any:
        """Return the answer to a question; an error is an AssertionError."""
        answer = self.request(ask=name, **{"with": values})
        assert "data" in answer, answer
        return answer["data"]

    def do(self, name: str, **values: object) -> dict[str, Any]:
        """Return what comes of an order."""
        return self.request(do=name, token=self.token, **{"with": values})

    def request(self, **message: object) -> dict[str, Any]:
        """Return the answer to any message."""
        self._number += 1
        self.socket.send(json.dumps({"id": self._number, **message}))
        while True:
            answer: dict[str, Any] = self.socket.recv_json()
            if answer.get("id") == self._number:
                return answer


def open_socket(
    address: str, cookie: str, *, origin: str | None = None, path: str = PATH
) -> WebSocketClient:
    """Open the socket of a page; raises Refused."""
    wanted = origin if origin is not None else f"http://{address}"
    client = WebSocketClient(
        address, f"{path}/socket", origin=wanted or None, headers={"Cookie": cookie}
    )
    _opened.append(client)
    return client


def cookie_of(headers: Mapping[str, str]) -> str:
    """Return the cookie that an answer sets, as a request sends it."""
    return headers.get("set-cookie", "").partition(";")[0]


def sign_in(address: str, password: str = PASSWORD) -> tuple[int, str]:
    """Return the status and the cookie of a try."""
    body = f"password={password.replace(' ', '+')}"
    status, headers, _ = post(address, "sign-in", body)
    return status, cookie_of(headers)


def post(
    address: str, name: str, body: str = "", *, origin: str | None = None, cookie: str = ""
) -> tuple[int, dict[str, str], str]:
    """Send a form of the page."""
    headers = {
        "Origin": f"http://{address}" if origin is None else origin,
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "Cookie": cookie,
    }
    fields = {"Host": address, "Connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    with dial(address) as sock:
        sock.sendall(f"POST {PATH}/{name} HTTP/1.1\r\n{head}\r\n{body}".encode())
        answer = b"".join(iter(lambda: received(sock), b"")).decode()
    top, _, content = answer.partition("\r\n\r\n")
    status, *lines = top.split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(status.split()[1]), {k.lower(): v for k, _, v in pairs}, content


@contextmanager
def dashboard(
    *more: Mapping[str, object], node: Node | None = None, **fields: object
) -> Iterator[tuple[str, Flask]]:
    """Serve an app with a dashboard and a room."""
    app = make_app(*more, node=node, **fields)
    with serving(app) as address:
        http(address, "/start")
        try:
            yield address, app
        finally:
            while _opened:
                _opened.pop().drop()


__all__ = ["PASSWORD", "PATH", "Page", "Refused", "cookie_of", "dashboard", "make_app", "post"]
