"""A message that is still coming in, in one buffer however many its fragments and reads are.

Source: RFC 6455, section 5.4 (fragmentation) and section 8.1 (text is UTF-8).
"""

from __future__ import annotations

import codecs
from io import StringIO

from greenrelay.websocket.frames import BINARY, TEXT

_new_decoder = codecs.getincrementaldecoder("utf-8")


class BinaryMessage:
    """A binary message; ``size`` is what its heads announced so far, in bytes."""

    __slots__ = ("_data", "fragments", "size")

    def __init__(self) -> None:
        self.size = 0
        self.fragments = 0
        self._data = bytearray()

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the payload, unmasked."""
        self._data += piece

    def end(self) -> tuple[int, bytes]:
        """Return (BINARY, the whole message)."""
        return BINARY, bytes(self._data)


class TextMessage:
    """A text message; ``size`` is what its heads announced so far, in bytes."""

    __slots__ = ("_decoder", "_text", "fragments", "size")

    def __init__(self) -> None:
        self.size = 0
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
