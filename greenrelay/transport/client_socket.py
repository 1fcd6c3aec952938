"""The socket of a client: like a server's, but what is written gets a mask.

Source: RFC 6455, section 5.3.
"""

from __future__ import annotations

from os import urandom

from greenrelay.transport.socket import ClientSocket
from greenrelay.websocket.client_protocol import KEY_SIZE, masked


class MaskingSocket(ClientSocket):
    """A socket to a server; ``write`` takes whole unmasked frames."""

    __slots__ = ()

    def write(self, data: bytes, *, is_last: bool = False) -> bool:
        """Mask and write or queue ``data``; False when the queue is full and took nothing."""
        return super().write(masked(data, _new_key), is_last=is_last)


def _new_key() -> bytes:
    return urandom(KEY_SIZE)
