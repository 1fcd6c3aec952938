"""What processes send each other.

Source: Processes, "Functions" and "Hosts, inboxes, back-pressure". A Message is a named tuple
and not a dataclass because one is made for each message sent, and a tuple is the cheapest frozen
value Python has.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from greenrelay.core.pid import Pid
from greenrelay.errors import ReservedTopic

NO_CONTEXT: Mapping[str, object] = MappingProxyType({})


class ReplySlot(Protocol):
    """Where the answer to a call goes; what comes after the first answer is dropped."""

    def answer(self, value: object) -> bool:
        """Hand over the reply; False when nobody waits for it any more."""

    def fail(self, error: BaseException) -> bool:
        """Hand over an error instead; False when nobody waits for it any more."""


class Message(NamedTuple):
    """One message: ``topic``, ``payload`` (by reference inside a node), ``sender``, ``context``.

    ``sender`` is the PID of the process that sent it, or None when it came from outside any.
    ``context`` are the values the sender carries. ``reply_to`` is set on calls: see reply().
    """

    topic: str
    payload: object = None
    sender: Pid | None = None
    context: Mapping[str, object] = NO_CONTEXT
    reply_to: ReplySlot | None = None


def check_topic(topic: object) -> None:
    """Raise ReservedTopic unless ``topic`` is text that does not start with ``@``."""
    if not isinstance(topic, str) or topic[:1] in ("@", ""):
        raise ReservedTopic(topic)
