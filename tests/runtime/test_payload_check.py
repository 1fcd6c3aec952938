"""Payloads that change after they were sent. Source: Processes, "Functions": by reference."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from gevent.lock import Semaphore

from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.runtime.payload_check import (
    MAX_DEPTH,
    MAX_PARTS,
    CheckedMessages,
    find_change,
    fingerprint,
)

ME, YOU = Pid.parse("{n@h|1}"), Pid.parse("{n@h|2}")


@dataclass
class Order:
    number: int
    items: list[object]


@dataclass(slots=True)
class Slotted:
    number: int


class Spiteful:
    """Raises at whatever looks at it."""

    __hash__ = None  # type: ignore[assignment]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise ValueError("no class")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    def __repr__(self) -> str:
        raise ValueError("no text")

    def __reduce__(self) -> Any:
        raise ValueError("no pickle")

    def __getattribute__(self, name: str) -> Any:
        raise ValueError("no attributes")


class SpitefulList(list[object]):
    def __iter__(self) -> Any:
        raise ValueError("no iteration")

    def __len__(self) -> int:
        raise ValueError("no length")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    __hash__ = None


def itself() -> list[object]:
    one: list[object] = [1]
    one.append(one)
    return one


def deep(levels: int) -> list[object]:
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return inner


PAYLOADS: list[object] = [
    None,
    7,
    float("nan"),
    "text",
    b"bytes",
    {"a": [1, {"b": (2, 3)}], 4: {5, 6}},
    Order(1, [2]),
    Slotted(1),
    itself(),
    {float("nan"): Spiteful(), "more": [Spiteful()]},
    SpitefulList([Spiteful()]),
    {frozenset({1}): deque([bytearray(b"x")])},
    deep(10_000),
    list(range(100_000)),
    set(range(100_000)),
    {number: number for number in range(100_000)},
    SimpleNamespace(a=1),
    Order,
    lambda: None,
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_what_nobody_touches_has_not_changed(payload: object) -> None:
    before = fingerprint(payload)

    assert find_change(before, payload) == ""
    assert len(before) <= MAX_PARTS


CHANGES: list[tuple[Any, Callable[[Any], object], str]] = [
    ({"a": 1}, lambda it: it.update(a=2), "payload['a'] was 1 and is 2"),
    ({"a": 1}, lambda it: it.update(b=2), "payload, a dict, had 1 items and has 2"),
    ({"a": 1}, lambda it: it.update(b=it.pop("a")), "payload, a dict, has others in it than"),
    ({"a": [1]}, lambda it: it["a"].append(2), "payload['a'], a list, had 1 items and has 2"),
    ([1, [2, [3]]], lambda it: it[1][1].__setitem__(0, 4), "payload[1][1][0] was 3 and is 4"),
    (([],), lambda it: it[0].append(1), "payload[0], a list, had 0 items and has 1"),
    ([1, 1.0], lambda it: it.reverse(), "payload[0] was 1 and is 1.0"),
    ([[1]], lambda it: it.__setitem__(0, [1]), "payload[0] was a list and is a list"),
    ({1}, lambda it: it.add(2), "payload, a set, had 1 items and has 2"),
    ({1}, lambda it: (it.add(2), it.discard(1)), "payload, a set, has others in it than it had"),
    (deque([1]), lambda it: it.append(2), "payload, a deque, had 1 items and has 2"),
    (bytearray(b"ab"), lambda it: it.reverse(), "payload, a bytearray, has others in it"),
    (Order(1, []), lambda it: it.items.append(1), "payload.items, a list, had 0 items and has 1"),
    (Order(1, []), lambda it: setattr(it, "number", 2), "payload.number was 1 and is 2"),
    (Slotted(1), lambda it: setattr(it, "number", 2), "payload.number was 1 and is 2"),
    (Slotted(1), lambda it: delattr(it, "number"), "payload.number and what follows has changed"),
    (itself(), lambda it: it.append(1), "payload, a list, had 2 items and has 3"),
    (SpitefulList([1]), lambda it: it.append(1), "payload, a SpitefulList, had 1 items and has 2"),
    (
        {"a": "x" * 100},
        lambda it: it.update(a=Spiteful()),
        f"payload['a'] was '{'x' * 59}… and is a Spiteful",
    ),
]


@pytest.mark.parametrize(("payload", "change", "told"), CHANGES)
def test_a_change_is_told_by_its_place(
    payload: Any, change: Callable[[Any], object], told: str
) -> None:
    before = fingerprint(payload)

    change(payload)

    assert find_change(before, payload).startswith(told)


def test_a_handle_may_do_what_it_is_for() -> None:
    payload: dict[str, Any] = {"lock": Semaphore(1), "anything": SimpleNamespace(a=1)}
    before = fingerprint(payload)

    payload["lock"].acquire()
    payload["anything"].a = 2

    assert find_change(before, payload) == ""


def test_it_looks_no_deeper_than_it_says() -> None:
    payload = bottom = deep(MAX_DEPTH + 1)
    while bottom:
        bottom = bottom[0]  # type: ignore[assignment]
    before = fingerprint(payload)

    bottom.append(1)

    assert len(before) == MAX_DEPTH + 1
    assert find_change(before, payload) == ""


def mailbox(*payloads: object) -> CheckedMessages:
    messages = CheckedMessages(ME)
    for payload in payloads:
        messages.append(Message("topic", payload, YOU))
    return messages


def test_a_changed_payload_is_an_error_with_topic_sender_and_receiver(
    caplog: pytest.LogCaptureFixture,
) -> None:
    payload = {"a": 1}
    messages = mailbox(payload)

    payload["a"] = 2
    message = messages.popleft()

    assert message.payload == {"a": 2}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert (
        "{n@h|1} got message 'topic' from {n@h|2} with a payload that was changed after it was "
        "sent: payload['a'] was 1 and is 2; send a copy"
    ) in caplog.text


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_an_unchanged_payload_passes_in_silence(
    payload: object, caplog: pytest.LogCaptureFixture
) -> None:
    messages = mailbox(payload, payload)

    messages.popleft()
    messages.popleft()

    assert caplog.text == ""
    assert len(messages.check) == 0


def test_one_payload_sent_twice_is_checked_each_time(caplog: pytest.LogCaptureFixture) -> None:
    payload = [1]
    messages = mailbox(payload)
    payload.append(2)
    messages.append(Message("again", payload, None))

    messages.popleft()
    messages.popleft()

    assert [record.getMessage().count("'topic'") for record in caplog.records] == [1]


def test_a_message_taken_out_of_turn_is_checked_too(caplog: pytest.LogCaptureFixture) -> None:
    messages = mailbox([1], [2])
    messages[1].payload.append(3)

    del messages[1]

    assert "payload, a list, had 1 items and has 2" in caplog.text
    assert len(messages) == len(messages.check) == 1


def test_what_is_thrown_away_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    payload = [1]
    messages = mailbox(payload)
    kept = list(messages)
    payload.append(2)

    messages.clear()
    assert len(messages.check) == 0
    messages.extend(kept)

    messages.popleft()
    assert caplog.text == ""
