"""``websocket_relay``: upgrades a request whose view names a target process.

Source: WebSocket Relay. It stands around the view, after routing. What can be known before the
view runs (method, version, key, origin, caps, draining) is checked before it, so a refused client
spawns nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from flask import current_app, make_response, request
from werkzeug.wrappers import Response

from greenrelay.config.mark import Problem
from greenrelay.config.options import boolean as boolean_option
from greenrelay.config.options import (
    choice,
    duration,
    integer,
    option,
    read_options,
    size,
    text_list,
)
from greenrelay.config.read import integer_from
from greenrelay.core.pid import Pid
from greenrelay.errors import ConfigError, InvalidCloseCode, InvalidRelayCommand, UnsupportedServer
from greenrelay.http.relay_response import (
    HEADER,
    RETRY_AFTER,
    Acceptance,
    cancel_orphan,
    find_target,
    going_away,
    gone,
    refusal_response,
    refuse,
)
from greenrelay.http.state import state_of
from greenrelay.relay.command import parse_command
from greenrelay.relay.origin import OriginPolicy, parse_origins
from greenrelay.relay.slowness import CLOSES, SlowPolicy, parse_slow_policy
from greenrelay.runtime.current import current_process
from greenrelay.transport.deadline import TooLate, within
from greenrelay.transport.upgrade import UPGRADE, Upgrade
from greenrelay.websocket.frames import is_sendable_code
from greenrelay.websocket.handshake import NOT_AN_UPGRADE, check, is_token

log = logging.getLogger("greenrelay.http")

View = TypeVar("View", bound=Callable[..., Any])
MARK = "greenrelay_relays"


PING_TIMEOUT = 10.0
# No duration is: then it is PING_TIMEOUT, or the interval where that is shorter.
_NOT_GIVEN = -1.0

_count = integer_from(0)


def _on_or_off(value: object) -> bool:
    # YAML reads a bare on or off as a boolean.
    if isinstance(value, bool):
        return value
    return choice("on", "off")(value) == "on"


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """The options of one relay; times in seconds, sizes in bytes, 0 is no cap and no rate."""

    allowed_origins: tuple[str, ...] = option(
        "wsrelay.allowed.origins", text_list, (), ("allow_origins", "allowed_origins")
    )
    require_origin: bool = option("wsrelay.require.origin", boolean_option, False)
    max_message_size: int = option("wsrelay.max.message.size", size, 64 * 1024)
    max_connections: int = option("wsrelay.max.connections", _count, 10_000)
    max_connections_per_ip: int = option("wsrelay.max.connections.per.ip", _count, 0)
    max_connections_per_user: int = option("wsrelay.max.connections.per.user", _count, 0)
    ping_interval: float = option("wsrelay.ping.interval", duration, 25.0)
    ping_timeout: float = option("wsrelay.ping.timeout", duration, _NOT_GIVEN)
    handshake_timeout: float = option("wsrelay.handshake.timeout", duration, 10.0)
    queue_messages: int = option("wsrelay.queue.messages", _count, 256)
    queue_bytes: int = option("wsrelay.queue.bytes", size, 1024 * 1024)
    # Like all others a field; ruff does not know that the value is frozen.
    slow_policy: SlowPolicy = option(  # noqa: RUF009 - option() is dataclasses.field
        "wsrelay.slow.policy", parse_slow_policy, CLOSES
    )
    rate_messages: int = option("wsrelay.rate.messages", _count, 0)
    rate_bytes: int = option("wsrelay.rate.bytes", size, 0)
    subprotocols: tuple[str, ...] = option("wsrelay.subprotocols", text_list, ())
    compression: bool = option("wsrelay.compression", _on_or_off, False)
    drain_code: int = option("wsrelay.drain.code", integer, 1012)
    drain_period: float = option("wsrelay.drain.period", duration, 10.0)
    origins: OriginPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ping_timeout == _NOT_GIVEN:
            shorter = min(PING_TIMEOUT, self.ping_interval or PING_TIMEOUT)
            object.__setattr__(self, "ping_timeout", shorter)
        if self.ping_timeout > self.ping_interval > 0:
            raise ValueError(
                f"wsrelay.ping.timeout is {self.ping_timeout:g} s; it must not be above "
                f"wsrelay.ping.interval, {self.ping_interval:g} s"
            )
        if not is_sendable_code(self.drain_code):
            raise ValueError(f"wsrelay.drain.code: {InvalidCloseCode(self.drain_code)}")
        for name in self.subprotocols:
            if not is_token(name):
                raise ValueError(f"wsrelay.subprotocols: {name!r} has a space or a separator in it")
        policy = parse_origins(self.allowed_origins, require_origin=self.require_origin)
        if policy.allows_all:
            log.warning(
                "wsrelay.allowed.origins is *: any page may connect with its user's cookies"
            )
        object.__setattr__(self, "origins", policy)


def websocket_relay(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that relays the clients of a view; it goes under the route decorator.

    Options are those of the YAML router without ``wsrelay.`` and with underscores:
    ``allowed_origins=["https://app.example.com"]``, ``max_message_size="64KiB"``. Raises
    ConfigError, and TypeError when the parentheses are missing.
    """
    if view:
        raise TypeError("websocket_relay is called with its options: @websocket_relay()")
    found, problems = read_options(
        RelayOptions, {_option_name(name): value for name, value in options.items()}
    )
    if problems or found is None:
        raise ConfigError([f"websocket_relay: {_shown(problem)}" for problem in problems])
    return relay_middleware(found)


def relay_middleware(options: RelayOptions) -> Callable[[View], View]:
    """Return the middleware itself, for typed options."""

    def decorate(view: View) -> View:
        @wraps(view)
        def relayed(*args: Any, **kwargs: Any) -> Response:
            upgrade: Upgrade | None = request.environ.get(UPGRADE)
            refusal = None if upgrade is None else _check(upgrade, options)
            if refusal is not None:
                return refusal
            if upgrade is None:
                return _relay(make_response(view(*args, **kwargs)), upgrade, options)
            seconds = options.handshake_timeout
            try:
                response = within(seconds, lambda: make_response(view(*args, **kwargs)))
            except TooLate:
                return _refuse_late(upgrade, seconds)
            return _relay(response, upgrade, options)

        setattr(relayed, MARK, True)
        return relayed  # type: ignore[return-value]

    return decorate


def _shown(problem: Problem) -> str:
    return f"{problem.field}: {problem.text}" if problem.field else problem.text


def _option_name(name: str) -> str:
    return "wsrelay." + name.replace("_", ".")


def _check(upgrade: Upgrade, options: RelayOptions) -> Response | None:
    """Return the refusal of an upgrade that can be told before the view runs."""
    refusal = check(
        upgrade.method, upgrade.http_version, upgrade.version, upgrade.key, upgrade.extensions
    )
    if refusal is not None:
        return refusal_response(refusal)
    if not options.origins.allows(upgrade.origin, scheme=request.scheme, host=request.host):
        _log_origin(upgrade, options)
        return refuse(403, "This origin may not connect.")
    if not upgrade.is_supported:
        server = request.environ.get("SERVER_SOFTWARE") or "this WSGI server"
        log.error("%s: %s", upgrade.path, UnsupportedServer(server))
        return refuse(500, "This server cannot relay WebSockets; its log says what can.")
    connections = state_of(current_app).connections
    if connections.is_draining:
        return going_away()
    if not connections.reserve(upgrade, options.max_connections):
        return _no_place(upgrade, "wsrelay.max.connections", options.max_connections)
    limit = options.max_connections_per_ip
    if not connections.count_for(upgrade, "address", request.remote_addr or "", limit):
        return _no_place(upgrade, "wsrelay.max.connections.per.ip", limit)
    return None


def _no_place(upgrade: Upgrade, option_name: str, limit: int) -> Response:
    log.warning(
        "%s: refused %s, %s is %d", upgrade.path, request.remote_addr or "-", option_name, limit
    )
    return refuse(503, "The server has no place for another connection.", RETRY_AFTER)


def _refuse_late(upgrade: Upgrade, seconds: float) -> Response:
    log.warning(
        "%s: view %s had not answered after wsrelay.handshake.timeout, %g s",
        upgrade.path,
        request.endpoint,
        seconds,
    )
    # Whom it was about to name nobody knows, so all that it has spawned for nobody else goes.
    for child in tuple(_children()):
        _cancel_orphan(child)
    return refuse(503, "The server took too long to answer.", RETRY_AFTER)


def _log_origin(upgrade: Upgrade, options: RelayOptions) -> None:
    if upgrade.origin is None:
        log.warning(
            "%s: refused a client without Origin: wsrelay.require.origin is true", upgrade.path
        )
        return
    allowed = ", ".join(options.allowed_origins) or "none listed"
    log.warning(
        "%s: refused origin %s; allowed: the request's own, %s://%s, and wsrelay.allowed.origins "
        "(%s). Behind a proxy? Let werkzeug's ProxyFix restore scheme and host.",
        upgrade.path,
        upgrade.origin,
        request.scheme,
        request.host,
        allowed,
    )


def _relay(response: Response, upgrade: Upgrade | None, options: RelayOptions) -> Response:
    header = response.headers.pop(HEADER, None)
    if header is None or not 200 <= response.status_code < 300:
        return response
    try:
        command = parse_command(header)
    except InvalidRelayCommand as error:
        return _refuse_command(header, error)
    node = state_of(current_app).node
    target = find_target(node, command.target_pid)
    if upgrade is None:
        _cancel_orphan(target)
        return refusal_response(NOT_AN_UPGRADE)
    if target is None:
        return gone()
    user, limit = command.metadata.get("user_id"), options.max_connections_per_user
    connections = state_of(current_app).connections
    if user is not None and not connections.count_for(upgrade, "user", str(user), limit):
        _cancel_orphan(target)
        return _no_place(upgrade, "wsrelay.max.connections.per.user", limit)
    # As they are seen after a trusted proxy.
    upgrade.path = request.root_path.rstrip("/") + request.path
    upgrade.remote_addr = request.remote_addr or ""
    upgrade.acceptance = Acceptance(command, target, options)
    close = getattr(response.response, "close", None)
    response.set_data(b"")
    if close is not None:
        close()
    return response


def _refuse_command(header: str, error: InvalidRelayCommand) -> Response:
    log.error("view %s: %s", request.endpoint, error)
    # The command is bad, but whom it was to name can be told all the same.
    for child in tuple(_children()):
        if child in header:
            _cancel_orphan(child)
    sentence = f"{error}" if current_app.debug else "The relay command of this address is wrong."
    return refuse(500, sentence)


def _children() -> dict[Pid, str | None]:
    process = current_process()
    return (process.children if process is not None else None) or {}


def _cancel_orphan(target: Pid | None) -> None:
    process = current_process()
    cancel_orphan(state_of(current_app).node, target, _children(), process)
