"""A message that is still coming in, in one buffer however many its fragments and reads are.

Source: RFC 6455, section 5.4 (fragmentation) and section 8.1 (text is UTF-8); RFC 7692, section
6.2 (a compressed message is inflated piece by piece, so both limits hold inside it).
"""

from __future__ import annotations

import codecs
from io import StringIO

from greenrelay.websocket.deflate import Inflater
from greenrelay.websocket.frames import BINARY, TEXT

_new_decoder = codecs.getincrementaldecoder("utf-8")


class BinaryMessage:
    """A binary message; ``size`` is what its heads announced so far, ``limit`` what they may."""

    __slots__ = ("_data", "fragments", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.limit = limit
        self.fragments = 0
        self._data = bytearray()

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the payload, unmasked."""
        self._data += piece

    def end(self) -> tuple[int, bytes]:
        """Return (BINARY, the whole message)."""
        return BINARY, bytes(self._data)


class TextMessage:
    """A text message; ``size`` is what its heads announced so far, ``limit`` what they may."""

    __slots__ = ("_decoder", "_text", "fragments", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.limit = limit
        self.fragments = 0
        self._decoder = _new_decoder()
        self._text = StringIO()

    def add(self, piece: bytes) -> None:
        """Take the next bytes, unmasked; raise UnicodeDecodeError where they are not UTF-8."""
        self._text.write(self._decoder.decode(piece))
        # Python waits for the third byte of a surrogate; its second one is bad enough.
        begun = self._decoder.getstate()[0]
        if begun[:1] == b"\xed" and begun[1:] > b"\x9f":
            raise UnicodeDecodeError("utf-8", begun, 0, 1, "invalid continuation byte")

    def end(self) -> tuple[int, str]:
        """Return (TEXT, the whole message); raise UnicodeDecodeError if a character is cut off."""
        self._decoder.decode(b"", True)
        return TEXT, self._text.getvalue()


class CompressedMessage:
    """A compressed message around the plain one; ``size`` and ``limit`` are those of the wire."""

    __slots__ = ("_inflater", "_plain", "fragments", "limit", "size")

    def __init__(
        self, inflater: Inflater, plain: BinaryMessage | TextMessage, wire_limit: int
    ) -> None:
        self.size = 0
        self.limit = wire_limit
        self.fragments = 0
        self._plain = plain
        self._inflater = inflater
        inflater.begin(plain.limit)

    def add(self, piece: bytes) -> None:
        """Take the next bytes, unmasked; raise Violation or UnicodeDecodeError at the bad one."""
        self._plain.add(self._inflater.add(piece))

    def end(self) -> tuple[int, str | bytes]:
        """Return (TEXT or BINARY, the whole message, inflated)."""
        self._plain.add(self._inflater.end())
        return self._plain.end()
