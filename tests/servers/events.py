"""The views of the servers under test that stream, and the jobs behind them."""

from __future__ import annotations

from typing import Any

from flask import abort, request
from gevent.event import Event as Flag
from werkzeug.wrappers import Response

from greenrelay import Cancel, Message, link, receive, send, spawn
from greenrelay.web import stream

_running: set[str] = set()
_ended = Flag()


def job() -> None:
    """A target that says hello and works on until its client leaves."""
    join: Any = receive("sse.join").payload
    client = join["client_pid"]
    _running.add(client)
    try:
        link(client)
        send(client, "hello", {"last_event_id": join["last_event_id"], "path": join["path"]})
        while not _is_over(receive()):
            pass
    finally:
        _running.discard(client)
        _ended.set()


def _is_over(event: object) -> bool:
    if isinstance(event, Message):
        return event.topic == "sse.leave"
    return isinstance(event, Cancel)


def short_job() -> None:
    """A target that says much in one go and ends."""
    client = receive("sse.join").payload["client_pid"]  # type: ignore[index]
    for number in range(100):
        send(client, "number", f"{number} {'x' * 10_000}")


def brief_job() -> None:
    """A target that says what its client has seen before, and ends."""
    join: Any = receive("sse.join").payload
    seen = join["last_event_id"]
    send(join["client_pid"], "sse.control", {"next_id": int(seen or 41) + 1})
    send(join["client_pid"], "seen", f"{seen}\r\nü\n")


def brief() -> Response:
    return stream(spawn(brief_job), message_topic="seen")


def work() -> Response:
    response = stream(spawn(job), message_topic="*", heartbeat_interval="50ms")
    response.set_cookie("seen", "yes")
    return response


def numbers() -> Response:
    return stream(spawn(short_job), message_topic="number")


def jobs() -> str:
    """How many jobs run; with ``most`` it waits until there are no more than that."""
    most = request.args.get("most", type=int)
    while most is not None and len(_running) > most:
        _ended.clear()
        _ended.wait()
    return str(len(_running))


def private() -> None:
    abort(401)
