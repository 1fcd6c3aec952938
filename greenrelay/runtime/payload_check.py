"""Finds payloads that were changed after they were sent.

Source: Processes, "Functions": payloads are passed by reference inside a node, so whoever changes
one afterwards changes what the receiver gets. In debug mode a fingerprint of each payload is taken
when its message enters an inbox and compared when the message leaves it.

Theory. A fingerprint is what the payload is made of, in a fixed order: for each container its
identity and size, for each leaf the object itself. It runs no code of the payload: no ``__eq__``,
``__hash__``, ``__repr__`` or property, so a payload may be unhashable, unequal to itself or
contain itself. Looked into are the builtin containers, their subclasses, and dataclasses; these
are data. Any other object (a lock, a queue, a process) is a handle whose state is its own affair.

A change is logged and not raised: the receiver, where it is found, is not who did it, and a
debug mode must not let a program run another way.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from itertools import islice
from types import MemberDescriptorType
from typing import Any, NamedTuple, TypeGuard, TypeVar
from zlib import crc32

from greenrelay.core.fifo import Fifo
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid

T = TypeVar("T")
log = logging.getLogger("greenrelay.runtime")
MAX_DEPTH = 16
MAX_PARTS = 10_000
# Compared by value: these exact types, whose comparison is Python's own.
PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
SEQUENCES: tuple[type[Any], ...] = (list, tuple, deque)
SHOWN = 60


class Part(NamedTuple):
    """One thing a payload is made of: where it is, the object, and what it held then."""

    path: str
    value: object
    held: object


def fingerprint(payload: object) -> tuple[Part, ...]:
    """Return what ``payload`` is made of, down to MAX_DEPTH and for MAX_PARTS parts.

    What lies deeper, or behind that many parts, is not looked at.
    """
    parts: list[Part] = []
    seen: set[int] = set()
    # Depth first, with a stack: (path, value, depth).
    stack: list[tuple[str, object, int]] = [("payload", payload, 0)]
    while stack and len(parts) < MAX_PARTS:
        path, value, depth = stack.pop()
        held, inside = (None, ()) if id(value) in seen else look_into(path, value)
        parts.append(Part(path, value, held))
        if held is not None and depth < MAX_DEPTH:
            seen.add(id(value))
            # No more than can be looked at: a huge list is not copied for its first parts.
            within = islice(inside, MAX_PARTS - len(parts))
            stack += reversed([(where, part, depth + 1) for where, part in within])
    return tuple(parts)


def look_into(path: str, value: object) -> tuple[object, Iterable[tuple[str, object]]]:
    """Return what tells of a container that it has changed, and its parts; None for a leaf."""
    if _is_a(value, dict):
        keys = tuple(islice(dict.keys(value), MAX_PARTS))
        parts = zip(keys, dict.values(value), strict=False)
        held = (dict.__len__(value), _ids(keys))
        return held, ((f"{path}[{_show(key)}]", part) for key, part in parts)
    for kind in SEQUENCES:
        if _is_a(value, kind):
            # The method of the builtin: a subclass's own may do anything.
            inside = enumerate(kind.__iter__(value))
            size = kind.__len__(value)
            return size, ((f"{path}[{index}]", part) for index, part in inside)
    if _is_a(value, set):
        return _members(set.__len__(value), set.__iter__(value)), ()
    if _is_a(value, bytearray):
        return (bytearray.__len__(value), crc32(value)), ()
    if is_dataclass(type(value)):
        return True, _fields(path, value)
    return None, ()


def find_change(before: tuple[Part, ...], payload: object) -> str:
    """Return what of ``payload`` has changed since ``before`` was taken, "" for nothing."""
    after = fingerprint(payload)
    for old, new in zip(before, after, strict=False):
        if old.path != new.path:
            return f"{old.path} is gone or has moved"
        if not _is_same(old.value, new.value):
            return f"{old.path} was {_show(old.value)} and is {_show(new.value)}"
        if old.held != new.held:
            return f"{old.path}, {_name(old.value)}, {_difference(old.held, new.held)}"
    return "" if len(before) == len(after) else f"{before[-1].path} and what follows has changed"


class PayloadCheck:
    """The fingerprints of the messages that wait for ``receiver``."""

    __slots__ = ("_waiting", "receiver")

    def __init__(self, receiver: Pid) -> None:
        self.receiver = receiver
        # By identity; the message is kept, so that no other one can have its id meanwhile.
        self._waiting: dict[int, tuple[Message, tuple[Part, ...]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def arrived(self, message: Message) -> None:
        """Take the fingerprint of a message that enters the inbox."""
        self._waiting[id(message)] = (message, fingerprint(message.payload))

    def taken(self, message: Message) -> None:
        """Log an ERROR if the payload of a message that leaves the inbox has changed."""
        _, before = self._waiting.pop(id(message), (None, None))
        if before is None:
            return
        change = find_change(before, message.payload)
        if change:
            log.error(
                "%s got message %r from %s with a payload that was changed after it was sent: %s; "
                "send a copy, or change nothing that has been sent",
                self.receiver,
                message.topic,
                message.sender or "outside any process",
                change,
            )

    def take_over(self, other: PayloadCheck) -> None:
        """Have the fingerprints of ``other`` as well."""
        self._waiting.update(other._waiting)

    def forget(self) -> None:
        """Drop everything: nobody will read these messages."""
        self._waiting.clear()


class CheckedMessages(Fifo):
    """The unread messages of one process in debug mode; a queue that checks what passes."""

    def __init__(self, receiver: Pid) -> None:
        super().__init__()
        self.check = PayloadCheck(receiver)

    def append(self, message: Message) -> None:
        """Add the newest message."""
        self.check.arrived(message)
        super().append(message)

    def extend(self, messages: Iterable[Message]) -> None:
        """Add messages, the newest last."""
        for message in messages:
            self.append(message)

    def popleft(self) -> Message:
        """Take the oldest message."""
        message: Message = super().popleft()
        self.check.taken(message)
        return message

    def __delitem__(self, index: int) -> None:
        """Take a message out of turn."""
        self.check.taken(self[index])
        super().__delitem__(index)

    def joined(self, other: Fifo, items: Iterable[Message]) -> CheckedMessages:
        """Return a queue of ``items``, each with the fingerprint it came with."""
        queue = CheckedMessages(self.check.receiver)
        for each in (self, other):
            if isinstance(each, CheckedMessages):
                queue.check.take_over(each.check)
        for message in items:
            Fifo.append(queue, message)
        return queue

    def clear(self) -> None:
        """Throw the messages away."""
        self.check.forget()
        super().clear()


def _is_a(value: object, kind: type[T]) -> TypeGuard[T]:
    # isinstance would ask the object's own __class__, which a proxy makes up.
    return issubclass(type(value), kind)


def _members(size: int, members: Iterator[object]) -> object:
    # Their order says nothing. Being hashable they do not change, and are not looked into.
    return (size, frozenset(_ids(tuple(members)))) if size <= MAX_PARTS else size


def _fields(path: str, value: object) -> Iterator[tuple[str, object]]:
    cls = type(value)
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        state = {}
    for field in fields(value):  # type: ignore[arg-type]  # only dataclasses come here
        slot = cls.__dict__.get(field.name)
        if field.name in state:
            yield f"{path}.{field.name}", state[field.name]
        elif isinstance(slot, MemberDescriptorType):
            with suppress(AttributeError):
                yield f"{path}.{field.name}", slot.__get__(value)


def _ids(values: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(value if type(value) in PLAIN else id(value) for value in values)


def _is_same(old: object, new: object) -> bool:
    return old is new or (type(old) is type(new) and type(old) in PLAIN and old == new)


def _difference(old: object, new: object) -> str:
    before, after = (held[0] if isinstance(held, tuple) else held for held in (old, new))
    if before != after:
        return f"had {before} items and has {after}"
    return "has others in it than it had"


def _name(value: object) -> str:
    return f"a {type(value).__name__}"


def _show(value: object) -> str:
    if type(value) not in PLAIN:
        return _name(value)
    if isinstance(value, str | bytes):
        value = value[:SHOWN]
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
