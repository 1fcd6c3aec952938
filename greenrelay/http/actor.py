"""The actor of what runs, and what it may do: what views and processes call.

Source: HTTP, "Security" ("an actor follows the request into the processes it spawns and the
connection it opens"). A request has its actor in ``g.actor`` and in its context, which its children
inherit, its messages carry and its connection finds in the environ.

A request that is made inside another one with a test client, or after another one in the same
application context, has the same ``g``; so beside the actor it says whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import g, has_request_context, request
from greenlet import getcurrent

from greenrelay.core.message import Message
from greenrelay.errors import UnsupportedServer
from greenrelay.http.scope import RequestScope
from greenrelay.http.state import node_of_current_app
from greenrelay.runtime.current import current_node, current_process
from greenrelay.runtime.messaging import inherited
from greenrelay.security.actor import CONTEXT_KEY, Actor
from greenrelay.security.authority import NOTHING, Authority, authority_of
from greenrelay.security.token_store import TokenStore
from greenrelay.transport.ledger import CONTEXT

# In ``g``: the environ of the request whose actor it has.
_REQUEST = "_greenrelay_actor_of"


def act_as(actor: Actor) -> None:
    """Let ``actor`` be the one who makes the running request.

    ``token_auth`` calls it; a login of another sort calls it before the view runs. Raises
    RuntimeError outside a request.
    """
    _put(actor)
    try:
        process = current_process()
    except UnsupportedServer:
        # Where no request can be a process none can spawn one, or open a connection.
        return
    if process is not None:
        carried = inherited(process, {CONTEXT_KEY: actor})
        process.context = request.environ[CONTEXT] = carried


def act_as_nobody() -> None:
    """Say that nobody was recognised, unless somebody makes the running request already."""
    owner = g.get(_REQUEST)
    if owner is None:
        g.setdefault("actor", None)
    elif owner is not request.environ:
        _put(None)


def set_outer_aside() -> Callable[[], None] | None:
    """Return what gives the request around the running one its actor back; None without one."""
    running = getcurrent()
    scope = getattr(running, "greenrelay_scope", None)
    if not isinstance(scope, RequestScope) or scope.outer is None:
        return None
    process = getattr(running, "greenrelay_process", None)
    context = {} if process is None else process.context
    actor, owner = g.get("actor"), g.get(_REQUEST)
    if process is not None:
        process.context = {key: each for key, each in context.items() if key != CONTEXT_KEY}

    def give_back() -> None:
        g.actor = actor
        setattr(g, _REQUEST, owner)
        if process is not None:
            process.context = context

    return give_back


def current_actor() -> Actor | None:
    """Return the actor of the running request or process; None where there is none.

    A process has that of the request that has spawned it, however long ago: it may have expired.
    """
    if has_request_context():
        own = request.environ
        return _actor(g.get("actor")) if g.get(_REQUEST, own) is own else None
    process = current_process()
    return None if process is None else _actor(process.context.get(CONTEXT_KEY))


def actor_of(message: Message) -> Actor | None:
    """Return the actor who stands behind a message.

    That is the one of the process or request that has sent it, and of ``ws.join``, ``ws.message``,
    ``ws.leave``, ``sse.join`` and ``sse.leave`` the one who has opened the connection.
    """
    return _actor(message.context.get(CONTEXT_KEY))


def is_allowed(
    action: str,
    resource: str,
    *,
    meta: Mapping[str, object] = NOTHING,
    actor: Actor | None = None,
) -> bool:
    """Say whether the current actor, or ``actor``, may do ``action`` with ``resource``.

    ``meta`` is what conditions find under ``meta.``. False without an actor, for one that has
    expired or was revoked, and where no policy allows it.
    """
    who = current_actor() if actor is None else actor
    return authority("is_allowed").allows(who, action, resource, meta)


def token_store(name: str) -> TokenStore:
    """Return the token store that the entry ``name`` describes; raises UnknownEntry."""
    return authority("token_store").store(name)


def authority(function: str) -> Authority:
    """Return what decides here, on behalf of ``function``; raises NotInProcess."""
    # Asked in this order, a request need not become a process for it.
    return authority_of(node_of_current_app() or current_node(function))


def _put(actor: Actor | None) -> None:
    g.actor = actor
    setattr(g, _REQUEST, request.environ)


def _actor(found: object) -> Actor | None:
    return found if isinstance(found, Actor) else None
