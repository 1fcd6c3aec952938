"""The bytes a NATS server sends, as events; pure, and never raises.

Source: the NATS client protocol, "Protocol messages". ``Parser.feed`` takes the bytes as they come,
cut anywhere. What it keeps is bounded: a line may have ``MAX_LINE`` bytes, a message ``max_size``;
a longer message is passed over byte by byte and told as an Oversize. Text that is no NATS ends in
a Fault, after which the parser says nothing more: where the next message starts cannot be known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Room for the addresses of a large cluster in INFO; all other lines are far shorter.
MAX_LINE = 32 * 1024
MAX_SIZE = 1024 * 1024
# No server lets more through.
MAX_OF_SERVER = 64 * 1024 * 1024
_END = b"\r\n"
# Events of the server itself come with two spaces where there is no reply subject.
_MSG = re.compile(rb"MSG (\S{1,4096}) (\d{1,10})(?: (\S{1,4096}))? +(\d{1,10})")
_HMSG = re.compile(rb"HMSG (\S{1,4096}) (\d{1,10})(?: (\S{1,4096}))? +(\d{1,10}) +(\d{1,10})")
# From one sender come many messages with one first line; it is read once.
_MAX_HEADS = 4096
# What a message's first line says: (subscription, subject, reply, size of the header, of all).
Head = tuple[int, bytes, bytes, int, int]
# A message: (subscription, subject, reply subject or b"", header or b"", data). A plain tuple, as
# one is made for each frame that comes.
Message = tuple[int, bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Info:
    """What the server says of itself, as JSON."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """The server wants a PONG."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The server has done all that was sent before the PING."""


@dataclass(frozen=True, slots=True)
class Err:
    """The server refuses something; ``text`` is without the quotes around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Oversize:
    """A message that was longer than allowed and has been left out."""

    size: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What has come is no NATS: ``why`` says what it was."""

    why: str


Event = Message | Info | Ping | Pong | Err | Oversize | Fault
_PING, _PONG = Ping(), Pong()


class Parser:
    """Bytes in, events out."""

    __slots__ = ("_buffer", "_heads", "_is_faulty", "_max_size", "_needed", "_parts", "_skip")

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._buffer = b""
        self._heads: dict[bytes, Head] = {}
        # What has come while it was known not to be enough, so that a large message is copied once.
        self._parts: list[bytes] = []
        self._needed = 0
        self._skip = 0
        self._is_faulty = False

    @property
    def held(self) -> int:
        """How many bytes it keeps, waiting for the rest of a message."""
        return len(self._buffer) + sum(map(len, self._parts))

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that are complete now, in the order in which they came."""
        if self._is_faulty:
            return []
        if self._needed > len(data):
            self._parts.append(data)
            self._needed -= len(data)
            return []
        events: list[Event] = []
        buffer = b"".join((self._buffer, *self._parts, data)) if self._buffer else data
        self._parts.clear()
        self._needed = 0
        start = self._scan(buffer, events)
        self._buffer = buffer[start:] if not self._is_faulty else b""
        return events

    def _scan(self, buffer: bytes, events: list[Event]) -> int:
        """Read all that is complete in ``buffer``; return where the rest starts."""
        start = self._skipped(buffer, 0)
        heads, append, length = self._heads, events.append, len(buffer)
        while not self._is_faulty:
            stop = buffer.find(_END, start)
            if stop < 0 or stop - start > MAX_LINE:
                if length - start >= MAX_LINE:
                    self._fault(events, "a line does not end")
                break
            line = buffer[start:stop]
            head = heads.get(line) or self._head(line, events)
            if head is None:
                start = stop + 2
                continue
            sid, subject, reply, header_size, size = head
            first = stop + 2
            end = first + size
            if size > self._max_size:
                start = self._leave_out(buffer, first, end, events)
            elif length < end + 2:
                self._needed = end + 2 - length
                break
            elif buffer[end : end + 2] != _END:
                self._fault(events, "a message does not end where its line says")
            else:
                middle = first + header_size
                header = buffer[first:middle] if header_size else b""
                append((sid, subject, reply, header, buffer[middle:end]))
                start = end + 2
        return start

    def _head(self, line: bytes, events: list[Event]) -> Head | None:
        """Read a first line; None for one that is no message's, or is wrong."""
        if found := _MSG.fullmatch(line):
            subject, sid, reply, size = found.groups(b"")
            head = (int(sid), subject, reply, 0, int(size))
        elif found := _HMSG.fullmatch(line):
            subject, sid, reply, header_size, size = found.groups(b"")
            head = (int(sid), subject, reply, int(header_size), int(size))
        else:
            self._line(line, events)
            return None
        if head[3] > head[4] or head[4] > MAX_OF_SERVER:
            self._fault(events, f"its line is {_shown(line)}")
            return None
        if not reply:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[line] = head
        return head

    def _leave_out(self, buffer: bytes, first: int, end: int, events: list[Event]) -> int:
        events.append(Oversize(end - first))
        self._skip = end + 2 - first
        return self._skipped(buffer, first)

    def _skipped(self, buffer: bytes, start: int) -> int:
        count = min(self._skip, len(buffer) - start)
        self._skip -= count
        return start + count

    def _line(self, line: bytes, events: list[Event]) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"PING":
            events.append(_PING)
        elif word == b"PONG":
            events.append(_PONG)
        elif word == b"INFO":
            events.append(Info(rest.strip()))
        elif word == b"-ERR":
            events.append(Err(rest.decode("utf-8", "replace").strip().strip("'")))
        elif word != b"+OK":
            self._fault(events, f"its line is {_shown(line)}")

    def _fault(self, events: list[Event], why: str) -> None:
        self._is_faulty = True
        events.append(Fault(why))


def _shown(line: bytes) -> str:
    return repr(line[:80]) + ("…" if len(line) > 80 else "")
