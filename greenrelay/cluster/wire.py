"""What nodes send each other: frames of msgpack.

Source: Cluster, "Rules", row Wire, and "What changes for a program". A frame is an array::

    [version, kind, epoch, seq, to, from, topic, ref, context, payload]

``epoch`` and ``seq`` are the session's (``session.py``), ``to`` and ``from`` are PIDs as text.
``ref`` is what an answer refers to. The payload stays raw until somebody is there to take it. A
later version may append fields, which are passed by here; what is of an unknown version or kind is
counted and dropped, so that releases can be mixed.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

import msgspec

from greenrelay import errors
from greenrelay.core.events import ExitError, Result
from greenrelay.core.pid import Pid
from greenrelay.core.plain import LEAVES, MAX_DEPTH, check_plain
from greenrelay.errors import RemoteError, UnsendablePayload

VERSION = 1
MAX_FRAME = 1024 * 1024
# How much of the text of an error travels.
MAX_TEXT = 64 * 1024
_PID, _UUID, _DATETIME = 1, 2, 3
_NOTHING = msgspec.Raw(b"\xc0")


class Kind(IntEnum):
    """What a frame is; those below MESSAGE are the session's own and have no number in it."""

    HELLO = 0
    ACK = 1
    AGAIN = 2
    HEAD = 3
    MESSAGE = 10
    SURE_MESSAGE = 11
    REPLY = 12
    FAILURE = 13
    DOWN = 14
    HANG_UP = 15
    MONITOR = 20
    UNMONITOR = 21
    EXIT = 22
    LINK = 23
    UNLINK = 24
    LINK_DOWN = 25
    CANCEL = 26
    TERMINATE = 27
    INFO = 30
    SPAWN = 31
    INTEREST = 40
    FOLLOW = 41
    UNFOLLOW = 42
    MEMBERS = 43
    JOINED = 44
    LEFT = 45
    BROADCAST = 46


KINDS = frozenset(int(kind) for kind in Kind)


class Frame(msgspec.Struct, array_like=True, gc=False):
    """One frame as it was read; ``payload`` is raw: see load."""

    version: int
    kind: int
    epoch: int
    seq: int
    to: str = ""
    sender: str = ""
    topic: str = ""
    ref: int = 0
    context: Any = None
    payload: msgspec.Raw = _NOTHING


class _Version(msgspec.Struct, array_like=True, gc=False):
    version: int
    kind: Any


def _read_extension(code: int, data: memoryview) -> object:
    if code == _PID:
        return Pid.parse(str(data, "utf-8"))
    if code == _UUID:
        return UUID(bytes=bytes(data))
    if code == _DATETIME:
        return datetime.fromisoformat(str(data, "ascii"))
    raise ValueError(f"extension {code} is unknown")


_encoder = msgspec.msgpack.Encoder()
_frame_decoder = msgspec.msgpack.Decoder(Frame, ext_hook=_read_extension)
_version_decoder = msgspec.msgpack.Decoder(_Version)
_decoder = msgspec.msgpack.Decoder(ext_hook=_read_extension)
encode = _encoder.encode


def read_frame(data: bytes) -> Frame | str:
    """Return the frame that ``data`` is, or why it is none: a word to count by. Raises nothing."""
    if len(data) > MAX_FRAME:
        return "too_large"
    try:
        frame = _frame_decoder.decode(data)
    except (ValueError, TypeError, RecursionError):
        return _why_unreadable(data)
    if frame.version != VERSION:
        return "unknown_version"
    if frame.kind not in KINDS:
        return "unknown_kind"
    return frame


def _why_unreadable(data: bytes) -> str:
    # The frame of another version may have other fields.
    try:
        head = _version_decoder.decode(data)
    except (ValueError, TypeError, RecursionError):
        return "malformed"
    if head.version != VERSION:
        return "unknown_version"
    is_other = isinstance(head.kind, int) and head.kind not in KINDS
    return "unknown_kind" if is_other else "malformed"


def load(raw: msgspec.Raw) -> Any:
    """Return the value of a context or payload; raises ValueError for what is none."""
    try:
        return _decoder.decode(raw)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except TypeError as error:
        # A map whose key is a map.
        raise ValueError(str(error)) from None


def dump(value: object, where: str = "payload") -> msgspec.Raw:
    """Return ``value`` as it travels; raises UnsendablePayload unless it is plain data."""
    try:
        data = encode(value if value.__class__ in LEAVES else _ready(value, 0))
    except (TypeError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        check_plain(value, where)
        raise UnsendablePayload(where, f"cannot be encoded: {error}") from None
    if len(data) > MAX_FRAME:
        raise UnsendablePayload(where, f"takes {len(data)} bytes; a frame has {MAX_FRAME} at most")
    return msgspec.Raw(data)


def _ready(value: object, depth: int) -> object:
    """Return ``value`` with what msgpack does not know as extensions; the same if it needs none."""
    kind = value.__class__
    if kind in LEAVES:
        return value
    if depth == MAX_DEPTH:
        raise TypeError("too deep")
    if isinstance(value, dict) and kind is dict:
        for key in value:
            if key.__class__ is not str and key.__class__ is not Pid:
                raise TypeError("a key is no text")
        if all(each.__class__ in LEAVES for each in value.values()):
            return value
        return {key: _ready(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)) and kind in (list, tuple):
        return [_ready(each, depth + 1) for each in value]
    if kind is Pid:
        return msgspec.msgpack.Ext(_PID, str(value).encode())
    if isinstance(value, UUID) and kind is UUID:
        return msgspec.msgpack.Ext(_UUID, value.bytes)
    if isinstance(value, datetime) and kind is datetime:
        return msgspec.msgpack.Ext(_DATETIME, value.isoformat().encode())
    raise TypeError("no plain data")


def dump_context(context: Mapping[str, object]) -> tuple[msgspec.Raw, int]:
    """Return a context as it travels, and how many values stay behind: those that cannot."""
    kept: dict[str, object] = {}
    for key, value in context.items():
        try:
            dump(value, "context")
        except UnsendablePayload:
            continue
        kept[str(key)] = value
    raw = dump(kept, "context")
    return raw, len(context) - len(kept)


def dump_result(result: Result) -> tuple[msgspec.Raw, bool]:
    """Return how a process ended, as it travels, and whether its value had to stay behind."""
    error = result.error
    told: list[object] | None = None
    if error is not None:
        told = [_text(error.type), _text(error.message), _text(error.traceback)]
    try:
        return dump([result.value, _text(result.reason), told]), False
    except UnsendablePayload:
        return dump([None, _text(result.reason), told]), True


def load_result(raw: msgspec.Raw) -> Result:
    """Return how a process ended; raises ValueError for what does not say so."""
    match load(raw):
        case [value, str(reason), None]:
            return Result(value, None, reason)
        case [value, str(reason), [str(type), str(message), str(traceback)]]:
            return Result(value, ExitError(type, message, traceback), reason)
    raise ValueError("it is no result")


def dump_error(error: BaseException) -> msgspec.Raw:
    """Return what a call is to raise, as it travels: the name of its class, arguments, text."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", errors.__name__):
        name = f"{kind.__module__}.{name}"
    text = _text(str(error))
    try:
        return dump([name, list(error.args), text])
    except UnsendablePayload:
        return dump([name, None, text])


def load_error(raw: msgspec.Raw) -> Exception:
    """Return what a call raises: Python's errors and ours as they were, others as RemoteError."""
    match load(raw):
        case [str(name), arguments, str(text)]:
            kind = getattr(builtins, name, None) or getattr(errors, name, None)
            if not isinstance(kind, type) or not issubclass(kind, Exception):
                return RemoteError(name, text)
            try:
                return kind(*arguments)
            except Exception:
                return RemoteError(name, text)
    raise ValueError("it is no error")


def _text(text: str) -> str:
    """Return text that can travel, shortened in the middle if it is long."""
    text = text.encode(errors="replace").decode()
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n…\n{text[-half:]}"
