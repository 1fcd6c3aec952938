"""A client that sends more than anybody needs: all others are answered in between.

Source: HTTP, "Servers it must run on"; RFC 9112, section 7.1 (chunks and what follows the last
one). Everything a flood consists of is there before the server begins with it, so that nothing of
it would make the server wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from flask import Flask, request
from gevent.event import Event as Flag

from greenrelay.transport.upload import MOST_TRAILERS
from tests.serving import dial, http, received, relay_app, serving

CHUNKED = b"POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /other HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


class Site:
    """What is served: ``order`` tells who was answered when, ``go_on`` lets a flood begin."""

    def __init__(self, app: Flask) -> None:
        self.order: list[str] = []
        self.go_on = Flag()
        self.has_begun = Flag()
        self.address = ""
        app.add_url_rule("/<name>", view_func=self.answer)
        app.add_url_rule("/length", view_func=self.length, methods=["POST"])
        app.add_url_rule("/unread", view_func=lambda: "unread", methods=["POST"])
        app.add_url_rule("/wait", view_func=self.wait, methods=["GET", "POST"])

    def answer(self, name: str) -> str:
        self.order.append(name)
        return name

    def length(self) -> str:
        return str(len(request.get_data()))

    def wait(self) -> str:
        self.has_begun.set()
        self.go_on.wait(30)
        size = len(request.get_data())
        self.order.append("flood")
        return str(size)

    def asked(self, data: bytes) -> bytes:
        """Return all that comes back for the bytes of a client."""
        found = b""
        with dial(self.address) as sock:
            sock.sendall(data)
            while part := received(sock):
                found += part
        return found


@pytest.fixture
def site() -> Iterator[Site]:
    with relay_app(__name__) as app:
        site = Site(app)
        with serving(app) as address:
            site.address = address
            yield site


@contextmanager
def flooded(site: Site, head: bytes, rest: bytes) -> Iterator[Callable[[], bytes]]:
    """Send a flood; the server has all of it when it begins, and another client has asked then."""
    with dial(site.address) as sock:
        sock.sendall(head)
        assert site.has_begun.wait(30)
        sock.sendall(rest)
        other = gevent.spawn(http, site.address, "/other")
        reading = gevent.spawn(_read_all, sock)
        site.go_on.set()
        yield reading.get
        assert other.get(timeout=30)[0] == 200


def _read_all(sock: Any) -> bytes:
    found = b""
    while part := received(sock):
        found += part
    return found


def test_a_body_of_many_chunks_keeps_nobody_waiting(site: Site) -> None:
    head = CHUNKED.replace(b"/length", b"/wait").replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
    )
    chunks = b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n"

    with flooded(site, head, chunks) as answer:
        assert answer().endswith(b"\r\n\r\n10000")

    assert site.order == ["other", "flood"]


def test_many_requests_in_one_go_keep_nobody_waiting(site: Site) -> None:
    head = b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n"
    requests = b"GET /flood HTTP/1.1\r\nHost: test\r\n\r\n" * 300 + NEXT.replace(b"other", b"last")

    with flooded(site, head, requests) as answers:
        assert answers().count(b"HTTP/1.1 200 ") == 302

    assert sorted(site.order) == ["flood"] * 301 + ["last", "other"]
    assert site.order[-1] == "last"


@pytest.mark.parametrize("path", [b"/length", b"/unread"])
def test_as_many_lines_may_follow_the_last_chunk_as_nobody_minds(site: Site, path: bytes) -> None:
    lines = b"A: b\r\n" * MOST_TRAILERS
    body = b"3\r\nabc\r\n0\r\n" + lines + b"\r\n"

    found = site.asked(CHUNKED.replace(b"/length", path) + body + NEXT)

    assert found.count(b"HTTP/1.1 200 ") == 2


BAD = [
    b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * (MOST_TRAILERS + 1) + b"\r\n",
    # What follows looks like chunks, a whole body of them.
    b"3\r\nabc\r\n0\r\n@3\r\nabc\r\n0\r\n\r\n",
    b"\r\nabc\r\n0\r\n\r\n",
    b";x\r\nabc\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("body", BAD, ids=["trailers", "trailer", "no size", "only an extension"])
def test_chunks_that_are_none_are_400_and_the_end_of_the_connection(
    site: Site, body: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    found = site.asked(CHUNKED + body + NEXT)

    assert found.startswith(b"HTTP/1.1 400 ")
    assert found.count(b"HTTP/1.1 ") == 1
    assert site.order == []
    assert "Traceback" not in capfd.readouterr().err + caplog.text


@pytest.mark.parametrize("body", BAD, ids=["trailers", "trailer", "no size", "only an extension"])
def test_chunks_that_nobody_reads_end_the_connection_too(
    site: Site, body: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    found = site.asked(CHUNKED.replace(b"/length", b"/unread") + body + NEXT)

    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.count(b"HTTP/1.1 ") == 1
    assert site.order == []
    assert "Traceback" not in capfd.readouterr().err + caplog.text
