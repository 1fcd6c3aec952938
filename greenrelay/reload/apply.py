"""A new configuration for apps that serve: all of it, or nothing when anything is wrong with it.

Source: Configuration, the item on SIGHUP. Sockets stay open: a connection goes on under the options
it was opened with. Limits of hosts hold for new processes: ``max_processes`` for those that are
spawned, and the length of inboxes that do not exist yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import invalidate_caches

from flask import Flask

from greenrelay.boot import (
    APPLIED,
    Applied,
    cluster_problems,
    declare,
    import_problems,
    in_force,
    parts,
    read,
)
from greenrelay.config.anchor import directory_problems
from greenrelay.config.mark import told
from greenrelay.config.resolve import Configuration
from greenrelay.dashboard.mount import dashboards_changed
from greenrelay.errors import ConfigError, GreenRelayError
from greenrelay.http.registry import middleware_specs
from greenrelay.http.state import state_of
from greenrelay.reload.changes import Changes, changes
from greenrelay.reload.routes import exchange, spare_app
from greenrelay.reload.services import ServicePlan, change_services, service_plan
from greenrelay.runtime.node import DEFAULT_HOST, Node


def reload(app: Flask) -> Changes:
    """Read the files of ``app`` again and apply what has changed; see reload_apps."""
    applied = _applied(app)
    with applied.turn:
        return _reload([(app, applied)], _read(applied.configuration), is_split=False)


def reload_apps(apps: Sequence[Flask]) -> Changes:
    """Read the files of apps that share a node, one for each http.service, and apply what changed.

    Returns what has changed, once the services have been restarted; waits for a reload that is on
    its way. Raises ConfigError with every problem, and then nothing has changed.
    """
    pairs = [(app, _applied(app)) for app in apps]
    with pairs[0][1].turn:
        return _reload(pairs, _read(pairs[0][1].configuration), is_split=True)


def _applied(app: Flask) -> Applied:
    applied = app.extensions.get(APPLIED)
    if not isinstance(applied, Applied):
        raise ConfigError([f"app {app.name!r} has no configuration that could be read again"])
    return applied


def _read(old: Configuration) -> Configuration:
    if not old.files or old.files[0].startswith("<"):
        raise ConfigError([f"{old.file}: is no file, so it cannot be read again"])
    # A module that was written after the program started can be found.
    invalidate_caches()
    return read(list(old.files), old.settings)


def _reload(
    pairs: Sequence[tuple[Flask, Applied]], new: Configuration, *, is_split: bool
) -> Changes:
    old = pairs[0][1].configuration
    found = changes(old, new, middleware_specs([]))
    given = _divided(pairs, new) if is_split else [(*pairs[0], new)]
    # Whatever can go wrong does so before anything is changed.
    spares = [(*each, spare_app(*each)) for each in given] if found.are_for_routes else []
    problems = told([*import_problems(new), *directory_problems(new.all), *cluster_problems(new)])
    if problems:
        raise ConfigError(problems)
    node = state_of(pairs[0][0]).node
    plan = service_plan(old, new, pairs[0][1].missing)
    declare(node, new)
    for app, applied, _, spare in spares:
        exchange(app, applied, spare)
    for _, applied, part in given:
        applied.configuration = part
    # The first app has what belongs to the node; one that has lost its server goes on as it is.
    pairs[0][1].configuration = new
    dashboards_changed(pairs[0][0], new, in_force)
    troubles = _change_services(node, pairs[0][1], plan)
    _drop_hosts(node, old, new)
    return Changes(found.lines, (*found.warnings, *troubles), found.are_for_routes)


def _divided(
    pairs: Sequence[tuple[Flask, Applied]], new: Configuration
) -> list[tuple[Flask, Applied, Configuration]]:
    by_server = {part.servers[0].id: part for part in parts(new)}
    found = []
    for app, applied in pairs:
        part = by_server.get(state_of(app).servers[0].id)
        if part is not None:
            found.append((app, applied, part))
    if not found:
        raise ConfigError([f"{new.file}: none of the servers that listen is in it"])
    return found


def _drop_hosts(node: Node, old: Configuration, new: Configuration) -> None:
    """Let nothing be spawned any more on the hosts that are gone; what runs there goes on."""
    kept = [host.id for host in new.hosts]
    for host in old.hosts:
        if host.id not in kept:
            node.hosts.pop(host.id, None)
    if node.default_host not in node.hosts:
        node.default_host = kept[0] if kept else DEFAULT_HOST


def _change_services(node: Node, applied: Applied, plan: ServicePlan) -> list[str]:
    # Whoever starts the services later will start those that are in force then.
    if not plan or not applied.have_started:
        return []
    if applied.supervisor is None:
        applied.start_services(node)
        return []
    try:
        troubles: dict[str, str] = node.run(change_services, applied.supervisor, plan)
    except GreenRelayError as error:
        return [f"services were not restarted: {error}"]
    applied.missing = frozenset(troubles)
    return [f"service {key} was not started: {why}" for key, why in troubles.items()]
