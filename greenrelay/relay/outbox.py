"""What waits to be written to one slow client, bounded in frames and in bytes.

Source: WebSocket Relay, "Slowness" and the options ``wsrelay.queue.*``.

Frames leave in order and whole: once a part of one is on the wire nothing may come before its
rest, so that frame is never dropped, save by a ``clear`` that ends the connection. Small frames
are joined into one chunk that is sent piece by piece, so each byte is copied once at most.
"""

from __future__ import annotations

from collections import deque

CHUNK_BYTES = 65536


class Outbox:
    """Frames of one connection that the kernel has not taken yet, oldest first."""

    __slots__ = (
        "_chunk",
        "_chunk_sent",
        "_frames",
        "_written",
        "limit_bytes",
        "limit_messages",
        "size_bytes",
    )

    def __init__(self, limit_messages: int = 256, limit_bytes: int = 1048576) -> None:
        self.limit_messages = limit_messages
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self._frames: deque[bytes] = deque()
        self._written = 0  # bytes of the oldest frame that are on the wire
        self._chunk: memoryview | None = None
        self._chunk_sent = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_partly_written(self) -> bool:
        """Whether the oldest frame is on the wire in part, so that its rest has to follow."""
        return self._written > 0

    def append(self, frame: bytes, *, written: int = 0) -> bool:
        """Take a frame and return True, or return False if that would pass a limit.

        ``written`` bytes of it are on the wire already: a direct send that stopped half-way.
        An empty outbox takes any one frame, for what has begun must end and a frame over the
        limit could never be sent at all.
        """
        frames = self._frames
        if frames:
            assert not written, "a frame was begun before those that wait"
            if len(frames) >= self.limit_messages:
                return False
            if self.size_bytes + len(frame) > self.limit_bytes:
                return False
        else:
            assert written < len(frame), "a frame that is all written has nothing to wait for"
            self._written = written
        frames.append(frame)
        self.size_bytes += len(frame) - written
        return True

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
        self._written = written
        assert not written or frames, "more was sent than there was"

    def drop_oldest(self) -> bool:
        """Drop the oldest frame no byte of which is on the wire; False if there is none."""
        index = 1 if self._written else 0
        if len(self._frames) <= index:
            return False
        self.size_bytes -= len(self._frames[index])
        del self._frames[index]
        self._chunk = None
        return True

    def clear(self, *, keep_begun: bool = False) -> None:
        """Drop all frames; ``keep_begun`` keeps one that is partly written, so a close can follow.

        Without it a connection whose outbox ``is_partly_written`` can only be dropped.
        """
        begun = self._frames[0] if keep_begun and self._written else b""
        self._frames.clear()
        self._chunk = None
        if begun:
            self._frames.append(begun)
        else:
            self._written = 0
        self.size_bytes = len(begun) - self._written

    def _join(self) -> bytes:
        """Return the oldest frame, and with it those after it that fit in one chunk."""
        frames = self._frames
        oldest = frames[0]
        size = len(oldest)
        if len(frames) == 1 or size >= CHUNK_BYTES:
            return oldest
        joined: list[bytes] = []
        size = 0
        for frame in frames:
            size += len(frame)
            if size > CHUNK_BYTES and joined:
                break
            joined.append(frame)
        return b"".join(joined)
