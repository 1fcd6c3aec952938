"""Views that take long and say on stdout what happens to them, for servers that are programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request

from greenrelay import process, spawn_linked
from tests.probe import wait_for_ever


def _say(text: str) -> None:
    print(text, flush=True)


def _child() -> None:
    try:
        process.receive("never")
    finally:
        _say("the child ends")


def plain() -> str:
    """Wait, without being a process."""
    _say("plain begins")
    try:
        wait_for_ever()
    except BaseException as error:
        _say(f"plain ends: {error}")
        raise
    return "not reached"


def linked() -> str:
    """Wait for a message, linked to a child that does the same."""
    spawn_linked(_child)
    _say("linked begins")
    event: Any = process.receive()
    _say(f"linked gets {event.kind}: {event.reason}")
    return "nobody reads this"


def stream() -> Response:
    """Stream something, then wait."""

    def chunks() -> Iterator[str]:
        yield "first"
        _say("stream begins")
        try:
            wait_for_ever()
        finally:
            _say("stream ends")

    return Response(chunks())


def count() -> str:
    """Say how long the body is."""
    return f"{len(request.get_data())} bytes"


def sized() -> Response:
    """Answer with six bytes, and say that they are as many as the query has it."""
    return Response(iter(["abc", "def"]), headers={"Content-Length": request.args["says"]})


def busy() -> None:
    """A service that is never done with its start."""
    wait_for_ever()
