"""``endpoint_firewall``: only who may access an endpoint reaches its view.

Source: HTTP, "Middleware", row endpoint_firewall. The resource is the id of the ``http.endpoint``
entry, ``namespace:name``; of a view that no entry describes it is Flask's name for the endpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import request

from greenrelay.config.options import option
from greenrelay.http.actor import authority
from greenrelay.http.middleware.decorator import View, keyword_options
from greenrelay.http.middleware.firewall import action_name, guard


@dataclass(frozen=True, slots=True)
class EndpointFirewallOptions:
    """What is asked about the endpoint."""

    action: str = option("endpoint_firewall.action", action_name, "access")


def endpoint_firewall(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that asks the policies before a view; it goes below ``token_auth``.

    ``action`` is "access" unless given. Without an actor the answer is 401, without permission
    403. Raises ConfigError, and TypeError when the parentheses are missing.
    """
    name = "endpoint_firewall"
    return endpoint_middleware(keyword_options(name, name, EndpointFirewallOptions, view, options))


def endpoint_middleware(options: EndpointFirewallOptions) -> Callable[[View], View]:
    """Return the middleware itself, for typed options."""
    return guard(options.action, _resource)


def _resource() -> str | None:
    endpoint = request.endpoint
    if endpoint is None:
        return None
    return authority("endpoint_firewall").endpoint_ids.get(endpoint, endpoint)
