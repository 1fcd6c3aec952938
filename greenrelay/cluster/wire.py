"""What nodes send each other: frames of msgpack.

Source: Cluster, "Rules", row Wire, and "What changes for a program". A frame is an array::

    [version, kind, epoch, seq, to, from, topic, ref, context, payload]

``epoch`` and ``seq`` are the session's (``session.py``), ``to`` and ``from`` are PIDs as text. The
first four fields are those of every version, so that a frame that is not known has a number, too.
``ref`` is what an answer refers to. The payload stays raw until somebody is there to take it. A
later version may append fields, which are passed by here; what is of an unknown version or kind is
counted and dropped, so that releases can be mixed.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from msgspec import Raw, Struct, msgpack

from greenrelay.core.pid import Pid
from greenrelay.core.plain import LEAVES, MAX_DEPTH, check_plain
from greenrelay.errors import UnsendablePayload

VERSION = 1
MAX_FRAME = 1024 * 1024
_PID, _UUID, _DATETIME = 1, 2, 3
_NOTHING = Raw(b"\xc0")
# A frame is an array of ten. With the largest numbers that msgpack knows, its head has 21 bytes:
# one each for array, version and kind, nine each for epoch and number.
_TEN, _MAX_NUMBER, _HEAD_BYTES = b"\x9a", 2**64 - 1, 21
# The same once more, as compiled code finds them without looking them up: for each frame.
_VERSION, _MAX_FRAME, _LEAVES, _Raw = VERSION, MAX_FRAME, LEAVES, Raw
# What the decoder raises for what is no frame, and the encoder for what is no plain data.
UNREADABLE = (ValueError, TypeError, RecursionError)
_UNFIT = (TypeError, OverflowError, UnicodeEncodeError, RecursionError)


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
    ENROL = 32
    INTEREST = 40
    FOLLOW = 41
    UNFOLLOW = 42
    MEMBERS = 43
    JOINED = 44
    LEFT = 45
    BROADCAST = 46


_KINDS = frozenset(int(kind) for kind in Kind)


class Frame(Struct, array_like=True, gc=False):
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
    payload: Raw = _NOTHING


class _Version(Struct, array_like=True, gc=False):
    version: int
    kind: Any


class _Head(Struct, array_like=True, gc=False):
    """What a frame of every release begins with."""

    version: int
    kind: int
    epoch: int
    seq: int


class Unknown(str):
    """Why a frame of a later release is passed by; ``head`` is the frame without what is not known.

    It has a number in its session all the same, None where it has none.
    """

    head: Frame | None = None


def read_extension(code: int, data: memoryview) -> object:
    """Return what msgpack does not know by itself; raises ValueError for what is unknown."""
    if code == _PID:
        return Pid.parse(str(data, "utf-8"))
    if code == _UUID:
        return UUID(bytes=bytes(data))
    if code == _DATETIME:
        return datetime.fromisoformat(str(data, "ascii"))
    raise ValueError(f"extension {code} is unknown")


_encoder = msgpack.Encoder()
_frame_decoder = msgpack.Decoder(Frame, ext_hook=read_extension)
_version_decoder = msgpack.Decoder(_Version)
_head_decoder = msgpack.Decoder(_Head)
_decoder = msgpack.Decoder(ext_hook=read_extension)
encode = _encode = _encoder.encode
_decode, _decode_frame = _decoder.decode, _frame_decoder.decode


def read_frame(data: bytes) -> Frame | str:
    """Return the frame that ``data`` is, or why it is none: a word to count by. Raises nothing."""
    if len(data) > _MAX_FRAME:
        return "too_large"
    try:
        frame: Frame = _decode_frame(data)
    except UNREADABLE:
        return _why_unreadable(data)
    return frame if is_known(frame) else why_unknown(frame)


def is_known(frame: Frame) -> bool:
    """Whether a frame is of a version and a kind that this release knows."""
    return frame.version == _VERSION and frame.kind in _KINDS


def why_unknown(frame: Frame | _Head) -> Unknown:
    """Return the word to count a frame by that is not known, with its number."""
    why = Unknown("unknown_version" if frame.version != VERSION else "unknown_kind")
    if frame.kind >= Kind.MESSAGE:
        why.head = Frame(frame.version, frame.kind, frame.epoch, frame.seq)
    return why


def _why_unreadable(data: bytes) -> str:
    # The frame of another version may have other fields, but begins as all do.
    with contextlib.suppress(*UNREADABLE):
        first = _head_decoder.decode(data)
        if first.version != VERSION or first.kind not in _KINDS:
            return why_unknown(first)
    try:
        head = _version_decoder.decode(data)
    except UNREADABLE:
        return "malformed"
    if head.version != VERSION:
        return "unknown_version"
    is_other = isinstance(head.kind, int) and head.kind not in _KINDS
    return "unknown_kind" if is_other else "malformed"


def pack(
    kind: int,
    epoch: int,
    seq: int,
    to: str,
    sender: str,
    topic: str,
    ref: int,
    context: object,
    payload: object,
) -> bytes:
    """Return a frame; ``payload`` is plain data, or what dump has made of it.

    Raises UnsendablePayload for what is none, and for a frame that is too large.
    """
    try:
        is_fit = type(payload) in _LEAVES or type(payload) is _Raw
        fit = payload if is_fit else _ready(payload, 0)
        frame = _encode((_VERSION, int(kind), epoch, seq, to, sender, topic, ref, context, fit))
    except _UNFIT as error:
        raise _unsendable(payload, "payload", error) from None
    if len(frame) > _MAX_FRAME:
        why = f"makes a frame of {len(frame)} bytes; {MAX_FRAME} at most"
        raise UnsendablePayload("payload", why)
    return frame


def pack_rest(
    to: str, sender: str, topic: str, ref: int, context: object, payload: object
) -> bytes:
    """Return what frames to several nodes have in common; each begins with what head returns.

    Raises UnsendablePayload as pack does.
    """
    # As the frame with the longest numbers, so that every one made of it is small enough.
    frame = pack(1, _MAX_NUMBER, _MAX_NUMBER, to, sender, topic, ref, context, payload)
    return frame[_HEAD_BYTES:]


def pack_head(kind: int, epoch: int, seq: int) -> bytes:
    """Return how a frame begins: before what pack_rest returns."""
    four: bytes = _encode((_VERSION, int(kind), epoch, seq))
    # The first byte says that it is an array of four.
    return _TEN + four[1:]


def load(raw: Raw) -> Any:
    """Return the value of a context or payload; raises ValueError for what is none."""
    try:
        return _decode(raw)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except TypeError as error:
        # A map whose key is a map.
        raise ValueError(str(error)) from None


def exact(text: str) -> str:
    """Return ``text`` as what can be encoded, also where it is a member of a StrEnum, or a PID."""
    return str.__str__(text)


def dump(value: object, where: str = "payload") -> Raw:
    """Return ``value`` as it travels; raises UnsendablePayload unless it is plain data."""
    try:
        data = _encode(value if type(value) in _LEAVES else _ready(value, 0))
    except _UNFIT as error:
        raise _unsendable(value, where, error) from None
    if len(data) > MAX_FRAME:
        raise UnsendablePayload(where, f"takes {len(data)} bytes; a frame has {MAX_FRAME} at most")
    return Raw(data)


def _unsendable(value: object, where: str, error: Exception) -> UnsendablePayload:
    try:
        check_plain(value, where)
    except UnsendablePayload as refusal:
        return refusal
    return UnsendablePayload(where, f"cannot be encoded: {error}")


def _ready(value: object, depth: int) -> object:
    """Return ``value`` with what msgpack does not know as extensions; the same if it needs none."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if depth == MAX_DEPTH:
        raise TypeError("too deep")
    if isinstance(value, dict) and kind is dict:
        is_flat = True
        for key, each in value.items():
            if type(key) is not str and type(key) is not Pid:
                raise TypeError("a key is no text")
            if type(each) not in _LEAVES:
                is_flat = False
        if is_flat:
            return value
        return {key: _ready(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)) and kind in (list, tuple):
        return [_ready(each, depth + 1) for each in value]
    if kind is Pid:
        return msgpack.Ext(_PID, str(value).encode())
    if isinstance(value, UUID) and kind is UUID:
        return msgpack.Ext(_UUID, value.bytes)
    if isinstance(value, datetime) and kind is datetime:
        return msgpack.Ext(_DATETIME, value.isoformat().encode())
    raise TypeError("no plain data")
