"""What a client sends to a NATS server, as bytes; pure.

Source: the NATS client protocol, "Protocol messages", and ADR-4 of NATS for headers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

PING = b"PING\r\n"
PONG = b"PONG\r\n"
_VERSION = b"NATS/1.0"


def publish(subject: bytes, data: bytes, reply: bytes = b"", header: bytes = b"") -> bytes:
    """Return a message to ``subject``; ``header`` is what ``header_of`` has made, or b""."""
    answer = reply + b" " if reply else b""
    if not header:
        return b"PUB %b %b%d\r\n%b\r\n" % (subject, answer, len(data), data)
    size = len(header)
    return b"HPUB %b %b%d %d\r\n%b%b\r\n" % (subject, answer, size, size + len(data), header, data)


def subscribe(subject: bytes, sid: int) -> bytes:
    """Return the wish for what comes to ``subject``, under the number ``sid``."""
    return b"SUB %b %d\r\n" % (subject, sid)


def unsubscribe(sid: int) -> bytes:
    """Return the end of subscription ``sid``."""
    return b"UNSUB %d\r\n" % sid


def connect(options: Mapping[str, object]) -> bytes:
    """Return the first command of a connection."""
    return b"CONNECT " + json.dumps(options, separators=(",", ":")).encode() + b"\r\n"


def header_of(fields: Mapping[str, str]) -> bytes:
    """Return a header; names and values are ours, and have no line breaks."""
    lines = [f"{name}: {value}\r\n".encode() for name, value in fields.items()]
    return b"".join((_VERSION, b"\r\n", *lines, b"\r\n"))


def status_of(header: bytes) -> int:
    """Return the status in a header's first line, 0 when it has none."""
    first, _, _ = header.partition(b"\r\n")
    word = first[len(_VERSION) : len(_VERSION) + 4].strip()
    return int(word) if word.isdigit() else 0


def fields_of(header: bytes) -> dict[str, str]:
    """Return the fields of a header; a name that comes twice has its first value."""
    fields: dict[str, str] = {}
    for line in header.decode("utf-8", "replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields
