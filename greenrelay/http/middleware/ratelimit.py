"""``ratelimit``: how many requests a client may make, by its address, a header or a parameter.

Source: HTTP, "Middleware", row ratelimit; RFC 6585, section 4; RFC 9110, section 10.2.3.
``greenrelay.relay.throttle`` has the rule.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, IPv6Network
from math import ceil

from flask import current_app, request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from greenrelay.config.fragment import text_like, written_as
from greenrelay.config.mark import shown
from greenrelay.config.options import duration, option, text
from greenrelay.config.read import integer_from
from greenrelay.http.middleware.decorator import Handler, View, keyword_options
from greenrelay.http.middleware.finish import Finish, finish_answers, finish_views
from greenrelay.http.relay_response import refuse
from greenrelay.http.state import state_of
from greenrelay.relay.throttle import Throttle, Verdict
from greenrelay.websocket.handshake import is_token

log = logging.getLogger("greenrelay.http")

LIMIT = "X-RateLimit-Limit"
REMAINING = "X-RateLimit-Remaining"
WINDOW = "X-RateLimit-Window"

BY_ADDRESS = "ip"
# A provider gives at least so many addresses to each of its customers.
_IPV6_PREFIX = 64
# What a client can make us remember for one entry.
_LONGEST_KEY = 64
_QUIET_SECONDS = 60.0

_positive = integer_from(1)


@written_as(text_like(r"ip|header\s*:\s*\S+|query\s*:\s*\S[\s\S]*"))
def _key(value: object) -> str:
    """Read ``ip``, ``header:X-Name`` or ``query:name``."""
    kind, colon, name = text(value).partition(":")
    kind, name = kind.strip(), name.strip()
    if kind == BY_ADDRESS and not colon:
        return kind
    if (kind == "header" and is_token(name)) or (kind == "query" and name):
        return f"{kind}:{name}"
    raise ValueError(f"is {shown(value)}; it must be ip, header:X-Name or query:name")


@dataclass(frozen=True, slots=True)
class RateLimitOptions:
    """The options of one limit; ``window`` and ``entry_ttl`` in seconds."""

    requests: int = option("ratelimit.requests", _positive, 100)
    window: float = option("ratelimit.window", duration, 60.0)
    burst: int = option("ratelimit.burst", _positive, 20)
    key: str = option("ratelimit.key", _key, BY_ADDRESS)
    entry_ttl: float = option("ratelimit.entry_ttl", duration, 600.0)
    max_entries: int = option("ratelimit.max_entries", _positive, 100_000)

    def __post_init__(self) -> None:
        if self.window <= 0:
            raise ValueError(f"ratelimit.window is {self.window:g} s; it must be above 0 s")


def ratelimit(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that limits the requests to a view; it goes under the route decorator.

    Options are those of the YAML router without ``ratelimit.``: ``requests=10, window="1m"``,
    ``key="header:X-API-Key"``. Used on several views, one decorator is one limit for them all.
    Raises ConfigError, and TypeError when the parentheses are missing.
    """
    found = keyword_options("ratelimit", "ratelimit", RateLimitOptions, view, options)
    return finish_views(_Limit(found).decide)


def ratelimit_middleware(options: RateLimitOptions) -> Callable[[Handler], Handler]:
    """Return the middleware itself, for typed options."""
    return finish_answers(_Limit(options).decide)


class _Limit:
    """One limit, with the buckets of its clients."""

    def __init__(self, options: RateLimitOptions) -> None:
        self._options = options
        self._throttle = Throttle(
            rate=options.requests / options.window,
            capacity=options.burst,
            entry_ttl=options.entry_ttl,
            max_entries=options.max_entries,
        )
        window = options.window
        self._window = str(int(window)) if window == int(window) else f"{window:g}"
        self._read = _reader(options.key)
        self._quiet_until = float("-inf")

    def decide(self) -> Response | Finish:
        """Return the refusal of one request too many, or what tells the others how many remain."""
        now = state_of(current_app).node.timers.now()
        verdict = self._throttle.take(self._client(), now)
        if verdict.is_shared:
            self._warn(now)

        def finish(response: Response) -> Response:
            self._tell(response.headers, verdict)
            return response

        return finish if verdict.is_allowed else finish(_refusal(verdict))

    def _client(self) -> str:
        """Return whose request it is."""
        value = self._read()
        if not value:
            return f"{BY_ADDRESS}:{_site_of(request.remote_addr or '')}"
        if len(value) > _LONGEST_KEY:
            value = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
        return f"key:{value}"

    def _tell(self, headers: Headers, verdict: Verdict) -> None:
        # Of two limits a client has to heed the narrower one.
        told = headers.get(REMAINING, "")
        if told.isdecimal() and int(told) <= verdict.remaining:
            return
        headers[LIMIT] = str(self._options.requests)
        headers[REMAINING] = str(verdict.remaining)
        headers[WINDOW] = self._window

    def _warn(self, now: float) -> None:
        if now < self._quiet_until:
            return
        self._quiet_until = now + _QUIET_SECONDS
        log.warning(
            "%s: ratelimit.max_entries, %d clients, have come in a short time; those that are new "
            "share one bucket until there is room",
            request.path,
            self._options.max_entries,
        )


def _reader(key: str) -> Callable[[], str | None]:
    """Return what reads the key from the running request; "" or None where it has none."""
    kind, _, name = key.partition(":")
    if kind == "header":
        return lambda: request.headers.get(name)
    if kind == "query":
        return lambda: request.args.get(name)
    return lambda: None


def _site_of(address: str) -> str:
    """Return what stands for a client: its address, of IPv6 the network it has to itself."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), _IPV6_PREFIX), strict=False))


def _refusal(verdict: Verdict) -> Response:
    # A wait is the sum of floats; a second is not added for the last digits of one.
    seconds = max(1, ceil(verdict.wait - 1e-6))
    sentence = f"Too many requests; the next may come in {seconds} s."
    return refuse(429, sentence, [("Retry-After", str(seconds))])
