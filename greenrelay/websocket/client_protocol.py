"""What differs on the client's side: frames that come have no mask, frames that go have one.

Source: RFC 6455, section 5.1 (masking) and section 5.3 (what a mask is).

Theory. A frame to a server is a frame to a client with a mask bit and four bytes more, and a mask
of zeros changes nothing. So a client reads with the server's ``Protocol``, every rule and limit of
it: ``ClientProtocol`` only gives each head that comes the mask it lacks. It looks at heads alone,
which are at most 10 bytes, and passes payloads on as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct

from greenrelay.websocket.deflate import Inflater
from greenrelay.websocket.frames import CLOSE, apply_mask
from greenrelay.websocket.protocol import ERROR, Protocol, Received
from greenrelay.websocket.violation import PROTOCOL_ERROR

KEY_SIZE = 4

_MASKED = 0x80
_NO_MASK = bytes(KEY_SIZE)
_unpack_16_bit = Struct("!H").unpack_from
_unpack_64_bit = Struct("!Q").unpack_from


class ClientProtocol(Protocol):
    """What a server may send and what it means; the rest is the Protocol's.

    A frame that is masked is an ERROR, as one that is not is to a server.
    """

    __slots__ = ("_head", "_is_over", "_left")

    def __init__(
        self,
        *,
        max_message_size: int = 16 * 1024 * 1024,
        max_fragments: int = 1 << 18,
        inflater: Inflater | None = None,
    ) -> None:
        super().__init__(
            max_message_size=max_message_size, max_fragments=max_fragments, inflater=inflater
        )
        # A head that is not whole yet, and what is still to come of the payload.
        self._head = b""
        self._left = 0
        self._is_over = False

    def receive(self, data: bytes) -> Sequence[Received]:
        """Return what became complete with ``data``, in order, as the Protocol's ``receive``."""
        if self._is_over:
            return ()
        pieces: list[bytes] = []
        self._give_masks(self._head + data if self._head else data, pieces)
        received = super().receive(b"".join(pieces)) if pieces else []
        if self._is_over and not (received and received[-1][0] in (CLOSE, ERROR)):
            error = (PROTOCOL_ERROR, "frame from the server is masked")
            return [*received, (ERROR, error)]
        return received

    def _give_masks(self, data: bytes, pieces: list[bytes]) -> None:
        """Put ``data`` into ``pieces``, each head with a mask; keep a head that is not whole."""
        self._head = b""
        start, end = 0, len(data)
        if self._left:
            start = min(self._left, end)
            self._left -= start
            pieces.append(data[:start])
        while start < end:
            body = start + (_head_size(data[start + 1]) if end - start > 1 else 2)
            if end - start > 1 and data[start + 1] & _MASKED:
                self._is_over = True
                return
            if body > end:
                self._head = data[start:]
                return
            size = _payload_size(data, start)
            stop = min(body + size, end)
            self._left = body + size - stop
            second = data[start + 1] | _MASKED
            head = bytes((data[start], second)) + data[start + 2 : body]
            pieces += (head, _NO_MASK, data[body:stop])
            start = stop


def masked(frames: bytes, new_key: Callable[[], bytes]) -> bytes:
    """Return whole unmasked ``frames`` with a mask each, of four bytes of ``new_key()``.

    A server must not be able to guess them: RFC 6455, section 10.3.
    """
    pieces: list[bytes] = []
    start, end = 0, len(frames)
    while start < end:
        body = start + _head_size(frames[start + 1])
        stop = body + _payload_size(frames, start)
        key = new_key()
        second = frames[start + 1] | _MASKED
        payload = apply_mask(memoryview(frames)[body:stop], key)
        pieces += (frames[start : start + 1], bytes((second,)), frames[start + 2 : body])
        pieces += (key, payload)
        start = stop
    return b"".join(pieces)


def _head_size(second: int) -> int:
    form = second & 0x7F
    return 2 if form < 126 else 4 if form == 126 else 10


def _payload_size(data: bytes, start: int) -> int:
    form = data[start + 1] & 0x7F
    if form < 126:
        return form
    unpack = _unpack_16_bit if form == 126 else _unpack_64_bit
    size: int = unpack(data, start + 2)[0]
    return size
