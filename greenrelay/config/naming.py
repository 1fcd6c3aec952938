"""The names that routers and endpoints have in Flask, as ``url_for`` takes them.

Source: HTTP, "Entries". Flask divides names at dots, so in an id dots and colons become
underscores: ``app:api.v1`` is the blueprint ``app_api_v1``. An endpoint goes by its name alone,
unless it is of another namespace than its router.
"""

from __future__ import annotations

_FOLDED = str.maketrans(".:", "__")


def blueprint_name(router_id: str) -> str:
    """Return the name of the blueprint that a router is."""
    return router_id.translate(_FOLDED)


def endpoint_name(router_id: str, endpoint_id: str) -> str:
    """Return the name of an endpoint within the blueprint of its router."""
    namespace, _, name = endpoint_id.partition(":")
    is_own = namespace == router_id.partition(":")[0]
    return (name if is_own else endpoint_id).translate(_FOLDED)
