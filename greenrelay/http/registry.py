"""Which middleware there is, by name: greenrelay's own, what programs register, and plug-ins.

Source: HTTP, "Middleware". A package brings some by an entry point of the group
``greenrelay.middleware`` that names a Middleware ::

    [options.entry_points]
    greenrelay.middleware =
        acme.audit = acme.audit:AUDIT

A program calls ``register_middleware`` before its configuration is read. Both are as wide as the
process: a name means the same for every app in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenrelay.config.mark import Problem
from greenrelay.config.middleware import LISTS, MiddlewareSpec
from greenrelay.config.plugin import load_plugins
from greenrelay.http.middleware.compress import CompressOptions, compress_middleware
from greenrelay.http.middleware.cors import CorsOptions, cors_middleware
from greenrelay.http.middleware.endpoint_firewall import (
    EndpointFirewallOptions,
    endpoint_middleware,
)
from greenrelay.http.middleware.metrics import metrics_middleware
from greenrelay.http.middleware.otel import otel_middleware
from greenrelay.http.middleware.ratelimit import RateLimitOptions, ratelimit_middleware
from greenrelay.http.middleware.real_ip import RealIpOptions, real_ip_middleware
from greenrelay.http.middleware.resource_firewall import (
    ResourceFirewallOptions,
    resource_middleware,
)
from greenrelay.http.middleware.sendfile import SendfileOptions, sendfile_middleware
from greenrelay.http.middleware.sse_relay import StreamOptions, stream_middleware
from greenrelay.http.middleware.token_auth import TokenOptions, token_middleware
from greenrelay.http.middleware.websocket_relay import RelayOptions, relay_middleware

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

View = Callable[..., Any]
Wrap = Callable[[View], View]
Factory = Callable[[Any], Wrap]

MIDDLEWARE_GROUP = "greenrelay.middleware"


@dataclass(frozen=True, slots=True)
class Middleware:
    """A middleware: ``factory`` is called with its typed options, for each router that lists it.

    What it returns is called with what stands inside and returns what stands in its place. At stage
    "post" that is a view, called with the parameters of the path. At stage "pre" it is called
    without any, inside the request's context, and returns a Response whatever happens in the app;
    so what stands in its place returns one too, or raises what Flask makes one of. ``options`` is a
    frozen dataclass of ``option`` fields; without one the factory gets None.
    """

    factory: Factory
    stage: str
    options: type[DataclassInstance] | None = None

    def __post_init__(self) -> None:
        if self.stage not in LISTS:
            raise ValueError(f"stage: {self.stage!r} must be one of {', '.join(LISTS)}")
        if not callable(self.factory):
            raise TypeError(f"factory: {self.factory!r} must be callable")
        cls: object = self.options
        if cls is not None and not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            raise TypeError(f"options: {cls!r} must be a dataclass")


OWN: Mapping[str, Middleware] = {
    "token_auth": Middleware(token_middleware, "pre", TokenOptions),
    "endpoint_firewall": Middleware(endpoint_middleware, "post", EndpointFirewallOptions),
    "resource_firewall": Middleware(resource_middleware, "post", ResourceFirewallOptions),
    "cors": Middleware(cors_middleware, "pre", CorsOptions),
    "ratelimit": Middleware(ratelimit_middleware, "pre", RateLimitOptions),
    "real_ip": Middleware(real_ip_middleware, "pre", RealIpOptions),
    "compress": Middleware(compress_middleware, "pre", CompressOptions),
    "sendfile": Middleware(sendfile_middleware, "pre", SendfileOptions),
    "metrics": Middleware(metrics_middleware, "pre"),
    "otel": Middleware(otel_middleware, "pre"),
    "websocket_relay": Middleware(relay_middleware, "post", RelayOptions),
    "sse_relay": Middleware(stream_middleware, "post", StreamOptions),
}
_registered: dict[str, Middleware] = {}


def register_middleware(
    name: str, factory: Factory, stage: str, *, options: type[DataclassInstance] | None = None
) -> None:
    """Let routers list ``name``; see Middleware for the rest.

    Raises ValueError for a stage that is none and a name that is taken by another middleware,
    TypeError for what is no factory and no dataclass.
    """
    if not name or any(letter.isspace() or letter == "," for letter in name):
        raise ValueError(f"name: {name!r} must be a word without spaces and commas")
    wanted = Middleware(factory, stage, options)
    if name in OWN or _registered.get(name, wanted) != wanted:
        raise ValueError(f"name: {name!r} is taken by another middleware")
    _registered[name] = wanted


def known_middleware(problems: list[Problem]) -> Mapping[str, Middleware]:
    """Return every middleware by name; plug-ins that are none are problems."""
    found = {**OWN, **_registered}
    for name, (mark, each) in load_plugins(MIDDLEWARE_GROUP, problems).items():
        if not isinstance(each, Middleware):
            problems.append(Problem(mark, f"is {each!r}; it must be a Middleware"))
        elif found.setdefault(name, each) != each:
            problems.append(Problem(mark, f"{name} is taken by another middleware"))
    return found


def middleware_specs(problems: list[Problem]) -> Mapping[str, MiddlewareSpec]:
    """Return what a configuration needs to know of every middleware."""
    found = known_middleware(problems)
    return {name: MiddlewareSpec(name, each.stage, each.options) for name, each in found.items()}


SPECS: Mapping[str, MiddlewareSpec] = {
    name: MiddlewareSpec(name, each.stage, each.options) for name, each in OWN.items()
}
