"""What ``connect(…, relay_to=…)`` does and returns.

Source: WebSocket client, ``relay_to`` and ``reconnect``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from greenrelay.core.events import NOPROC
from greenrelay.core.pid import Pid
from greenrelay.core.restart import RestartPolicy
from greenrelay.durations import parse_duration
from greenrelay.errors import InvalidCloseCode, ProcessDown
from greenrelay.relay.session import Session
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import EXITING
from greenrelay.transport.client_conversation import ClientLimits
from greenrelay.transport.client_opening import Request, open_socket
from greenrelay.transport.client_relay import ClientConnection, RelayLimits
from greenrelay.websocket.frames import is_sendable_code

_SPREAD = 0.5


class RelayedClient:
    """A client that relays to a process; ``connect(…, relay_to=…)`` makes it.

    ``pid`` is its process: send it ``ws.send``, ``ws.close`` or ``ws.control``. As a context
    manager it closes at the end.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.pid: Pid = connection.pid

    def __repr__(self) -> str:
        return f"<RelayedClient {self.pid}, {'open' if self.is_open else 'not open'}>"

    @property
    def is_open(self) -> bool:
        """Whether there is a connection right now."""
        return self._connection.is_open

    @property
    def code(self) -> int | None:
        """The close code of the connection that was lost last; None while there is one."""
        code = None if self.is_open else self._connection.last.get("code")
        return code if isinstance(code, int) else None

    @property
    def reason(self) -> str:
        """The close reason of the connection that was lost last; "" while there is one."""
        return "" if self.is_open else str(self._connection.last.get("reason", ""))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close it for good; what was sent before goes out first.

        Raises InvalidCloseCode, TypeError.
        """
        check_close(code, reason)
        self._connection.close(code, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def check_close(code: int, reason: str) -> None:
    """Raise InvalidCloseCode or TypeError for what no close frame can say."""
    if not is_sendable_code(code):
        raise InvalidCloseCode(code)
    if not isinstance(reason, str):
        raise TypeError(f"client.close: reason is {type(reason).__name__}; it must be str")


def bridge(
    node: Node,
    owner: Process | None,
    target: str,
    request: Request,
    limits: ClientLimits,
    policy: RestartPolicy | None,
) -> RelayedClient:
    """Open a connection and relay it to ``target``, a PID or a name.

    Raises what open_socket does, UnknownName, and ProcessDown for a target that is gone.
    """
    _find(node, target)
    opened = open_socket(request)
    try:
        found = _find(node, target)
        session = Session(
            node.new_pid(node.take_place(None)), found.pid, path=request.address.resource
        )
        bounds = RelayLimits(limits.max_size, limits.ping_interval, limits.ping_timeout)
        connection = ClientConnection(node, owner, session, request, bounds, policy)
    except BaseException:
        opened.sock.close()
        raise
    connection.relay(opened, owner)
    return RelayedClient(connection)


def parse_reconnect(options: Mapping[str, float | str]) -> RestartPolicy:
    """Return the delays in ``{"initial_delay": "1s", "max_delay": "30s"}``.

    Half of each delay is chance, so that the clients of a server that restarts do not come back
    together. Raises ValueError, and TypeError for what is no mapping.
    """
    known = ("initial_delay", "max_delay")
    if not isinstance(options, Mapping):
        raise TypeError(f"reconnect is {options!r}; it must be a dict of {' and '.join(known)}")
    for name in options:
        if name not in known:
            raise ValueError(f"reconnect: {name!r} is not known; known: {', '.join(known)}")
    initial = parse_duration(options.get("initial_delay", 1.0))
    largest = parse_duration(options.get("max_delay", 30.0))
    if not 0 < initial <= largest:
        raise ValueError(
            f"reconnect: initial_delay is {initial:g} s and max_delay {largest:g} s; "
            "they must be above 0 s, the first at most the second"
        )
    return RestartPolicy(initial_delay=initial, max_delay=largest, jitter=_SPREAD)


def _find(node: Node, target: str) -> Process:
    process = node.find(target)
    if process is None or process.state >= EXITING:
        raise ProcessDown(target, NOPROC)
    return process
