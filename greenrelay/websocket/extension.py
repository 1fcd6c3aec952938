"""The header Sec-WebSocket-Extensions: which extensions a client offers, in its order.

Source: RFC 6455, section 9.1.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Parameter: TypeAlias = tuple[str, str | None]
Extension: TypeAlias = tuple[str, tuple[Parameter, ...]]

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\x09\x20-\x7e])*"'
_NAME = re.compile(rf"[ \t]*({_TOKEN})[ \t]*")
_PARAMETER = re.compile(rf";[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*({_TOKEN}|{_QUOTED})[ \t]*)?")
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t]*)+|[ \t]*\Z")
_EMPTY = re.compile(r"[ \t,]*")
_WHOLE_TOKEN = re.compile(_TOKEN)
_ESCAPE = re.compile(r"\\(.)")


def parse_extensions(header: str) -> list[Extension]:
    """Return the (name, parameters) that a header names, a parameter being (name, value or None).

    Several headers are joined with commas; "" is none. Raises ValueError where it is no such list;
    RFC 6455, 9.1 wants the connection to fail then.
    """
    found: list[Extension] = []
    position = _skip(_EMPTY, header, 0)
    while position < len(header):
        name = _NAME.match(header, position)
        if name is None:
            raise _error(header, position, "the name of an extension")
        position = name.end()
        parameters: list[Parameter] = []
        while (match := _PARAMETER.match(header, position)) is not None:
            parameters.append((match[1], _value(header, match)))
            position = match.end()
        found.append((name[1], tuple(parameters)))
        position = _skip(_SEPARATOR, header, position)
    return found


def _skip(pattern: re.Pattern[str], header: str, position: int) -> int:
    match = pattern.match(header, position)
    if match is None:
        raise _error(header, position, '";", "," or the end')
    return match.end()


def _value(header: str, match: re.Match[str]) -> str | None:
    text: str | None = match[2]
    if text is None or not text.startswith('"'):
        return text
    text = _ESCAPE.sub(r"\1", text[1:-1])
    if not _WHOLE_TOKEN.fullmatch(text):
        raise _error(header, match.start(2), "a token inside the quotes")
    return text


def _error(header: str, position: int, wanted: str) -> ValueError:
    found = header[position : position + 20] or "the end"
    return ValueError(
        f"Sec-WebSocket-Extensions: {found!r} at character {position}; it must be {wanted}"
    )
