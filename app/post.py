"""Sending where a refusal is no reason to crash."""

from __future__ import annotations

from greenrelay import InboxFull, UnknownName, send


def post(dest: str, topic: str, payload: object) -> bool:
    """Send and return whether the message was taken.

    A name nobody has at the moment and an inbox that is full are as good as a process that has
    ended. A client too slow to take its messages is the relay's to close, and ws.leave tells of it.
    """
    try:
        return send(dest, topic, payload)
    except (InboxFull, UnknownName):
        return False
