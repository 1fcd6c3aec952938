"""The opening of a connection to one NATS server: TCP, INFO, TLS, CONNECT, all by one deadline.

Source: the NATS client protocol, "Connecting". What a server answers to the first commands comes
before its PONG, so a wrong password or a forbidden subject is known when the opening is over.
"""

from __future__ import annotations

import random
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
import msgspec
from gevent import socket as gevent_socket
from gevent import ssl as gevent_ssl

from greenrelay.cluster.address import Address, Server
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.parser import Err, Event, Fault, Info, Parser, Pong
from greenrelay.errors import EngineError

# What is larger is mapped anew by malloc each time, a tenth of what a receiver does.
CHUNK = 96 * 1024
MIN_VERSION = (2, 12)
# Room for the frames that go out together.
MIN_PAYLOAD = 32 * 1024
_FORBIDDEN = "permissions violation"
_VERSION = re.compile(r"(\d+)\.(\d+)")


class Refused(ConnectionError):
    """A server has answered, and it will not have us or we cannot use it."""


class ServerInfo(msgspec.Struct, frozen=True):
    """What of a server's INFO counts here."""

    server_id: str = ""
    version: str = ""
    headers: bool = False
    jetstream: bool = False
    tls_required: bool = False
    tls_available: bool = False
    max_payload: int = 1024 * 1024
    nonce: str = ""
    cluster: str = ""
    connect_urls: tuple[str, ...] = ()


@dataclass(slots=True)
class Line:
    """An open connection; ``early`` is what has come with the end of the opening.

    ``peer`` is who is at the other end, by number, where ``server`` may have a name.
    """

    sock: Any
    server: Server
    info: ServerInfo
    parser: Parser
    early: list[Event] = field(default_factory=list)
    peer: Server = ("", 0)

    def receive(self) -> list[Event]:
        """Wait for bytes and return their events; raises OSError when the connection has ended."""
        data = self.sock.recv(CHUNK)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return self.parser.feed(data)


def read_info(data: bytes) -> ServerInfo:
    """Return a server's INFO; raises Refused for what is none."""
    try:
        return msgspec.json.decode(data, type=ServerInfo)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(f"its INFO cannot be read: {error}") from None


def open_line(
    server: Server,
    address: Address,
    name: str,
    first: Callable[[ServerInfo], bytes],
    timeout: float,
) -> Line:
    """Connect as ``name`` and send what ``first`` returns; waits ``timeout`` seconds at most.

    Raises OSError, or Refused when the server says no, and EngineError where a file cannot be
    read. Subjects that are forbidden do not fail it: they are among ``early``, as Err.
    """
    # It ends all there is in it: no OSError, which is taken for that of one address or read.
    limit = gevent.Timeout(timeout)
    try:
        with limit:
            line = Line(_connected(server, timeout), server, ServerInfo(), Parser())
            try:
                _open(line, address, name, first)
            except BaseException:
                line.sock.close()
                raise
    except gevent.Timeout as over:
        if over is not limit:
            raise
        raise TimeoutError(f"no answer within {timeout:g} s") from None
    return line


def _connected(server: Server, timeout: float) -> Any:
    """Return a socket to one of the addresses of a host; none of them may take all the time."""
    found = gevent_socket.getaddrinfo(*server, type=gevent_socket.SOCK_STREAM)
    errors: list[OSError] = []
    for family, kind, protocol, _, where in random.sample(found, len(found)):
        try:
            # A machine may have no sockets of a family in which the name has an address.
            sock = gevent_socket.socket(family, kind, protocol)
        except OSError as error:
            errors.append(error)
            continue
        try:
            sock.settimeout(timeout / len(found))
            sock.connect(where)
            sock.settimeout(None)
            return sock
        except OSError as error:
            sock.close()
            errors.append(error)
        except BaseException:
            sock.close()
            raise
    raise errors[-1] if errors else OSError("its name has no address")


def _open(line: Line, address: Address, name: str, first: Callable[[ServerInfo], bytes]) -> None:
    line.sock.setsockopt(gevent_socket.IPPROTO_TCP, gevent_socket.TCP_NODELAY, 1)
    line.peer = line.sock.getpeername()[:2]
    line.info = _first_info(line)
    _check(line.info, address)
    if address.is_tls or line.info.tls_required:
        if line.early or line.parser.held:
            # It could be from anybody.
            raise Refused("it has said more before TLS than it may")
        _secure(line, address)
    _shake_hands(line, address, name, first(line.info))


def tls_context(address: Address) -> ssl.SSLContext:
    """Return how TLS is done with the servers of ``address``; raises EngineError."""
    try:
        # The one of gevent: that of the standard library would make the hub wait. By default it
        # looks at the certificate and at whose it is.
        context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if address.ca:
            context.load_verify_locations(address.ca)
        else:
            context.load_default_certs()
        if address.cert:
            context.load_cert_chain(address.cert, address.key)
    except (OSError, ssl.SSLError) as error:
        files = " ".join(filter(None, (address.ca, address.cert, address.key)))
        raise EngineError(address.shown, f"TLS files {files}: {error}") from None
    assert isinstance(context, ssl.SSLContext)
    return context


def _first_info(line: Line) -> ServerInfo:
    while not line.early:
        line.early = line.receive()
    first = line.early.pop(0)
    if not isinstance(first, Info):
        raise Refused("what answers is no NATS server")
    return read_info(first.data)


def _check(info: ServerInfo, address: Address) -> None:
    found = _VERSION.match(info.version)
    if not found or (int(found[1]), int(found[2])) < MIN_VERSION:
        raise Refused(f"its version is {info.version!r}; it must be 2.12 or newer")
    if info.max_payload < MIN_PAYLOAD:
        raise Refused(f"its max_payload is {info.max_payload}; it must be {MIN_PAYLOAD} or more")
    if address.is_tls and not (info.tls_required or info.tls_available):
        raise Refused("it has no TLS, and the address wants it")


def _secure(line: Line, address: Address) -> None:
    # Servers that the cluster has told of are addressed by number, and have the certificate of the
    # name that the address gives.
    named = {host for host, _ in address.servers}
    host = line.server[0] if line.server[0] in named else address.servers[0][0]
    try:
        # The handshake comes after: a socket that is wrapped is closed by whoever has it.
        line.sock = tls_context(address).wrap_socket(
            line.sock, server_hostname=host, do_handshake_on_connect=False
        )
        line.sock.do_handshake()
    except (ssl.SSLError, ValueError) as error:
        raise Refused(f"TLS: {error}") from None


def _shake_hands(line: Line, address: Address, name: str, first: bytes) -> None:
    try:
        who = address.read_credentials().answer(line.info.nonce)
    except ValueError as error:
        raise Refused(str(error)) from None
    options = {
        "verbose": False,
        "pedantic": False,
        "echo": False,
        "headers": True,
        "no_responders": True,
        "protocol": 1,
        "lang": "python-greenrelay",
        "version": "1",
        "name": name,
        "tls_required": address.is_tls,
        **who,
    }
    line.sock.sendall(wire.connect(options) + first + wire.PING)
    events, line.early = line.early, []
    while not _is_answered(line, events):
        events = line.receive()


def _is_answered(line: Line, events: list[Event]) -> bool:
    is_over = False
    for event in events:
        if isinstance(event, Pong) and not is_over:
            is_over = True
        elif isinstance(event, Fault):
            raise Refused(f"what answers is no NATS server: {event.why}")
        elif isinstance(event, Err) and not is_forbidden(event):
            raise Refused(event.text)
        else:
            line.early.append(event)
    return is_over


def is_forbidden(error: Err) -> bool:
    """Whether the server refuses a subject only, and not the connection."""
    return error.text.lower().startswith(_FORBIDDEN)
