"""What a client may do with a connection of a server: how slow, how large.

Source: HTTP, "Entries", ``timeouts`` and ``limits``. The names are those of the attributes of a
``greenrelay.transport.server.Listener``, which says what each means.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from greenrelay.transport.head import HEAD_SIZE, HEAD_TIMEOUT


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds, and bytes of ``head_size``; 0 seconds are for ever."""

    head_timeout: float = HEAD_TIMEOUT
    head_size: int = HEAD_SIZE
    idle_timeout: float = 0.0
    write_timeout: float = 0.0

    def put_on(self, listener: Any) -> None:
        """Let a Listener, or a class of them, obey these."""
        for name, value in asdict(self).items():
            setattr(listener, name, value)
