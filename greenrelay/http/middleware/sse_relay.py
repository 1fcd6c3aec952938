"""``sse_relay``: makes a stream of events of a request whose view names a process.

Source: Server-sent Events Relay. It stands around the view, after routing. What can be known before
the view runs (origin, caps, draining) is checked before it, so a refused client spawns nothing.

Nothing tells a request for a stream from another one: a browser asks with an ordinary GET. So
these checks hold for each GET of a view under this middleware, whether it will stream or not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from flask import current_app, request
from werkzeug.wrappers import Response

from greenrelay.config.options import duration, option, size
from greenrelay.config.read import integer_from
from greenrelay.core.pid import Pid
from greenrelay.errors import InvalidRelayCommand
from greenrelay.http.middleware.decorator import synchronous
from greenrelay.http.middleware.finish import READER_OF_RELAY, add_vary
from greenrelay.http.middleware.reader import origin_patterns
from greenrelay.http.middleware.relay import (
    Relay,
    answer_of,
    cancel_if_orphan,
    cancel_named,
    empty,
    note_route,
    request_path,
    request_scope,
)
from greenrelay.http.relay_response import find_target, going_away, refuse
from greenrelay.http.state import AppState, state_of
from greenrelay.http.stream_answer import StreamAnswer
from greenrelay.relay.origin import OriginPolicy, parse_origins
from greenrelay.relay.places import Place
from greenrelay.relay.slowness import CLOSES, SlowPolicy, parse_slow_policy
from greenrelay.relay.sse import last_event_id
from greenrelay.relay.sse_command import HEADER, parse_stream_command
from greenrelay.transport.stream_opening import StreamRequest
from greenrelay.transport.target import check_metadata
from greenrelay.transport.upgrade import UPGRADE, can_take_over

log = logging.getLogger("greenrelay.http")

View = TypeVar("View", bound=Callable[..., Any])
MEDIA_TYPE = "text/event-stream"
RELAY = Relay("sse_relay", "sserelay", HEADER, "stream", "events")

_count = integer_from(0)
# The kernel counts it in milliseconds, in 32 bits.
_LONGEST_PING_TIMEOUT = 24 * 86400.0


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The options of one relay; times in seconds, sizes in bytes, 0 is no cap."""

    allowed_origins: tuple[str, ...] = option("sserelay.allowed.origins", origin_patterns, ())
    max_connections: int = option("sserelay.max.connections", _count, 10_000)
    max_connections_per_ip: int = option("sserelay.max.connections.per.ip", _count, 0)
    max_connections_per_user: int = option("sserelay.max.connections.per.user", _count, 0)
    ping_interval: float = option("sserelay.ping.interval", duration, 25.0)
    ping_timeout: float = option("sserelay.ping.timeout", duration, 10.0)
    queue_messages: int = option("sserelay.queue.messages", _count, 256)
    queue_bytes: int = option("sserelay.queue.bytes", size, 1024 * 1024)
    # Like all others a field; ruff does not know that the value is frozen.
    slow_policy: SlowPolicy = option(  # noqa: RUF009 - option() is dataclasses.field
        "sserelay.slow.policy", parse_slow_policy, CLOSES
    )
    retry: float = option("sserelay.retry", duration, 3.0)
    drain_period: float = option("sserelay.drain.period", duration, 10.0)
    origins: OriginPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ping_timeout > _LONGEST_PING_TIMEOUT:
            raise ValueError(
                f"sserelay.ping.timeout is {self.ping_timeout:g} s; it must be at most 24d"
            )
        policy = parse_origins(self.allowed_origins)
        if policy.allows_all:
            log.warning("sserelay.allowed.origins is *: any page may listen, without cookies")
        object.__setattr__(self, "origins", policy)


def sse_relay(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that streams to the clients of a view; it goes under the route decorator.

    Options are those of the YAML router without ``sserelay.`` and with underscores:
    ``allowed_origins=["https://app.example.com"]``, ``queue_messages=16``. Raises ConfigError, and
    TypeError when the parentheses are missing.
    """
    return stream_middleware(RELAY.options(StreamOptions, view, options))


def stream_middleware(options: StreamOptions) -> Callable[[View], View]:
    """Return the middleware itself, for typed options."""

    def decorate(view: View) -> View:
        called = synchronous(view)

        @wraps(view)
        def streamed(*args: Any, **kwargs: Any) -> Response:
            if request.method != "GET" or UPGRADE in request.environ:
                return _refuse_stream(answer_of(called, args, kwargs))
            state = state_of(current_app)
            place = _reserve(state, options)
            if isinstance(place, Response):
                return place
            attempt = _Attempt(state, options, place)
            try:
                return attempt.respond(answer_of(called, args, kwargs))
            finally:
                attempt.close()

        return streamed  # type: ignore[return-value]

    return decorate


def _reserve(state: AppState, options: StreamOptions) -> Place | Response:
    """Return a place for the request, or the refusal that can be told before the view runs."""
    origin = request.headers.get("Origin")
    refusal = RELAY.refuse_origin(origin, options.origins, options.allowed_origins)
    if refusal is not None:
        return refusal
    if state.connections.is_draining:
        RELAY.count("draining")
        return going_away()
    places = state.streams.places
    place = places.take(options.max_connections)
    if place is None:
        return RELAY.refuse_place("max.connections", options.max_connections)
    limit = options.max_connections_per_ip
    if not places.count_for(place, "address", request.remote_addr or "", limit):
        places.give_back(place)
        return RELAY.refuse_place("max.connections.per.ip", limit)
    return place


class _Attempt:
    """One request that may become a stream; its place goes back unless it does."""

    def __init__(self, state: AppState, options: StreamOptions, place: Place) -> None:
        self._state = state
        self._options = options
        self._place: Place | None = place

    def respond(self, response: Response) -> Response:
        """Return what Flask answers: the view's own response, a refusal, or a stream's head."""
        header = RELAY.command_in(response)
        if header is None:
            return response
        try:
            command = parse_stream_command(header)
            node = self._state.node
            target = command.target_pid and find_target(node, command.target_pid)
            if target:
                check_metadata(node.find(target), command.metadata, HEADER)
        except InvalidRelayCommand as error:
            return RELAY.refuse_command(header, error)
        state = self._state
        if command.target_pid is not None and not target:
            return RELAY.refuse_gone(command.target_pid)
        pid = Pid.parse(target) if target else None
        refusal = self._check(command.metadata.get("user_id"))
        if refusal is not None:
            cancel_if_orphan(pid)
            return refusal
        note_route()
        place, self._place = self._place, None
        assert place is not None, "a request becomes a stream once"
        listener = StreamRequest(
            path=request_path(),
            remote_addr=request.remote_addr or "",
            last_event_id=last_event_id(request.environ.get("HTTP_LAST_EVENT_ID")),
            place=place,
        )
        scope = request_scope()
        scope.stream = StreamAnswer(state, scope, listener, command, pid, self._options)
        _allow_origin(response, self._options.origins)
        empty(response)
        return response

    def close(self) -> None:
        """Give the place back, if it is not a stream's by now."""
        if self._place is not None:
            self._state.streams.places.give_back(self._place)

    def _check(self, user: object) -> Response | None:
        """Return the refusal of a stream that only the view's answer tells."""
        if request.accept_mimetypes and not request.accept_mimetypes.quality(MEDIA_TYPE):
            RELAY.count("not_acceptable")
            return refuse(406, f"This address answers with {MEDIA_TYPE}.")
        if not can_take_over(request.environ):
            return RELAY.refuse_server()
        limit, place = self._options.max_connections_per_user, self._place
        assert place is not None, "a request becomes a stream once"
        places = self._state.streams.places
        if user is not None and not places.count_for(place, "user", str(user), limit):
            return RELAY.refuse_place("max.connections.per.user", limit)
        return None


def _allow_origin(response: Response, origins: OriginPolicy) -> None:
    """Let the page of another origin that was allowed read the stream, unless the view has."""
    origin = request.headers.get("Origin")
    if origin is None or "Access-Control-Allow-Origin" in response.headers:
        return
    request.environ[READER_OF_RELAY] = True
    if origins.allows_all:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    add_vary(response.headers, "Origin")


def _refuse_stream(response: Response) -> Response:
    """Return the response, unless it asks for a stream where there cannot be one."""
    header = RELAY.command_in(response)
    if header is None:
        return response
    cancel_named(header)
    RELAY.count("bad_handshake")
    return refuse(400, "A stream of events is asked for with GET, and without an upgrade.")
