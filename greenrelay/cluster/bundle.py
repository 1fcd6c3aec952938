"""Frames to one node, joined: what is sent in one turn of the loop goes out as few messages.

Source: Cluster, "Rules", row Wire. An engine and its server have about as much to do for a message
of 300 bytes as for one of 16 KiB. So the first frame in a turn of the loop goes out at once, and
those that follow are kept until the turn is over, or there are ``BUNDLE_BYTES`` of them, and go out
together, in their order: as a bundle, ``[version, 60, [frame, …]]``.

Who reads bundles says so in its HELLO, whose context is a number then, of which ``BUNDLES`` is one
bit. A release that does not gets none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct, msgpack

from greenrelay.cluster import wire
from greenrelay.cluster.wire import MAX_FRAME, UNREADABLE, Frame, read_extension
from greenrelay.errors import EngineError

BUNDLE_BYTES = 16 * 1024
# How a bundle begins.
_HEAD = b"\x93\x01\x3c"


class _Frames(Struct, array_like=True, gc=False):
    version: int
    kind: int
    frames: list[Frame]


class _Raws(Struct, array_like=True, gc=False):
    version: int
    kind: int
    frames: list[Raw]


_decode = msgpack.Decoder(_Frames, ext_hook=read_extension).decode
_decode_raws = msgpack.Decoder(_Raws).decode


class Bundle:
    """What has not gone out yet; ``send`` takes bytes, or returns False when it cannot now.

    ``later`` calls a function when this turn of the loop is over, ``count`` is told a word and how
    many frames were dropped.
    """

    __slots__ = ("_count", "_frames", "_is_due", "_later", "_send", "_size")

    def __init__(
        self,
        send: Callable[[bytes], bool],
        later: Callable[[Callable[[], object]], Any],
        count: Callable[[str, int], object],
    ) -> None:
        self._send = send
        self._later = later
        self._count = count
        self._frames: list[bytes] = []
        self._size = 0
        self._is_due = False

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: bytes) -> bool:
        """Take a frame; False, as long as what was taken before cannot be sent.

        Raises what ``send`` raises for a large frame, and then has not taken it.
        """
        size = len(frame)
        if self._size + size > BUNDLE_BYTES and not self.flush():
            return False
        if not self._is_due:
            self._is_due = True
            self._later(self.on_turn)
        elif size <= BUNDLE_BYTES:
            self._keep(frame, size)
            return True
        return self.flush() and self._send(frame)

    def _keep(self, frame: bytes, size: int) -> None:
        self._frames.append(frame)
        self._size += size

    def on_turn(self) -> None:
        """Send what there is, as the turn of the loop is over."""
        self._is_due = False
        self.flush()

    def flush(self) -> bool:
        """Send what there is; False, and it is kept, when that cannot be now."""
        frames = self._frames
        if not frames:
            return True
        try:
            if not self._send(frames[0] if len(frames) == 1 else join(frames)):
                return False
        except EngineError:
            # A server that takes so little is of no use; the sessions find out what is missing.
            self._count("bundle_refused", len(frames))
        self.clear()
        return True

    def clear(self) -> None:
        """Forget what there is."""
        self._frames = []
        self._size = 0


def join(frames: list[bytes]) -> bytes:
    """Return several frames as one; there may be 65,535."""
    # An array of as many elements as 16 bits say.
    return b"".join((_HEAD, b"\xdc", len(frames).to_bytes(2, "big"), *frames))


def read(data: bytes) -> list[Frame | str]:
    """Return the frames in ``data``, which is one or a bundle; for what is none, a word.

    It is a word to count by, and nothing is raised.
    """
    if data[:3] != _HEAD:
        return [wire.read_frame(data)]
    if len(data) > MAX_FRAME:
        return ["too_large"]
    try:
        frames = _decode(data).frames
    except UNREADABLE:
        # One of them may be of a later release, and the others are not.
        return _read_apart(data)
    return [frame if wire.is_known(frame) else wire.why_unknown(frame) for frame in frames]


def _read_apart(data: bytes) -> list[Frame | str]:
    try:
        raws = _decode_raws(data).frames
    except UNREADABLE:
        return ["malformed"]
    return [wire.read_frame(bytes(raw)) for raw in raws]
