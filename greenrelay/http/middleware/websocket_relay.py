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

from flask import current_app, request
from werkzeug.wrappers import Response

from greenrelay.config.fragment import fragment_of, text_like, written_as
from greenrelay.config.mark import shown
from greenrelay.config.options import boolean as boolean_option
from greenrelay.config.options import (
    choice,
    duration,
    integer,
    option,
    size,
)
from greenrelay.config.read import integer_from
from greenrelay.errors import InvalidCloseCode, InvalidRelayCommand
from greenrelay.http.middleware.decorator import synchronous
from greenrelay.http.middleware.reader import origin_patterns, token_list
from greenrelay.http.middleware.relay import (
    Relay,
    answer_of,
    cancel_children,
    cancel_if_orphan,
    empty,
    note_route,
    request_path,
)
from greenrelay.http.relay_response import (
    HEADER,
    RETRY_AFTER,
    Acceptance,
    find_target,
    going_away,
    refusal_response,
    refuse,
)
from greenrelay.http.state import state_of
from greenrelay.relay.command import parse_command
from greenrelay.relay.origin import OriginPolicy, parse_origins
from greenrelay.relay.slowness import CLOSES, SlowPolicy, parse_slow_policy
from greenrelay.transport.deadline import TooLate, within
from greenrelay.transport.target import check_metadata
from greenrelay.transport.upgrade import UPGRADE, Upgrade
from greenrelay.websocket.frames import is_sendable_code
from greenrelay.websocket.handshake import NOT_AN_UPGRADE, check

log = logging.getLogger("greenrelay.http")

View = TypeVar("View", bound=Callable[..., Any])
MARK = "greenrelay_relays"
RELAY = Relay("websocket_relay", "wsrelay", HEADER, "connection", "WebSockets")

PING_TIMEOUT = 10.0
# No duration is: then it is PING_TIMEOUT, or the interval where that is shorter.
_NOT_GIVEN = -1.0

_count = integer_from(0)


@written_as({"type": "boolean"}, text_like("on|off"))
def _on_or_off(value: object) -> bool:
    # YAML reads a bare on or off as a boolean.
    if isinstance(value, bool):
        return value
    return choice("on", "off")(value) == "on"


@written_as(fragment_of(integer))
def _close_code(value: object) -> int:
    code = integer(value)
    if not is_sendable_code(code):
        raise ValueError(f"is {shown(value)}; {InvalidCloseCode(code)}")
    return code


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """The options of one relay; times in seconds, sizes in bytes, 0 is no cap and no rate."""

    allowed_origins: tuple[str, ...] = option(
        "wsrelay.allowed.origins", origin_patterns, (), ("allow_origins", "allowed_origins")
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
    subprotocols: tuple[str, ...] = option("wsrelay.subprotocols", token_list, ())
    compression: bool = option("wsrelay.compression", _on_or_off, False)
    drain_code: int = option("wsrelay.drain.code", _close_code, 1012)
    drain_period: float = option("wsrelay.drain.period", duration, 10.0)
    origins: OriginPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ping_timeout == _NOT_GIVEN:
            shorter = min(PING_TIMEOUT, self.ping_interval or PING_TIMEOUT)
            object.__setattr__(self, "ping_timeout", shorter)
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
    return relay_middleware(RELAY.options(RelayOptions, view, options))


def relay_middleware(options: RelayOptions) -> Callable[[View], View]:
    """Return the middleware itself, for typed options."""

    def decorate(view: View) -> View:
        called = synchronous(view)

        @wraps(view)
        def relayed(*args: Any, **kwargs: Any) -> Response:
            upgrade: Upgrade | None = request.environ.get(UPGRADE)
            refusal = None if upgrade is None else _check(upgrade, options)
            if refusal is not None:
                return refusal
            if upgrade is None:
                return _relay(answer_of(called, args, kwargs), upgrade, options)
            seconds = options.handshake_timeout
            try:
                response = within(seconds, lambda: answer_of(called, args, kwargs))
            except TooLate:
                return _refuse_late(upgrade, seconds)
            return _relay(response, upgrade, options)

        setattr(relayed, MARK, True)
        return relayed  # type: ignore[return-value]

    return decorate


def _check(upgrade: Upgrade, options: RelayOptions) -> Response | None:
    """Return the refusal of an upgrade that can be told before the view runs."""
    refusal = check(
        upgrade.method, upgrade.http_version, upgrade.version, upgrade.key, upgrade.extensions
    )
    if refusal is not None:
        RELAY.count("bad_handshake")
        return refusal_response(refusal)
    environ = request.environ
    if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        # Whoever does not read it would take it for frames.
        RELAY.count("bad_handshake")
        return refuse(400, "A WebSocket is asked for without a body.")
    unwanted = RELAY.refuse_origin(upgrade.origin, options.origins, options.allowed_origins)
    if unwanted is not None:
        return unwanted
    if not upgrade.is_supported:
        return RELAY.refuse_server()
    connections = state_of(current_app).connections
    if connections.is_draining:
        RELAY.count("draining")
        return going_away()
    if not connections.reserve(upgrade, options.max_connections):
        return RELAY.refuse_place("max.connections", options.max_connections)
    limit = options.max_connections_per_ip
    if not connections.count_for(upgrade, "address", request.remote_addr or "", limit):
        return RELAY.refuse_place("max.connections.per.ip", limit)
    return None


def _refuse_late(upgrade: Upgrade, seconds: float) -> Response:
    RELAY.count("late")
    log.warning(
        "%s: view %s had not answered after wsrelay.handshake.timeout, %g s",
        upgrade.path,
        request.endpoint,
        seconds,
    )
    # Whom it was about to name nobody knows, so all that it has spawned for nobody else goes.
    cancel_children()
    return refuse(503, "The server took too long to answer.", RETRY_AFTER)


def _relay(response: Response, upgrade: Upgrade | None, options: RelayOptions) -> Response:
    header = RELAY.command_in(response)
    if header is None:
        if upgrade is not None:
            RELAY.count("view")
        return response
    try:
        command = parse_command(header)
        node = state_of(current_app).node
        target = find_target(node, command.target_pid)
        if target is not None:
            check_metadata(node.find(target), command.metadata, HEADER)
    except InvalidRelayCommand as error:
        return RELAY.refuse_command(header, error)
    if upgrade is None:
        cancel_if_orphan(target)
        RELAY.count("not_an_upgrade")
        return refusal_response(NOT_AN_UPGRADE)
    if target is None:
        return RELAY.refuse_gone(command.target_pid)
    user, limit = command.metadata.get("user_id"), options.max_connections_per_user
    connections = state_of(current_app).connections
    if user is not None and not connections.count_for(upgrade, "user", str(user), limit):
        cancel_if_orphan(target)
        return RELAY.refuse_place("max.connections.per.user", limit)
    # As they are seen after a trusted proxy.
    upgrade.path = request_path()
    upgrade.remote_addr = request.remote_addr or ""
    note_route()
    upgrade.acceptance = Acceptance(command, target, options)
    empty(response)
    return response
