"""What a test asserts of a probe: that it gets something, or that it has not got it.

Source: ``docs/testing.md``, "Assertions". Each takes what it finds, so that the next one sees the
rest, and says when it fails what was expected and what the inbox held.
"""

from __future__ import annotations

from typing import Any

from greenrelay.core.events import Exit, LinkDown
from greenrelay.core.message import Message
from greenrelay.durations import format_duration, parse_duration
from greenrelay.proving.probe import Item, Probe, settle


class _Anything:
    """The type of ANYTHING."""

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING = _Anything()


class Expected:
    """What an item has to be: a message or an event, with these facts."""

    def __init__(self, noun: str, facts: dict[str, object]) -> None:
        self.noun = noun
        self.facts = {name: value for name, value in facts.items() if value is not ANYTHING}

    def __str__(self) -> str:
        if not self.facts:
            return self.noun
        shown = " and ".join(f"{name} {value!r}" for name, value in self.facts.items())
        return f"{self.noun} with {shown}"

    def matches(self, item: Item) -> bool:
        """Whether ``item`` is of that kind and has all the facts."""
        is_message = isinstance(item, Message)
        if is_message != (self.noun == "message") and self.noun != "item":
            return False
        return all(_fact(item, name) == value for name, value in self.facts.items())


def _fact(item: Item, name: str) -> object:
    if name == "reason" and isinstance(item, (Exit, LinkDown)):
        return item.result.reason
    # An event without a topic, or a CANCEL without a PID, has a value that equals nothing.
    return getattr(item, name, ANYTHING)


def assert_receive(
    probe: Probe,
    *,
    topic: object = ANYTHING,
    payload: object = ANYTHING,
    sender: object = ANYTHING,
    kind: str | None = None,
    timeout: float | str = 5,
) -> Any:
    """Return the next message that ``probe`` has got or gets within ``timeout``, and take it.

    It must equal what is given of ``topic``, ``payload`` and ``sender``; all else stays in order.
    With none of them the next item is taken, message or event; ``kind`` asks for an event as
    assert_event does. Raises AssertionError that shows the inbox.
    """
    facts = {"topic": topic, "payload": payload, "sender": sender}
    if kind is not None:
        return _assert_taken(probe, Expected("event", {"kind": kind, **facts}), timeout)
    is_any = all(value is ANYTHING for value in facts.values())
    return _assert_taken(probe, Expected("item" if is_any else "message", facts), timeout)


def assert_event(
    probe: Probe,
    *,
    kind: object = ANYTHING,
    pid: object = ANYTHING,
    reason: object = ANYTHING,
    timeout: float | str = 5,
) -> Any:
    """Return the next lifecycle event that ``probe`` has got or gets within ``timeout``.

    ``kind`` is ``"EXIT"``, ``"LINK_DOWN"`` or ``"CANCEL"``, ``pid`` whose ending it tells of and
    ``reason`` why. The others stay in order. Raises AssertionError that shows the inbox.
    """
    facts = {"kind": kind, "pid": pid, "reason": reason}
    return _assert_taken(probe, Expected("event", facts), timeout)


def _assert_taken(probe: Probe, expected: Expected, timeout: float | str) -> Item:
    item = probe.take(expected.matches, timeout)
    if item is None:
        within = format_duration(parse_duration(timeout))
        raise AssertionError(f"{probe.pid} got no {expected} within {within}.\n{probe.describe()}")
    return item


def assert_not_received(
    probe: Probe,
    *,
    topic: object = ANYTHING,
    payload: object = ANYTHING,
    sender: object = ANYTHING,
) -> None:
    """Let the node come to rest and fail if ``probe`` has got such a message; no time passes."""
    settle(probe.node)
    expected = Expected("message", {"topic": topic, "payload": payload, "sender": sender})
    if any(expected.matches(item) for item in probe.items):
        raise AssertionError(f"{probe.pid} got a {expected}.\n{probe.describe()}")


def assert_nothing(probe: Probe) -> None:
    """Let the node come to rest and fail if ``probe`` has got anything that was not taken."""
    settle(probe.node)
    if probe.items:
        raise AssertionError(f"{probe.pid} got something.\n{probe.describe()}")
