"""What the result of a connection or a stream says of it.

Source: WebSocket Relay, "Endings and close codes"; Server-sent Events Relay, which has the same
keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenrelay.core.events import ExitError, Result

if TYPE_CHECKING:
    from greenrelay.transport.life import Life
    from greenrelay.transport.stream import Stream


def value_of(
    relayed: Life | Stream, code: int | None, reason: str, *, clean: bool, messages_in: int
) -> dict[str, object]:
    """Return the value of the result of what has ended just now."""
    return {
        "code": code,
        "reason": reason,
        "clean": clean,
        "duration": relayed.node.timers.now() - relayed.opened_at,
        "messages_in": messages_in,
        "messages_out": relayed.messages_out,
        "bytes_in": relayed.socket.bytes_in,
        "bytes_out": relayed.socket.bytes_out,
    }


def result_of(value: dict[str, object], told: Result | None) -> Result:
    """Return the result with ``value``; ``told`` is the one it was ended with from outside."""
    if told is not None:
        return Result(value, told.error, told.reason)
    if value["clean"]:
        return Result(value)
    reason = str(value["reason"])
    return Result(value, ExitError("ConnectionLost", reason), reason)
