"""Views that name files or answer at length, and a client that sees bytes as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import gevent
from flask import Flask, Response, request

from tests.serving import dial, received

HERE = "tests.http.middleware.files"
TEXT = "all work and no play makes Jack a dull boy\n" * 200
closed: list[str] = []


class Answer(NamedTuple):
    """What came back; names of headers are in lower case, several of a name are joined."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    address: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """Make one request whose path goes out as it is, and read to the end of the connection."""
    fields = {"Host": address, "Connection": "close", **(headers or {})}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    with gevent.Timeout(30), dial(address) as sock:
        sock.sendall(head.encode() + b"\r\n")
        found = b""
        while part := received(sock):
            found += part
    top, _, body = found.partition(b"\r\n\r\n")
    status, *lines = top.decode("latin-1").split("\r\n")
    named: dict[str, str] = {}
    for name, _, value in (line.partition(": ") for line in lines):
        key = name.lower()
        named[key] = f"{named[key]}, {value}" if key in named else value
    return Answer(int(status.split()[1]), named, body)


class Watched:
    """A body that says when it is closed."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"of the view"

    def close(self) -> None:
        closed.append("body")


def answer() -> Response:
    """Answer as the query says: ``body`` is text, anything else a header."""
    body = request.args.get("body", TEXT)
    status = int(request.args.get("status", "200"))
    response = Response(body, status=status)
    for name, value in request.args.items(multi=True):
        if name not in ("body", "status"):
            _set(response, name, value)
    return response


def _set(response: Response, name: str, value: str) -> None:
    if name == "Vary":
        response.headers.add(name, value)
    else:
        response.headers[name] = value


def chunks() -> Response:
    """Answer with a generator."""
    return Response((line for line in [TEXT, TEXT]), mimetype="text/plain")


def events() -> Response:
    """Answer with events that are all there."""
    return Response([f"data: {TEXT.replace(chr(10), ' ')}\n\n"], mimetype="text/event-stream")


def watched() -> Response:
    """Name the file of the query beside a body that is watched."""
    response = Response(Watched(), headers={"X-Sendfile": request.args["file"]})
    response.call_on_close(lambda: closed.append("view"))
    return response


def crash() -> Response:
    """Fail."""
    raise LookupError("of the view")


def site(middleware: str, options: Mapping[str, object]) -> list[dict[str, object]]:
    """Return the configuration of a router at ``/`` with all views behind ``middleware``."""
    router = {"name": "api", "kind": "http.router", "meta.server": "gateway"}
    views: list[Callable[[], Response]] = [answer, chunks, events, watched, crash]
    found: list[dict[str, object]] = [
        {**router, "middleware": middleware, "options": dict(options)}
    ]
    for name in (view.__name__ for view in views):
        found.append(
            {
                "name": name,
                "kind": "http.endpoint",
                "meta.router": "api",
                "method": ["GET", "POST"],
                "path": f"/{name}",
                "func": f"{HERE}:{name}",
            }
        )
    return found


def note_not_found(app: Flask) -> None:
    """Give ``app`` a page of its own for what is not found."""

    def page(error: Any) -> tuple[str, int]:
        return "not here", 404

    app.register_error_handler(404, page)
