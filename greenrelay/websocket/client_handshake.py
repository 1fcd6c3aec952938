"""The opening handshake of a client: what to ask for, and whether the answer is what was asked.

Source: RFC 6455, section 4.1 and 4.2.2; RFC 7692, section 7.1 (what a client takes for an answer).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from greenrelay.errors import HandshakeFailed
from greenrelay.websocket.client_address import Address
from greenrelay.websocket.deflate import MAX_WINDOW_BITS, NAME, WINDOW_BITS, Deflater, Inflater
from greenrelay.websocket.extension import Parameter, parse_extensions
from greenrelay.websocket.handshake import accept_key, header_line, is_token, wants_websocket

MAX_HEAD_SIZE = 64 * 1024
OFFER = f"{NAME}; client_max_window_bits"

_STATUS_LINE = re.compile(rb"HTTP/1\.\d ([1-5]\d\d)(?: [^\r\n]*)?", re.ASCII)
# What makes the request the one it has to be.
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_BITS = {str(bits): bits for bits in range(8, MAX_WINDOW_BITS + 1)}


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an HTTP answer; names are in lower case, equal ones joined with commas."""

    status: int
    headers: Mapping[str, str]

    def get(self, name: str) -> str:
        """Return a header, "" if it is absent."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Compression:
    """What the server agreed to, as the client uses it."""

    server_bits: int = MAX_WINDOW_BITS
    client_bits: int = WINDOW_BITS
    server_keeps_context: bool = True
    client_keeps_context: bool = True

    def inflater(self) -> Inflater:
        """Return what reads the server's messages."""
        return Inflater(self.server_bits, self.server_keeps_context)

    def deflater(self) -> Deflater:
        """Return what compresses ours."""
        return Deflater(self.client_bits, self.client_keeps_context)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a successful handshake has agreed on."""

    subprotocol: str | None
    compression: Compression | None


def request_head(
    address: Address,
    key: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    compression: bool = False,
) -> bytes:
    """Return the whole request for a WebSocket; ``key`` is base64 of 16 random bytes.

    Raises ValueError for a header that cannot be sent or is not the caller's to set, and for a
    subprotocol that is no name.
    """
    lines = [
        f"GET {address.resource} HTTP/1.1",
        f"Host: {address.authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    for name in subprotocols:
        if not isinstance(name, str) or not is_token(name):
            raise ValueError(f"subprotocol {name!r}: it must be a name without separators")
    if subprotocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}")
    if compression:
        lines.append(f"Sec-WebSocket-Extensions: {OFFER}")
    own = [_header_line(name, value) for name, value in headers]
    if address.credentials and not any(line.lower().startswith("authorization:") for line in own):
        lines.append(f"Authorization: {address.credentials}")
    return "\r\n".join([*lines, *own, "", ""]).encode("latin-1")


def read_answer(head: bytes) -> Answer:
    """Return the head of an answer, ``head`` being all up to the empty line; HandshakeFailed."""
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise HandshakeFailed(0, head[:1024], f"{first[:80]!r} is no status line of HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not is_token(name):
            raise HandshakeFailed(int(match[1]), b"", f"{line[:80]!r} is no header")
        lowered = name.lower()
        value = value.strip(" \t")
        headers[lowered] = f"{headers[lowered]}, {value}" if lowered in headers else value
    return Answer(int(match[1]), headers)


def check_answer(
    answer: Answer, key: str, subprotocols: Sequence[str], *, compression: bool
) -> Agreed:
    """Return what was agreed on with an answer of 101; raises HandshakeFailed."""

    def refuse(why: str) -> HandshakeFailed:
        return HandshakeFailed(answer.status, b"", why)

    upgrade, connection = answer.get("upgrade"), answer.get("connection")
    if not wants_websocket(upgrade, connection):
        found = f"Upgrade is {upgrade!r} and Connection {connection!r}"
        raise refuse(f"{found}; they must be 'websocket' and 'Upgrade'")
    accept = answer.get("sec-websocket-accept")
    if accept != accept_key(key):
        raise refuse(
            f"Sec-WebSocket-Accept is {accept!r}; it does not answer the key that was sent"
        )
    chosen = answer.headers.get("sec-websocket-protocol")
    if chosen is not None and chosen not in subprotocols:
        raise refuse(f"subprotocol {chosen!r} was not offered; {list(subprotocols)} were")
    extensions = answer.get("sec-websocket-extensions")
    try:
        return Agreed(chosen, _compression(extensions, is_offered=compression))
    except ValueError as error:
        raise refuse(str(error)) from error


def _compression(header: str, *, is_offered: bool) -> Compression | None:
    found = parse_extensions(header)
    if not found:
        return None
    if len(found) > 1 or found[0][0] != NAME or not is_offered:
        raise ValueError(f"Sec-WebSocket-Extensions is {header!r}, which was not offered")
    parameters = found[0][1]
    values = dict(parameters)
    if len(values) < len(parameters) or not all(map(_is_legal, parameters)):
        raise ValueError(f"Sec-WebSocket-Extensions is {header!r}, which agrees to nothing")
    client_bits = _BITS[values.get("client_max_window_bits") or str(WINDOW_BITS)]
    return Compression(
        server_bits=_BITS[values.get("server_max_window_bits") or str(MAX_WINDOW_BITS)],
        # A smaller window than the server could read is always right.
        client_bits=min(client_bits, WINDOW_BITS),
        server_keeps_context=_FLAGS[0] not in values,
        client_keeps_context=_FLAGS[1] not in values,
    )


def _is_legal(parameter: Parameter) -> bool:
    name, value = parameter
    if name in _FLAGS:
        return value is None
    return name in ("server_max_window_bits", "client_max_window_bits") and value in _BITS


def _header_line(name: str, value: str) -> str:
    if name.lower() in _OURS:
        raise ValueError(f"header {name}: it is the handshake's own, and not to be set")
    if not isinstance(value, str):
        raise ValueError(f"header {name}: {value!r} must be text without line breaks and NUL")
    return header_line(name, value)
