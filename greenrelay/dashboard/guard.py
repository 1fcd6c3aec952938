"""Whether a request comes from this very machine, as far as that can be told.

Source: Operations, "Dashboard" (loopback only unless a password or a policy is set).

Theory. Three things look like this machine and are not. A proxy here that hands on what strangers
ask: it mostly adds a header that names them, or speaks HTTP/1.0, which no browser does. A page of a
stranger whose name was made to mean 127.0.0.1 (DNS rebinding): then Host is that name. A Unix
socket, where only a proxy is at the other end. What is left is a proxy that adds nothing at all and
speaks HTTP/1.1, and so the page of the documentation asks for a password behind any proxy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

# What a proxy says of whom it asks for.
_FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_REAL_IP",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_CF_CONNECTING_IP",
    "HTTP_X_CLIENT_IP",
)
# What only a proxy says, whoever it asks for.
_BETWEEN = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_HOST")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?")


def why_not_local(environ: Mapping[str, object]) -> str:
    """Return what tells that a request is not of this machine, "" for one that seems to be."""
    address = _text(environ, "REMOTE_ADDR")
    if not is_loopback(address):
        return f"it comes from {address or 'a Unix socket'}"
    for name in _FORWARDED:
        for each in _text(environ, name).split(","):
            if each.strip() and not is_loopback(each.strip()):
                return f"a proxy asks for {each.strip()}"
    if any(_text(environ, name) for name in _BETWEEN):
        return "a proxy stands between"
    if _text(environ, "SERVER_PROTOCOL") == "HTTP/1.0":
        return "it speaks HTTP/1.0, so it comes from a proxy"
    host = _text(environ, "HTTP_HOST")
    return "" if is_local_host(host) else f"its Host is {host or 'missing'}"


def is_loopback(address: str) -> bool:
    """Whether an address, with a port or without, is one of this machine."""
    match = _HOST.fullmatch(address)
    # An IPv6 address without brackets has more colons than that.
    bare = match[1].strip("[]") if match else address
    try:
        found = ip_address(bare)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


def is_local_host(host: str) -> bool:
    """Whether a Host header names this machine; ``*.localhost`` can name no other: RFC 6761."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def _text(environ: Mapping[str, object], name: str) -> str:
    found = environ.get(name)
    return found if isinstance(found, str) else ""
