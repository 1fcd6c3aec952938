"""The address of a WebSocket, and that of a proxy, from their text.

Source: RFC 6455, section 3 (ws and wss URLs).
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from greenrelay.errors import InvalidURL

_PORTS = {"ws": 80, "wss": 443, "http": 80}
_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_PASSWORD = re.compile(r"^([^/?#]*//[^/?#:@]*:)[^/?#]*@")
_SAFE = "/?:@!$&'()*+,;=-._~%[]"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a WebSocket is; ``shown`` is its URL without a password, for errors and logs.

    ``resource`` is what the request line names, ``authority`` the Host header and ``credentials``
    the value of an Authorization header, "" where the URL has no user.
    """

    is_secure: bool
    host: str
    port: int
    resource: str
    authority: str
    credentials: str
    shown: str


def parse_url(url: object) -> Address:
    """Return the address in ``ws://…`` or ``wss://…``; raises InvalidURL."""
    parts = _split(url, ("ws", "wss"))
    assert isinstance(url, str), "what could be split is text"
    if parts.fragment or url.endswith("#"):
        raise _invalid(url, "a WebSocket has no fragment: leave out what follows the #")
    host, port = _host_and_port(url, parts)
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    named = f"[{host}]" if ":" in host else host
    authority = named if port == _PORTS[parts.scheme] else f"{named}:{port}"
    return Address(
        is_secure=parts.scheme == "wss",
        host=host,
        port=port,
        resource=path + query,
        authority=authority,
        credentials=_credentials(parts),
        shown=f"{parts.scheme}://{authority}{path}",
    )


def parse_proxy(url: str) -> Address:
    """Return the address of an HTTP proxy, ``http://user:password@host:port``.

    Without a scheme it is ``http`` as well. Raises InvalidURL.
    """
    parts = _split(url if "://" in url else f"http://{url}", ("http",))
    host, port = _host_and_port(url, parts)
    shown = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return Address(False, host, port, "", shown.partition("//")[2], _credentials(parts), shown)


def _invalid(url: object, why: str = "") -> InvalidURL:
    # Whoever reads the log is to see what is wrong, and no password.
    return InvalidURL(_PASSWORD.sub(r"\1***@", url) if isinstance(url, str) else url, why)


def _split(url: object, schemes: tuple[str, ...]) -> SplitResult:
    if not isinstance(url, str):
        raise _invalid(url)
    if unsafe := _UNSAFE.search(url):
        raise _invalid(url, f"{unsafe[0]!r} at {unsafe.start()} must be quoted")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _invalid(url, str(error)) from error
    if parts.scheme not in schemes:
        raise _invalid(url, f"the scheme is {parts.scheme!r}; it must be {' or '.join(schemes)}")
    return parts


def _host_and_port(url: object, parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _invalid(url, str(error)) from error
    if not host:
        raise _invalid(url, "it names no host")
    if port == 0:
        raise _invalid(url, "port 0 is none to connect to")
    try:
        # What is ASCII stays as it is: an underscore is no name of a host, and is used as one.
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise _invalid(url, f"host {host!r} is no name: {error}") from error
    return name, port or _PORTS[parts.scheme]


def _credentials(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"
