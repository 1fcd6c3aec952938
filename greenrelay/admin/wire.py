"""What goes over the socket of a running program: one JSON value a line, in either direction.

A request is ``{"command": name, "arguments": {…}}``. What comes back is any number of
``{"part": …}``, then one ``{"result": …}`` or ``{"error": text}``, and the connection is closed.
"""

from __future__ import annotations

import dataclasses
import json
from typing import IO

# A request is small; an answer is as long as it is.
MAX_REQUEST_BYTES = 1024 * 1024


def encode(value: object) -> bytes:
    """Return a value as a line; what JSON has no form for is its text."""
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    # Half of a character has no form in UTF-8; its escape is the one that JSON has as well.
    return text.encode(errors="backslashreplace") + b"\n"


def decode(line: bytes) -> dict[str, object]:
    """Return the map in a line; raises ValueError."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError(f"is {found!r}; it must be a map")
    return found


def read_request(stream: IO[bytes]) -> bytes:
    """Return the line of a request, b"" at the end; raises ValueError for one that is too long."""
    line = stream.readline(MAX_REQUEST_BYTES + 1)
    if len(line) > MAX_REQUEST_BYTES:
        raise ValueError(f"a line is longer than {MAX_REQUEST_BYTES} bytes")
    return line


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)
