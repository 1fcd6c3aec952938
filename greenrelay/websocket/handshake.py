"""The opening handshake of a server, on plain strings: what to refuse, what to answer.

Source: RFC 6455, section 4; the statuses from WebSocket Relay, "Refusals before the upgrade".
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1

from greenrelay.websocket.extension import parse_extensions

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_SIZE = 16
_VERSION = "13"
_HTTP_VERSION = re.compile(r"(?:HTTP/)?(\d)(?:\.(\d))?", re.ASCII | re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE = re.compile(r"[\r\n\0]")
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
# A 101 has no body to describe, and the rest of the handshake is ours to say.
_DROPPED_PREFIXES = ("content-", "sec-websocket-")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The HTTP answer to a handshake that cannot be: one sentence of ``reason`` for the body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


NOT_AN_UPGRADE = Refusal(
    426,
    "This address speaks WebSocket only; ask for it with Upgrade: websocket.",
    (("Upgrade", "websocket"),),
)


def wants_websocket(upgrade: str, connection: str) -> bool:
    """Whether the Upgrade and Connection headers ("" if absent) ask for a WebSocket."""
    return "websocket" in _tokens(upgrade.lower()) and "upgrade" in _tokens(connection.lower())


def check(
    method: str, http_version: str, version: str, key: str, extensions: str = ""
) -> Refusal | None:
    """Return why this upgrade request is refused, or None.

    ``http_version`` is ``"HTTP/1.1"`` or ``"1.1"``; ``version``, ``key`` and ``extensions`` are
    the headers Sec-WebSocket-Version, -Key and -Extensions, "" if absent.
    """
    if method != "GET":
        return Refusal(400, f"The method is {method!r}; a WebSocket is opened with GET.")
    if not _is_http_1_1(http_version):
        return Refusal(400, f"The request is {http_version!r}; a WebSocket needs HTTP/1.1.")
    if version.strip() != _VERSION:
        found = f"is {version!r}" if version else "is missing"
        headers = (("Sec-WebSocket-Version", _VERSION), ("Upgrade", "websocket"))
        return Refusal(426, f"Sec-WebSocket-Version {found}; it must be {_VERSION}.", headers)
    if not key:
        return Refusal(400, "Sec-WebSocket-Key is missing.")
    if not _is_key(key.strip()):
        return Refusal(400, f"Sec-WebSocket-Key is not {_KEY_SIZE} bytes in base64.")
    try:
        parse_extensions(extensions)
    except ValueError as error:
        return Refusal(400, f"{error}.")
    return None


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept value for a checked Sec-WebSocket-Key."""
    digest = sha1(key.strip().encode() + _GUID, usedforsecurity=False).digest()
    return b64encode(digest).decode()


def offered_subprotocols(header: str) -> list[str]:
    """Return the names in a Sec-WebSocket-Protocol header ("" if absent), in the client's order."""
    return _tokens(header)


def choose_subprotocol(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """Return the first of ``supported`` the client also offers, or None."""
    return next((name for name in supported if name in offered), None)


def is_token(name: str) -> bool:
    """Whether ``name`` can be a subprotocol's: RFC 6455, section 4.1."""
    return _TOKEN.fullmatch(name) is not None


def response_head(
    key: str,
    *,
    subprotocol: str | None = None,
    extensions: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return the whole head of the 101 answer, ``headers`` being the application's own.

    ``extensions`` is what was agreed on, as it is written.

    Of those the hop-by-hop ones, Content-* and Sec-WebSocket-* are left out. Raises ValueError
    for a name that is not a token and for a value with a line break or outside Latin-1.
    """
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    ]
    if subprotocol is not None:
        lines.append(header_line("Sec-WebSocket-Protocol", subprotocol))
    if extensions is not None:
        lines.append(header_line("Sec-WebSocket-Extensions", extensions))
    for name, value in headers:
        lowered = name.lower()
        if lowered in HOP_BY_HOP or lowered.startswith(_DROPPED_PREFIXES):
            continue
        lines.append(header_line(name, value))
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def header_line(name: str, value: str) -> str:
    """Return a header as it is sent; raises ValueError for what would break the head."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: it must be a token")
    if _UNSAFE.search(value):
        raise ValueError(
            f"header {name}: {value!r} has a line break or NUL in it; it must be without"
        )
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"header {name}: {value!r} is not Latin-1") from error
    return f"{name}: {value}"


def _tokens(header: str) -> list[str]:
    return [token for part in header.split(",") if (token := part.strip())]


def _is_http_1_1(http_version: str) -> bool:
    match = _HTTP_VERSION.fullmatch(http_version)
    return match is not None and (int(match[1]), int(match[2] or 0)) >= (1, 1)


def _is_key(key: str) -> bool:
    try:
        return len(b64decode(key, validate=True)) == _KEY_SIZE
    except ValueError:
        return False
