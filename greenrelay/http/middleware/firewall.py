"""What both firewalls do: ask the policies before the view, and refuse.

Source: HTTP, "Middleware", rows endpoint_firewall and resource_firewall (401 without an actor, 403
without permission). Both answer before a handshake, so a client that is refused has neither a
connection nor a process.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import request
from werkzeug.wrappers import Response

from greenrelay.config.fragment import text_like, written_as
from greenrelay.config.mark import shown
from greenrelay.config.naming import blueprint_name, endpoint_name
from greenrelay.http.actor import authority, current_actor
from greenrelay.http.middleware.decorator import synchronous

log = logging.getLogger("greenrelay.http")

View = TypeVar("View", bound=Callable[..., Any])
_ACTION = r"[^\s*]+"


@written_as(text_like(_ACTION))
def action_name(value: object) -> str:
    """Read an action: a word, and no pattern."""
    word = value.strip() if isinstance(value, str) else ""
    if not word or "*" in word or len(word.split()) > 1:
        raise ValueError(f'is {shown(value)}; it must be a word without "*", such as "access"')
    return word


def guard(action: str, resource: Callable[[], str | None]) -> Callable[[View], View]:
    """Return a decorator that lets through who may do ``action`` with ``resource()``.

    A resource of None cannot be told, and so nobody may.
    """

    def decorate(view: View) -> View:
        called = synchronous(view)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            refusal = _refusal(action, resource())
            return called(*args, **kwargs) if refusal is None else refusal

        return guarded  # type: ignore[return-value]

    return decorate


def flask_endpoint(router_id: str, endpoint_id: str) -> str:
    """Return the name under which Flask knows the endpoint of an entry."""
    return f"{blueprint_name(router_id)}.{endpoint_name(router_id, endpoint_id)}"


def _refusal(action: str, resource: str | None) -> Response | None:
    decides = authority("endpoint_firewall")
    actor = current_actor()
    if actor is None or not actor.is_valid(decides.now()):
        return _refuse(401, "unauthorized", WWW_Authenticate="Bearer")
    if resource is not None and decides.allows(actor, action, resource, _question()):
        return None
    log.info("%s: actor %s may not %s %s", request.path, actor.id, action, resource)
    return _refuse(403, "forbidden")


def _question() -> dict[str, object]:
    return {
        "method": request.method,
        "path": request.root_path.rstrip("/") + request.path,
        "remote_addr": request.remote_addr or "",
        "params": dict(request.view_args or {}),
    }


def _refuse(status: int, error: str, **headers: str) -> Response:
    answer = Response(f"{json.dumps({'error': error})}\n", status, mimetype="application/json")
    for name, value in headers.items():
        answer.headers[name.replace("_", "-")] = value
    return answer
