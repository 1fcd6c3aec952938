"""Answers whose bodies are not as long as they say: nobody's next answer is taken for a part of it.

Source: RFC 9112, section 6.3; HTTP, "The request as a process".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import pytest
from flask import Flask, Response

from tests.probe import Probe, assert_receive
from tests.serving import dial, received, relay_app, serving


@pytest.fixture
def app() -> Iterator[Flask]:
    with relay_app(__name__) as app:
        app.get("/next", endpoint="next")(lambda: "the next")
        yield app


def asked(address: str, *paths: str, method: str = "GET") -> bytes:
    """Return all that comes back for several requests of one connection, the last one a GET."""
    lines = [f"{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n" for path in paths]
    last = "GET /next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    found = b""
    with dial(address) as sock:
        sock.sendall("".join([*lines, last]).encode())
        while part := received(sock):
            found += part
    return found


def bodies(answers: bytes) -> list[bytes]:
    """Return the bodies of answers, none of which has the start of another in it."""
    return [each.partition(b"\r\n\r\n")[2] for each in answers.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("chunks", [["abcdef"], ["abc", "def"], ["ab", "cdef"], repeat("abc")])
def test_a_body_that_is_longer_than_it_says_is_cut(app: Flask, chunks: Iterator[str]) -> None:
    app.get("/a")(lambda: Response(chunks, headers={"Content-Length": "3"}))

    with serving(app) as address:
        assert bodies(asked(address, "/a")) == [b"abc", b"the next"]


def test_what_is_cut_is_closed(app: Flask, probe: Probe) -> None:
    @app.get("/a")
    def view() -> Response:
        response = Response(repeat("abc"), headers={"Content-Length": "3"})
        response.call_on_close(lambda: probe.node.send(probe.pid, "closed", None))
        return response

    with serving(app) as address:
        asked(address, "/a")

    assert_receive(probe, topic="closed")


def test_after_a_body_that_is_shorter_than_it_says_the_connection_is_closed(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/a")(lambda: Response(iter(["abc"]), headers={"Content-Length": "10"}))

    with serving(app) as address:
        assert bodies(asked(address, "/a")) == [b"abc"]

    assert caplog.messages == ["/a: the body is 7 bytes shorter than it says"]


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_may_name_the_length_of_one(
    app: Flask, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Length": "10"} if status == 304 else {}
    app.get("/a")(lambda: Response(iter([]), status, headers))

    with serving(app) as address:
        assert bodies(asked(address, "/a")) == [b"", b"the next"]

    assert caplog.messages == []


def test_an_answer_to_head_may_too(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    app.get("/a")(lambda: Response(iter(["abc"]), headers={"Content-Length": "10"}))

    with serving(app) as address:
        assert bodies(asked(address, "/a", method="HEAD")) == [b"", b"the next"]

    assert caplog.messages == []
