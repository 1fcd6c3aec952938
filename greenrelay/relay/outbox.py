"""What waits to be written to one slow client, bounded in frames and in bytes.

Source: WebSocket Relay, "Slowness" and the options ``wsrelay.queue.*``.

Frames leave in order and whole: once a part of one is on the wire nothing may come before its
rest, so that frame is never dropped, save by a ``clear`` that ends the connection. Small frames
are joined into one chunk that is sent piece by piece, so each byte is copied once at most.

TLS goes further: what it was once asked to send it may have encrypted, and it has to be asked for
the same bytes again. With ``keeps_tried`` a frame counts as begun from the moment it was tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

CHUNK_BYTES = 65536


class Outbox:
    """Frames of one connection that the kernel has not taken yet, oldest first."""

    __slots__ = (
        "_chunk",
        "_chunk_sent",
        "_frames",
        "_tried",
        "_waiters",
        "_written",
        "keeps_tried",
        "limit_bytes",
        "limit_messages",
        "size_bytes",
    )

    def __init__(
        self,
        limit_messages: int = 256,
        limit_bytes: int = 1048576,
        *,
        keeps_tried: bool = False,
    ) -> None:
        self.limit_messages = limit_messages
        self.limit_bytes = limit_bytes
        self.keeps_tried = keeps_tried
        self.size_bytes = 0
        self._frames: deque[bytes] = deque()
        self._written = 0  # bytes of the oldest frame that are on the wire
        self._chunk: memoryview | None = None
        self._chunk_sent = 0
        self._tried = 0  # how many of the oldest frames were tried
        self._waiters: list[Callable[[], object]] | None = None

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_partly_written(self) -> bool:
        """Whether the oldest frame is on the wire in part, so that its rest has to follow."""
        return self._written > 0

    def append(self, frame: bytes, *, written: int = 0, is_last: bool = False) -> bool:
        """Take a frame and return True, or return False if that would pass a limit.

        ``written`` bytes of it are on the wire already: a direct send that stopped half-way. The
        first frame of an empty outbox is one that was tried directly; it is taken whatever its
        size, for what has begun must end and a frame over the limit could never be sent at all.
        One that ``is_last``, such as a close frame, is not bound to the limits either.
        """
        frames = self._frames
        if frames:
            assert not written, "a frame was begun before those that wait"
            if not is_last and not self.has_room(len(frame)):
                return False
        else:
            assert written < len(frame), "a frame that is all written has nothing to wait for"
            self._written = written
            self._tried = 1
        frames.append(frame)
        self.size_bytes += len(frame) - written
        return True

    def has_room(self, size_bytes: int) -> bool:
        """Whether a frame of that size may wait here as well."""
        return (
            len(self._frames) < self.limit_messages
            and self.size_bytes + size_bytes <= self.limit_bytes
        )

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when half of both limits is free, or nothing waits any more."""
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(function)

    def peek(self) -> memoryview:
        """Return what to send next: some whole frames, 64 KiB at most, or one large one's rest.

        The outbox must not be empty. What the kernel took of it is told to ``sent``.
        """
        chunk = self._chunk
        if chunk is None:
            chunk = self._chunk = memoryview(self._join())
            self._chunk_sent = self._written
        return chunk[self._chunk_sent :]

    def sent(self, count: int) -> None:
        """Take ``count`` bytes out, those the kernel took of the last ``peek``."""
        frames = self._frames
        self.size_bytes -= count
        self._chunk_sent += count
        if self._chunk is not None and self._chunk_sent == len(self._chunk):
            self._chunk = None
        written = self._written + count
        while frames and written >= len(frames[0]):
            written -= len(frames.popleft())
            self._tried -= 1
        self._written = written
        self._tried = max(self._tried, 1 if written else 0)
        assert not written or frames, "more was sent than there was"
        if self._waiters is not None and self._is_half_empty():
            self._tell_room()

    def drop_oldest(self) -> bytes | None:
        """Drop the oldest frame that may be dropped and return it; None if there is none.

        No byte of it is on the wire, and TLS has not seen it.
        """
        index = self._begun()
        if len(self._frames) <= index:
            return None
        frame = self._frames[index]
        self.size_bytes -= len(frame)
        del self._frames[index]
        if not self.keeps_tried:
            self._chunk = None
        return frame

    def clear(self, *, keep_begun: bool = False) -> None:
        """Drop all frames; ``keep_begun`` keeps those that have begun, so a close can follow.

        Without it a connection whose outbox ``is_partly_written`` can only be dropped.
        """
        if keep_begun:
            while self.drop_oldest() is not None:
                pass
        else:
            self._frames.clear()
            self._chunk = None
            self._written = self._tried = self.size_bytes = 0
        self._tell_room()

    def _begun(self) -> int:
        """Return how many of the oldest frames have to follow what is on the wire."""
        if self.keeps_tried:
            return self._tried
        return 1 if self._written else 0

    def _is_half_empty(self) -> bool:
        return (
            len(self._frames) * 2 <= self.limit_messages and self.size_bytes * 2 <= self.limit_bytes
        ) or not self._frames

    def _tell_room(self) -> None:
        waiters, self._waiters = self._waiters, None
        for function in waiters or ():
            function()

    def _join(self) -> bytes:
        """Return the oldest frame, and with it those after it that fit in one chunk."""
        frames = self._frames
        oldest = frames[0]
        self._tried = max(self._tried, 1)
        if len(frames) == 1 or len(oldest) >= CHUNK_BYTES:
            return oldest
        joined: list[bytes] = []
        size = 0
        for frame in frames:
            size += len(frame)
            # What TLS was asked for once has to be there again, however large it is by now.
            if size > CHUNK_BYTES and len(joined) >= max(1, self._begun()):
                break
            joined.append(frame)
        self._tried = max(self._tried, len(joined))
        return b"".join(joined)
