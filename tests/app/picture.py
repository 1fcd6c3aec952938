"""A picture for the tests, drawn and encoded without help."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path


def write_png(path: Path, width: int, height: int) -> Path:
    """Write a landscape to a PNG file: a sky at dusk over three ranges of hills."""
    rows = (
        b"\x00" + b"".join(_colour(x / width, y / height) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + _chunk(b"IEND", b"")
    )
    return path


def _colour(x: float, y: float) -> bytes:
    hills = (
        (0.80 + 0.06 * math.sin(5 * x + 2), (10, 46, 36)),
        (0.68 + 0.09 * math.sin(7 * x), (22, 84, 64)),
        (0.56 + 0.07 * math.sin(4 * x + 1), (58, 128, 98)),
    )
    for top, colour in hills:
        if y > top:
            return bytes(colour)
    if (x - 0.7) ** 2 + ((y - 0.3) * 0.5625) ** 2 < 0.004:
        return bytes((255, 246, 214))
    return bytes((int(250 - 40 * y), int(214 - 150 * (0.6 - y) ** 2), int(150 + 90 * y)))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
