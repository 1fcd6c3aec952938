"""The opening of a client's connection: TCP, a proxy, TLS, the handshake, all by one deadline.

Source: WebSocket client, ``open_timeout`` and "Errors".
"""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64encode
from dataclasses import dataclass
from functools import cache, partial
from os import urandom
from typing import Any

from gevent import ssl as gevent_ssl
from gevent.monkey import get_original

from greenrelay.errors import ConnectionRefused, HandshakeFailed, Timeout
from greenrelay.transport.client_dial import dial
from greenrelay.transport.client_proxy import proxy_for, tunnel
from greenrelay.transport.client_stream import read_head, receive, send_all, when_ready
from greenrelay.transport.deadline import TooLate, within
from greenrelay.websocket.client_address import Address
from greenrelay.websocket.client_handshake import (
    Agreed,
    Answer,
    check_answer,
    read_answer,
    request_head,
)

# Of the body of a refusal: how much is kept, and how long it may take after its head.
MAX_BODY_SIZE = 64 * 1024
BODY_SECONDS = 1.0
_SWITCHING = 101
# A server that sent them without a pause would let nobody else have the loop.
_MAX_INFORMATIONAL = 32


@dataclass(frozen=True, slots=True)
class Request:
    """What to open; ``open_timeout`` is in seconds, 0 is no deadline."""

    address: Address
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: bool = False
    open_timeout: float = 10.0
    ssl_context: ssl.SSLContext | None = None

    def head(self, key: str) -> bytes:
        """Return the request as it is sent; raises ValueError for what cannot be."""
        return request_head(
            self.address,
            key,
            headers=self.headers,
            subprotocols=self.subprotocols,
            compression=self.compression,
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket past its handshake, from ``peer``; ``buffered`` is what came right after that."""

    sock: Any
    agreed: Agreed
    buffered: bytes
    peer: str


def open_socket(request: Request) -> Opened:
    """Connect and shake hands; waits ``open_timeout`` at most.

    Raises Timeout after that, ConnectionRefused where TCP, TLS or a proxy says no, HandshakeFailed
    where something else than a WebSocket answers, InvalidURL for a proxy that is none.
    """
    try:
        return within(request.open_timeout, partial(_open, request))
    except TooLate:
        what = f"connecting to {request.address.shown}"
        raise Timeout(what, request.open_timeout) from None


def _open(request: Request) -> Opened:
    key = b64encode(urandom(16)).decode()
    head = request.head(key)
    address = request.address
    sock = _connect(address)
    try:
        if address.is_secure:
            sock = _secure(sock, request)
        return _shake_hands(sock, request, key, head)
    except BaseException:
        sock.close()
        raise


def _connect(address: Address) -> Any:
    """Return a socket to ``address`` that does not block, past the proxy if there is one."""
    proxy = proxy_for(address)
    next_hop = proxy or address
    try:
        sock = dial(next_hop.host, next_hop.port)
    except (OSError, UnicodeError) as error:
        whom = f"the proxy {proxy.shown}" if proxy else f"{next_hop.host} port {next_hop.port}"
        why = f"no connection to {whom}: {getattr(error, 'strerror', None) or error}"
        raise ConnectionRefused(address.shown, why) from error
    try:
        sock.settimeout(0.0)
        if proxy is not None:
            tunnel(sock, proxy, address)
    except OSError as error:
        sock.close()
        if isinstance(error, ConnectionRefused):
            raise
        why = f"the proxy was lost: {error.strerror or error}"
        raise ConnectionRefused(address.shown, why) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _secure(sock: Any, request: Request) -> Any:
    """Return ``sock`` with TLS, the certificate checked as the context says."""
    context = request.ssl_context or _default_context()
    address = request.address
    tls: Any = None
    try:
        if not isinstance(context, gevent_ssl.SSLContext):
            # A context of the standard library has sockets of the standard library.
            plain = get_original("socket", "socket")
            sock = plain(sock.family, sock.type, sock.proto, fileno=sock.detach())
            sock.setblocking(False)
        # A name may end with the dot of the root; in TLS and in certificates it never does.
        name = address.host.rstrip(".")
        tls = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        when_ready(tls, tls.do_handshake)
    except (OSError, ValueError) as error:
        (tls or sock).close()
        raise ConnectionRefused(address.shown, f"TLS failed: {_why_tls(error)}") from error
    except BaseException:
        (tls or sock).close()
        raise
    return tls


def _why_tls(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return str(error)


@cache
def _default_context() -> ssl.SSLContext:
    """Return the system's trust, read once: that takes longer than a handshake."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _shake_hands(sock: Any, request: Request, key: str, head: bytes) -> Opened:
    # A server that refuses at once may have closed before it was asked: its answer counts.
    with contextlib.suppress(OSError):
        send_all(sock, head)
    answer, rest = _read_answer(sock)
    if answer.status != _SWITCHING:
        raise HandshakeFailed(answer.status, _read_body(sock, answer, rest), _why_not(answer))
    agreed = check_answer(answer, key, request.subprotocols, compression=request.compression)
    return Opened(sock, agreed, rest, _peer_of(sock))


def _why_not(answer: Answer) -> str:
    place = answer.get("location")
    if not place or not 300 <= answer.status < 400:
        return "it must be 101"
    return f"it must be 101, and a redirect to {place!r} is not followed"


def _read_answer(sock: Any) -> tuple[Answer, bytes]:
    """Return the answer that is not an informational one, and what came after its head."""
    rest = b""
    for _ in range(_MAX_INFORMATIONAL + 1):
        head, rest = read_head(sock, rest)
        answer = read_answer(head)
        if answer.status == _SWITCHING or not 100 <= answer.status < 200:
            return answer, rest
    why = f"that is more than {_MAX_INFORMATIONAL} informational answers and no other"
    raise HandshakeFailed(answer.status, b"", why)


def _read_body(sock: Any, answer: Answer, data: bytes) -> bytes:
    """Return what there is of the body of a refusal, without waiting long for it."""
    length = answer.get("content-length")
    wanted = (
        min(int(length), MAX_BODY_SIZE)
        if length.isdecimal() and len(length) < 16
        else MAX_BODY_SIZE
    )
    is_chunked = "chunked" in answer.get("transfer-encoding").lower()
    found = bytearray(data)

    def read_on() -> None:
        while not _is_whole(found, wanted, is_chunked=is_chunked) and (piece := receive(sock)):
            found.extend(piece)

    with contextlib.suppress(OSError, TooLate):
        within(BODY_SECONDS, read_on)
    body = bytes(found)
    return _unchunked(body)[:MAX_BODY_SIZE] if is_chunked else body[:wanted]


def _is_whole(body: bytearray, wanted: int, *, is_chunked: bool) -> bool:
    if len(body) >= MAX_BODY_SIZE:
        return True
    return body.endswith(b"0\r\n\r\n") if is_chunked else len(body) >= wanted


def _unchunked(data: bytes) -> bytes:
    """Return the chunks of ``data`` joined, as far as they are there."""
    body = b""
    while True:
        size, end, rest = data.partition(b"\r\n")
        try:
            count = int(size.partition(b";")[0], 16)
        except ValueError:
            return body
        if not end or count <= 0:
            return body
        body += rest[:count]
        data = rest[count + 2 :]


def _peer_of(sock: Any) -> str:
    try:
        return str(sock.getpeername()[0])
    except (OSError, IndexError):
        return ""
