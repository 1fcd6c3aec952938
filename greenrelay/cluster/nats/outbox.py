"""What waits to be written to the server: commands, and behind them frames; pure.

Commands are of a connection and end with it. Frames outlive it: they go out on the next one, in
their order. Those that were being written when it broke are lost, as nobody can know how far they
came; so a frame is sent at most once.
"""

from __future__ import annotations

MAX_SIZE = 8 * 1024 * 1024
# Far more than a server makes necessary that takes any.
MAX_COMMANDS = 65_536


class Outbox:
    """Two queues; that of frames has ``max_size`` bytes at most, with what is being written.

    A command needs no room, but ``is_stuck`` when MAX_COMMANDS wait.
    """

    __slots__ = ("_commands", "_frames", "_max_size", "_size", "_written", "is_empty")

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._commands: list[bytes] = []
        self._frames: list[bytes] = []
        self._size = 0
        self._written = 0
        self.is_empty = True

    @property
    def size(self) -> int:
        """How many bytes of frames wait or are being written."""
        return self._size

    @property
    def is_stuck(self) -> bool:
        """Whether so many commands wait that the server cannot be taking any."""
        return len(self._commands) >= MAX_COMMANDS

    def command(self, command: bytes) -> None:
        """Append a command."""
        self._commands.append(command)
        self.is_empty = False

    def frame(self, frame: bytes) -> bool:
        """Append a frame; False when there is no room."""
        size = self._size + len(frame)
        if size > self._max_size:
            return False
        self._size = size
        self._frames.append(frame)
        self.is_empty = False
        return True

    def take(self) -> bytes:
        """Return all there is, to be written; ``written`` must follow."""
        frames = b"".join(self._frames)
        self._written = len(frames)
        chunk = b"".join(self._commands) + frames if self._commands else frames
        self._commands.clear()
        self._frames.clear()
        self.is_empty = True
        return chunk

    def written(self) -> None:
        """Make room: what was taken is written, or lost."""
        self._size -= self._written
        self._written = 0

    def forget_commands(self) -> None:
        """Drop the commands: their connection has ended."""
        self._commands.clear()
        self.is_empty = not self._frames

    def forget_frames(self) -> int:
        """Drop the frames that wait; return how many they were."""
        count = len(self._frames)
        self._frames.clear()
        self._size = self._written
        self.is_empty = not self._commands
        return count
