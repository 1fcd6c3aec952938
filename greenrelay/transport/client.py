"""The WebSocket client: ``connect`` and what it returns.

Source: WebSocket client. Cooperative: only the greenlet that calls waits, whether or not gevent
has patched the standard library.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, overload

from greenrelay.core.pid import Pid
from greenrelay.durations import parse_duration, parse_size
from greenrelay.errors import ConnectionClosed
from greenrelay.runtime.current import current_node, current_process
from greenrelay.transport.client_bridge import RelayedClient, bridge, check_close, parse_reconnect
from greenrelay.transport.client_conversation import ClientLimits, Conversation
from greenrelay.transport.client_opening import Request, open_socket
from greenrelay.transport.client_process import ClientProcess
from greenrelay.websocket.client_address import parse_url
from greenrelay.websocket.frames import BINARY, TEXT

Duration = float | str
Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the server: a ``"text"`` has str for ``data``, a ``"binary"`` bytes."""

    type: Literal["text", "binary"]
    data: str | bytes


class Client:
    """An open WebSocket; ``connect`` makes it. Iterate it for its messages until it is closed.

    As a context manager it closes at the end. ``pid`` is its process, None where it was opened
    outside of one. ``subprotocol`` is the one that was agreed on, or None.
    """

    def __init__(
        self, conversation: Conversation, pid: Pid | None, subprotocol: str | None
    ) -> None:
        self._conversation = conversation
        self.pid = pid
        self.subprotocol = subprotocol

    def __repr__(self) -> str:
        state = "open" if self._conversation.is_open else f"closed with {self.code}"
        return f"<Client {self.pid or 'outside a process'}, {state}>"

    @property
    def code(self) -> int | None:
        """The close code once it is closed, 1006 if there was no close frame; None before."""
        return self._conversation.code if self._conversation.is_over else None

    @property
    def reason(self) -> str:
        """The close reason, or what has happened instead of a close frame; "" before."""
        return self._conversation.reason if self._conversation.is_over else ""

    @property
    def is_open(self) -> bool:
        """Whether messages may still be sent."""
        return self._conversation.is_open

    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Send a text (str) or a binary (bytes) message; waits until the kernel has taken it.

        Raises ConnectionClosed, TypeError, and Timeout when the server does not read for
        ``write_timeout``: then the connection is closed, as the rest could not follow.
        """
        if isinstance(data, str):
            self._conversation.send(TEXT, data.encode())
        elif isinstance(data, bytes | bytearray | memoryview):
            self._conversation.send(BINARY, bytes(data))
        else:
            raise TypeError(f"client.send: data is {type(data).__name__}; it must be str or bytes")

    def receive(self, timeout: Duration | None = None) -> Message:
        """Wait for the next message; None is ``read_timeout``.

        Raises Timeout when nothing came in time, and ConnectionClosed once it is closed and all
        that came before is read.
        """
        seconds = None if timeout is None else parse_duration(timeout)
        opcode, data = self._conversation.receive(seconds)
        return Message("text" if opcode == TEXT else "binary", data)

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        try:
            return self.receive()
        except ConnectionClosed:
            raise StopIteration from None

    def ping(self) -> float:
        """Ping the server and return the seconds until it answers.

        Raises ConnectionClosed, and Timeout after ``ping_timeout``.
        """
        return self._conversation.ping()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a closing handshake and wait for it, a few seconds at most; idempotent.

        Raises InvalidCloseCode, TypeError. What has come before can still be received.
        """
        check_close(code, reason)
        self._conversation.close(code, reason)
        self._conversation.wait_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            # A greenlet that has to end does not wait here.
            self._conversation.close(1001, "going away")


@overload
def connect(
    url: str,
    headers: Headers | None = None,
    subprotocols: Sequence[str] = (),
    open_timeout: Duration | None = "10s",
    read_timeout: Duration | None = None,
    write_timeout: Duration | None = "10s",
    compression: Literal["deflate"] | None = None,
    max_size: int | str = "16MiB",
    queue: int = 16,
    ping_interval: Duration | None = "20s",
    ping_timeout: Duration | None = "20s",
    ssl_context: ssl.SSLContext | None = None,
) -> Client: ...


@overload
def connect(
    url: str,
    headers: Headers | None = None,
    subprotocols: Sequence[str] = (),
    open_timeout: Duration | None = "10s",
    read_timeout: Duration | None = None,
    write_timeout: Duration | None = "10s",
    compression: Literal["deflate"] | None = None,
    max_size: int | str = "16MiB",
    queue: int = 16,
    ping_interval: Duration | None = "20s",
    ping_timeout: Duration | None = "20s",
    ssl_context: ssl.SSLContext | None = None,
    *,
    relay_to: str,
    reconnect: Mapping[str, Duration] | None = None,
) -> RelayedClient: ...


def connect(
    url: str,
    headers: Headers | None = None,
    subprotocols: Sequence[str] = (),
    open_timeout: Duration | None = "10s",
    read_timeout: Duration | None = None,
    write_timeout: Duration | None = "10s",
    compression: Literal["deflate"] | None = None,
    max_size: int | str = "16MiB",
    queue: int = 16,
    ping_interval: Duration | None = "20s",
    ping_timeout: Duration | None = "20s",
    ssl_context: ssl.SSLContext | None = None,
    *,
    relay_to: str | None = None,
    reconnect: Mapping[str, Duration] | None = None,
) -> Client | RelayedClient:
    """Open a WebSocket to ``ws://…`` or ``wss://…``; waits ``open_timeout`` at most.

    Durations are seconds or text, 0 or None is no deadline; ``queue`` is how many messages may
    wait unread before the socket is read no more. ``ssl_context`` is the system's trust if None;
    proxies come from the environment. In a process, the client closes with it (1001) and the
    process gets an EXIT for the client.

    With ``relay_to``, a PID or a name, what comes goes there on the relay's topics, and
    ``reconnect`` (``{"initial_delay": "1s", "max_delay": "30s"}``) opens it again whenever the
    server has ended it. Raises InvalidURL, ConnectionRefused, HandshakeFailed, Timeout, ValueError
    for a header or subprotocol that cannot be sent, TypeError for an option of another kind, and
    with ``relay_to`` UnknownName, ProcessDown.
    """
    if reconnect is not None and relay_to is None:
        raise TypeError("connect: reconnect is for a client with relay_to; without, connect again")
    _check_options(compression, queue, ssl_context)
    request = Request(
        parse_url(url),
        headers=_pairs(headers),
        subprotocols=_names(subprotocols),
        compression=compression is not None,
        open_timeout=_seconds(open_timeout),
        ssl_context=ssl_context,
    )
    limits = ClientLimits(
        read_timeout=_seconds(read_timeout),
        write_timeout=_seconds(write_timeout),
        max_size=parse_size(max_size),
        queue=queue,
        ping_interval=_seconds(ping_interval),
        ping_timeout=_seconds(ping_timeout),
    )
    if relay_to is not None:
        owner = current_process()
        node = owner.node if owner is not None else current_node("client.connect")
        policy = None if reconnect is None else parse_reconnect(reconnect)
        return bridge(node, owner, relay_to, request, limits, policy)
    return _open(request, limits)


def _open(request: Request, limits: ClientLimits) -> Client:
    # A request becomes a process here, and one that has to end does not begin.
    owner = current_process()
    opened = open_socket(request)
    conversation = Conversation(opened, limits)
    try:
        process = None if owner is None else ClientProcess(owner.node, owner, conversation)
    except BaseException:
        conversation.abort("it could not be a process")
        raise
    conversation.start(opened.buffered)
    return Client(conversation, None if process is None else process.pid, opened.agreed.subprotocol)


def _check_options(compression: object, queue: object, ssl_context: object) -> None:
    if compression not in (None, "deflate"):
        raise ValueError(f"connect: compression is {compression!r}; it must be None or 'deflate'")
    if not isinstance(queue, int) or queue < 1:
        raise ValueError(f"connect: queue is {queue!r}; it must be a number of messages, 1 or more")
    if ssl_context is not None and not hasattr(ssl_context, "wrap_socket"):
        raise TypeError(f"connect: ssl_context is {ssl_context!r}; it must be an ssl.SSLContext")


def _pairs(headers: Headers | None) -> tuple[tuple[str, str], ...]:
    found = tuple(headers.items() if isinstance(headers, Mapping) else headers or ())
    for pair in found:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(
                f"connect: headers has {pair!r}; it must be a mapping of names to values, or pairs"
            )
    return found


def _names(subprotocols: Sequence[str]) -> tuple[str, ...]:
    if isinstance(subprotocols, str):
        raise TypeError(
            f"connect: subprotocols is {subprotocols!r}; it must be a list, [{subprotocols!r}]"
        )
    return tuple(subprotocols)


def _seconds(value: Duration | None) -> float:
    return 0.0 if value is None else parse_duration(value)
