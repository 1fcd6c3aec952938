"""The reading side of a WebSocket server: bytes in, whole messages out, no socket in sight.

Source: RFC 6455, sections 5 to 8; RFC 7692, section 6; limits from WebSocket Relay, "Options".

Theory. A read is any piece of the byte stream, so it can end in four places, and only there:

* between frames: nothing is kept, and the next read starts at a head;
* inside a head or a control frame: these are at most 131 bytes, kept in ``_held`` and put before
  the next read;
* inside the payload of a data frame: what is there is unmasked and given to ``_message`` at once,
  ``_missing`` counts the rest. So no byte is looked at twice however small the reads are, and
  bad UTF-8 is refused where it is, not at the end of the frame;
* between the fragments of a message: ``_message`` waits for the next one, and control frames may
  come before it.

The first three and the end of the connection are ``_is_midway`` or not; the ordinary case, a
whole message in one frame in one read, is the loop of ``_read`` and touches no other state. What
a frame announces is checked before anything is kept of it, and memory grows with the bytes that
are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TypeAlias

from greenrelay.websocket.deflate import Inflater, wire_limit
from greenrelay.websocket.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    MAX_CONTROL_SIZE,
    PING,
    PONG,
    TEXT,
    apply_mask,
    is_sendable_code,
)
from greenrelay.websocket.message import BinaryMessage, CompressedMessage, TextMessage
from greenrelay.websocket.violation import NOT_UTF8, PROTOCOL_ERROR, TOO_BIG, Violation

ERROR = -1
NO_CODE = 1005

Received: TypeAlias = tuple[int, object]

_FINAL = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_RESERVED_SET = "reserved bit set without an extension"
_FINAL_TEXT = _FINAL | TEXT
_FINAL_BINARY = _FINAL | BINARY
# From this size on a memoryview is cheaper than the copy it avoids.
_WORTH_A_VIEW = 2048
_unpack_16_bit = Struct("!H").unpack_from
_unpack_64_bit = Struct("!Q").unpack_from


class Protocol:
    """What one client may send and what it means; ``receive`` is the only thing to call.

    ``max_message_size`` is in bytes of payload over all fragments, inflated; ``inflater`` is
    there when compression was agreed on.
    """

    __slots__ = (
        "_held",
        "_inflater",
        "_is_closed",
        "_is_last",
        "_is_midway",
        "_mask",
        "_message",
        "_missing",
        "max_fragments",
        "max_message_size",
    )

    def __init__(
        self,
        *,
        max_message_size: int = 65536,
        max_fragments: int = 1024,
        inflater: Inflater | None = None,
    ) -> None:
        self.max_message_size = max_message_size
        self.max_fragments = max_fragments
        self._inflater = inflater
        self._is_closed = False
        self._is_midway = False
        self._held = b""
        self._message: BinaryMessage | TextMessage | CompressedMessage | None = None
        self._is_last = True
        self._missing = 0
        self._mask = b""

    def receive(self, data: bytes) -> Sequence[Received]:
        """Return what became complete with ``data``, in order.

        Items are (TEXT, str), (BINARY, bytes), (PING, bytes), (PONG, bytes), (CLOSE, (code,
        reason)) with code 1005 when the client gave none, and (ERROR, (code, reason)) with the
        code to close with. After CLOSE or ERROR, always the last, all data is ignored.
        """
        received: list[Received] = []
        try:
            if not self._is_midway:
                self._read(data, 0, received)
            elif not self._is_closed:
                self._resume(data, received)
            else:
                return ()
        except Violation as violation:
            self._close()
            received.append((ERROR, (violation.code, violation.reason)))
        except UnicodeDecodeError as error:
            self._close()
            received.append((ERROR, (NOT_UTF8, f"text is not UTF-8: {error.reason}")))
        return received

    def _read(self, data: bytes, start: int, received: list[Received]) -> None:
        """Read the frames from ``start`` on: ordinary ones here, all others in ``_frame``."""
        end = len(data)
        limit = self.max_message_size
        while start < end:
            first = data[start]
            if (first != _FINAL_BINARY and first != _FINAL_TEXT) or end - start < 8:
                start = self._frame(data, start, received)
                continue
            size = data[start + 1] - _MASKED
            if size < 126:
                body = start + 6
                is_ordinary = 0 <= size <= limit
            elif size == 126:
                size = data[start + 2] << 8 | data[start + 3]
                body = start + 8
                is_ordinary = 125 < size <= limit
            else:
                body = start + 14
                # Compiled, no size with the highest bit fits; what is wrong with it is said below.
                size = (
                    -1 if data[start + 2] & 0x80 else int.from_bytes(data[start + 2 : start + 10])
                )
                is_ordinary = 65535 < size <= limit
            stop = body + size
            if not is_ordinary or stop > end or self._message is not None:
                start = self._frame(data, start, received)
                continue
            masked = data[body:stop] if size < _WORTH_A_VIEW else memoryview(data)[body:stop]
            payload = apply_mask(masked, data[body - 4 : body])
            if first == _FINAL_BINARY:
                received.append((BINARY, payload))
            else:
                received.append((TEXT, payload.decode()))
            start = stop

    def _close(self) -> None:
        self._is_closed = self._is_midway = True
        self._held = b""
        self._message = None

    def _resume(self, data: bytes, received: list[Received]) -> None:
        """Go on where the last read ended: inside a payload, or in what is held."""
        self._is_midway = False
        if self._missing:
            self._read(data, self._payload(data, 0, received), received)
            return
        held = self._held
        self._held = b""
        self._read(held + data, 0, received)

    def _hold(self, data: bytes, start: int) -> int:
        self._held = data[start:]
        self._is_midway = True
        return len(data)

    def _frame(self, data: bytes, start: int, received: list[Received]) -> int:
        """Read the frame at ``start`` as far as it is there; return where the next one starts."""
        if len(data) - start < 2:
            return self._hold(data, start)
        first, second = data[start], data[start + 1]
        opcode = first & 0x0F
        _check_head(first, second)
        if first & _RESERVED and (self._inflater is None or not _may_be_compressed(first)):
            raise Violation(PROTOCOL_ERROR, _RESERVED_SET)
        size = second & 0x7F
        body = start + (6 if size < 126 else 8 if size == 126 else 14)
        is_control = opcode >= CLOSE
        if len(data) < body + (size if is_control else 0):
            if not is_control and len(data) >= body - 4:
                self._refuse_early(first, _size_of(data, start, size))
            return self._hold(data, start)
        if is_control:
            payload = apply_mask(data[body : body + size], data[body - 4 : body])
            if opcode != CLOSE:
                received.append((opcode, payload))
                return body + size
            received.append((CLOSE, _read_close(payload)))
            self._close()
            return len(data)
        size = _size_of(data, start, size)
        self._open(first, size)
        self._is_last = bool(first & _FINAL)
        self._missing = size
        self._mask = data[body - 4 : body]
        return self._payload(data, body, received)

    def _open(self, first: int, size: int) -> None:
        """Begin a message or its next fragment of ``size`` bytes, if it may come now."""
        opcode = first & 0x0F
        message = self._message
        if opcode == CONTINUATION:
            if message is None:
                raise Violation(PROTOCOL_ERROR, "continuation frame without a message to continue")
        elif message is not None:
            raise Violation(PROTOCOL_ERROR, "new message inside a fragmented message")
        else:
            message = self._message = self._new_message(first)
        message.fragments += 1
        message.size += size
        if message.size > message.limit:
            raise Violation(TOO_BIG, f"message of {message.size} bytes is over {message.limit}")
        if message.fragments > self.max_fragments:
            limit = self.max_fragments
            raise Violation(TOO_BIG, f"message of {message.fragments} fragments is over {limit}")

    def _refuse_early(self, first: int, size: int) -> None:
        """Refuse a size that is too big while the mask of its frame is still to come."""
        message = self._message
        if (message is None) == (first & 0x0F == CONTINUATION):
            # It may not come at all, which is said once the head is whole.
            return
        message = message or self._new_message(first)
        total = message.size + size
        if total > message.limit:
            raise Violation(TOO_BIG, f"message of {total} bytes is over {message.limit}")

    def _new_message(self, first: int) -> BinaryMessage | TextMessage | CompressedMessage:
        limit = self.max_message_size
        plain = TextMessage(limit) if first & 0x0F == TEXT else BinaryMessage(limit)
        if not first & COMPRESSED:
            return plain
        assert self._inflater is not None, "a compressed message was agreed on"
        return CompressedMessage(self._inflater, plain, wire_limit(limit, self.max_fragments))

    def _payload(self, data: bytes, body: int, received: list[Received]) -> int:
        """Take the payload at ``body`` as far as it is there; return where it ends."""
        message = self._message
        assert message is not None, "a payload belongs to a message"
        stop = min(body + self._missing, len(data))
        message.add(apply_mask(memoryview(data)[body:stop], self._mask))
        count = stop - body
        self._missing -= count
        if self._missing:
            turn = count % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
            self._is_midway = True
        elif self._is_last:
            received.append(message.end())
            self._message = None
        return stop


def _check_head(first: int, second: int) -> None:
    opcode = first & 0x0F
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise Violation(PROTOCOL_ERROR, f"opcode {opcode} is not defined")
    if not second & _MASKED:
        raise Violation(PROTOCOL_ERROR, "frame from the client is not masked")
    if opcode < CLOSE:
        return
    if not first & _FINAL:
        raise Violation(PROTOCOL_ERROR, "control frame is fragmented")
    if second & 0x7F > MAX_CONTROL_SIZE:
        raise Violation(PROTOCOL_ERROR, f"control frame is over {MAX_CONTROL_SIZE} bytes")


def _may_be_compressed(first: int) -> bool:
    # Only the first frame of a message carries the bit.
    return first & _RESERVED == COMPRESSED and first & 0x0F in (TEXT, BINARY)


def _size_of(data: bytes, start: int, form: int) -> int:
    return form if form < 126 else _long_size(data, start + 2, form)


def _long_size(data: bytes, position: int, form: int) -> int:
    """Return the 16- or 64-bit size at ``position``; it must not have fitted in a shorter form."""
    unpack, least = (_unpack_16_bit, 126) if form == 126 else (_unpack_64_bit, 65536)
    size: int = unpack(data, position)[0]
    if size < least:
        raise Violation(PROTOCOL_ERROR, f"frame size {size} is not in its shortest form")
    if size >> 63:
        raise Violation(PROTOCOL_ERROR, "frame size has its highest bit set")
    return size


def _read_close(payload: bytes) -> tuple[int, str]:
    if not payload:
        return NO_CODE, ""
    if len(payload) == 1:
        raise Violation(PROTOCOL_ERROR, "close frame with a payload of 1 byte")
    reason = payload[2:].decode()
    code: int = _unpack_16_bit(payload)[0]
    if not is_sendable_code(code):
        raise Violation(PROTOCOL_ERROR, f"close code {code} is not allowed")
    return code, reason
