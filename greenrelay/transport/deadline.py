"""A function that must have returned by a deadline.

Source: WebSocket Relay, "Options", row ``wsrelay.handshake.timeout``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import gevent

T = TypeVar("T")


class TooLate(Exception):
    """The function was left where it waited: its time was over."""


def within(seconds: float, function: Callable[[], T]) -> T:
    """Return what ``function`` returns; raise TooLate after ``seconds``, where it waits then.

    0 seconds are no deadline.
    """
    with gevent.Timeout(seconds or None) as deadline:
        try:
            return function()
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            raise TooLate from None
