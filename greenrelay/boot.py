"""From a configuration to a running app: the only place where everything is wired.

Source: Configuration; HTTP, "Entries".
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

from flask import Flask
from gevent.lock import BoundedSemaphore

from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.local import LOCAL
from greenrelay.config.anchor import directory_problems
from greenrelay.config.entries import Entry, ProcessService
from greenrelay.config.loader import Source
from greenrelay.config.mark import Problem, told
from greenrelay.config.resolve import Configuration, draft
from greenrelay.core.pid import Pid
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child, ChildState
from greenrelay.dashboard.mount import mount_dashboard
from greenrelay.errors import ConfigError, EngineError
from greenrelay.http.authorise import authorise, store_problems
from greenrelay.http.clash import blueprint_clashes
from greenrelay.http.registry import known_middleware, middleware_specs
from greenrelay.http.router import blueprint_problems, mount_router, why_not_imported
from greenrelay.http.state import AppState
from greenrelay.http.static import know_files, mount_static
from greenrelay.runtime.entry import import_callable
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.runtime.service import start_services
from greenrelay.runtime.watchdog import THRESHOLD, Watchdog

log = logging.getLogger("greenrelay.config")
APPLIED = "greenrelay.applied"
# How long the hub may be kept busy until the watchdog reports it: a duration, or OFF.
WATCHDOG_VARIABLE, OFF = "GREENRELAY_WATCHDOG", "off"
# How often somebody who needs services looks whether they have started, in seconds.
LOOK_INTERVAL = 0.02


@runtime_checkable
class SetsUp(Protocol):
    """An entry of a plug-in that does something: it is called once, before anything runs."""

    def set_up(self, app: Flask) -> None:
        """Set up ``app``, which has its node by now."""


@dataclass(slots=True, eq=False)
class Applied:
    """The configuration in force in one app, which a reload replaces.

    ``blueprints`` and ``views`` are the names it has mounted, ``supervisor`` is that of its
    services, if there are any and they ``have_started``; ``missing`` are those a reload could not
    start.
    """

    configuration: Configuration
    blueprints: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    supervisor: Pid | None = None
    have_started: bool = False
    missing: frozenset[str] = frozenset()
    # Held by the reload that is on its way: there may be several who ask for one.
    turn: BoundedSemaphore = field(default_factory=BoundedSemaphore)

    def start_services(self, node: Node) -> None:
        """Start the services that start by themselves, if there are any."""
        self.have_started = True
        found = children(self.configuration)
        if found:
            self.supervisor = start_services(node, found)


def read(source: Source, settings: Iterable[str] = ()) -> Configuration:
    """Return the checked configuration; its folder and the working directory can be imported from.

    ``settings`` are those of ``--set``. Raises ConfigError with every problem; of a configuration
    that has one, also with what cannot be imported.
    """
    for folder in dict.fromkeys([*_folders(source), Path.cwd()]):
        _import_from(folder)
    problems: list[Problem] = []
    found = draft(source, middleware=middleware_specs(problems), settings=settings)
    if found.problems or found.refusals or problems:
        told_already = {(each.mark, each.field) for each in found.problems}
        problems += import_problems(found.configuration, found.declared)
        problems += directory_problems(found.configuration.all)
        problems += cluster_problems(found.configuration)
        problems += blueprint_problems((), found.configuration.routers)
        found.check(each for each in problems if (each.mark, each.field) not in told_already)
    return found.configuration


def _folders(source: Source) -> list[Path]:
    # The first of several files comes first on the path.
    paths = source if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    return [
        Path(each).resolve().parent
        for each in reversed(paths)
        if isinstance(each, (str, PathLike)) and "\n" not in str(each)
    ]


def check(app: Flask, configuration: Configuration) -> None:
    """Import everything that ``configuration`` names, and change nothing yet.

    Raises ConfigError with every view, service and blueprint that cannot be imported or mounted,
    and every directory that is not there; without any, with the routes of blueprints that clash.
    """
    found = import_problems(configuration) + directory_problems(configuration.all)
    found += cluster_problems(configuration)
    found += blueprint_problems(app.blueprints, configuration.routers)
    # Only what can be imported can say which routes it has.
    found = found or blueprint_clashes(app, configuration.routers, configuration.endpoints)
    if found:
        raise ConfigError(told(found))


def cluster_problems(configuration: Configuration) -> list[Problem]:
    """Return what is wrong with the address of an engine; nothing is connected."""
    problems = []
    for index, each in enumerate(configuration.clusters):
        if index:
            what = f"is a second engine; {configuration.clusters[0].id} names the first"
            problems.append(each.problem("engine", what))
        try:
            engine_at(each.engine, each.app)
        except EngineError as error:
            problems.append(each.problem("engine", str(error)))
    return problems


def import_problems(configuration: Configuration, broken: Container[str] = ()) -> list[Problem]:
    """Return what is wrong with the code that entries name, which is imported for that.

    That is also what a token store needs to be installed, and the key it has.

    ``broken`` are ids of entries that could not be read: what they name nobody knows.
    """
    named = [(entry, "source", entry.source) for entry in configuration.processes]
    found: list[tuple[Entry, str, str]] = [
        *named,
        *((each, "func", configuration.import_path(each.func)) for each in configuration.endpoints),
        *(
            (each, "process", configuration.import_path(each.process))
            for each in configuration.services
        ),
    ]
    problems = [
        problem
        for each in found
        if each[2] and each[2] not in broken
        for problem in _import_problem(*each)
    ]
    return problems + store_problems(configuration)


def _import_problem(entry: Entry, field: str, path: str) -> list[Problem]:
    try:
        import_callable(path)
    except (Exception, SystemExit) as error:
        # A module's own code runs when it is imported, so anything may come out of it.
        return [entry.problem(field, why_not_imported(path, error))]
    return []


def parts(configuration: Configuration) -> list[Configuration]:
    """Return a configuration for each server, with its routers, endpoints and statics.

    What belongs to the node, such as hosts and services, is in the first one.
    """
    found: list[Configuration] = []
    for server in configuration.servers:
        routers = tuple(each for each in configuration.routers if each.server == server.id)
        ids = {router.id for router in routers}
        endpoints = tuple(each for each in configuration.endpoints if each.router in ids)
        statics = tuple(each for each in configuration.statics if each.server == server.id)
        part = replace(configuration, servers=(server,), routers=routers, endpoints=endpoints)
        dashboards = tuple(each for each in configuration.dashboards if each.server == server.id)
        part = replace(part, statics=statics, dashboards=dashboards)
        if found:
            part = replace(part, hosts=(), processes=(), services=(), others=(), clusters=())
        found.append(part)
    return found


def apply(app: Flask, state: AppState, configuration: Configuration) -> None:
    """Mount routers on ``app``, declare hosts and entries on its node, prepare its services.

    The configuration has passed ``check``. Nothing runs yet: ``state.start()`` starts the services.
    """
    node = state.node
    _warn_of_what_has_no_effect(configuration)
    declare(node, configuration)
    watch(node)
    blueprints, views = set(app.blueprints), set(app.view_functions)
    mount(app, configuration)
    applied = app.extensions[APPLIED] = Applied(
        configuration,
        blueprints=frozenset(app.blueprints) - blueprints,
        views=frozenset(app.view_functions) - views,
    )
    state.services = lambda: [each.id for each in children(applied.configuration)]
    for other in configuration.others:
        if isinstance(other, SetsUp):
            other.set_up(app)
    for cluster in configuration.clusters:
        if cluster.engine == LOCAL:
            continue
        state.starters.append(partial(node.join_cluster, cluster.engine, cluster.app))
    # Also where there are none: a reload may bring some.
    state.starters.append(lambda: applied.start_services(node))


def watch(node: Node) -> None:
    """Have what keeps the hub of ``node`` busy reported, for as long as GREENRELAY_WATCHDOG says.

    The node starts the watchdog when it begins to run, so after any fork. Raises ConfigError.
    """
    wanted = os.environ.get(WATCHDOG_VARIABLE, "")
    if wanted == OFF or node.watchdog is not None:
        return
    try:
        node.watchdog = Watchdog(node, wanted or THRESHOLD)
    except ValueError as error:
        raise ConfigError([f"{WATCHDOG_VARIABLE}: {error}; {OFF} is for none"]) from error
    if node._scheduler is not None:
        # It has begun before the app was made, as one that joins a cluster does.
        node.watchdog.start()


def declare(node: Node, configuration: Configuration) -> None:
    """Declare hosts and entries; a host that is there already gets the limits given here."""
    for each in configuration.hosts:
        host = node.hosts.get(each.id) or Host(each.id)
        host.max_processes = each.max_processes
        host.inbox_limit = each.inbox.limit
        host.overflow = each.inbox.overflow
        host.block_timeout = each.inbox.block_timeout
        node.add_host(host, default=True)
    for entry in configuration.processes:
        node.entries.declare(entry.id, entry.source)
    authorise(node, configuration)


def mount(app: Flask, configuration: Configuration) -> None:
    """Mount every router with its endpoints, every static and every dashboard."""
    # What is wrong with plug-ins was told when the configuration was read.
    middleware = known_middleware([])
    for router in configuration.routers:
        endpoints = [
            (endpoint, configuration.import_path(endpoint.func))
            for endpoint in configuration.endpoints
            if endpoint.router == router.id
        ]
        mount_router(app, router, endpoints, middleware)
    know_files(app)
    for static in configuration.statics:
        mount_static(app, static)
    for dashboard in configuration.dashboards:
        mount_dashboard(app, dashboard, in_force)


def in_force(app: Flask) -> Configuration:
    """Return the configuration in force in ``app``, which has one."""
    applied = app.extensions[APPLIED]
    assert isinstance(applied, Applied), "nobody else uses this name"
    return applied.configuration


def children(configuration: Configuration) -> list[Child]:
    """Return what the supervisor of the services keeps alive.

    Of what one requires only services are named: all else, such as a host, is there before any.
    """
    found = [each for each in configuration.services if each.lifecycle.auto_start]
    ids = {each.id for each in found}
    return [_service(each, configuration, ids) for each in found]


def has_started(node: Node, key: str) -> bool:
    """Say whether a service of ``node`` runs by now, or has done what it had to."""
    found = node.services.get(key)
    return found is not None and found.state in (ChildState.RUNNING, ChildState.EXITED)


def _warn_of_what_has_no_effect(configuration: Configuration) -> None:
    # A server cannot crash beside the others, so there is nothing to bring back.
    for server in configuration.servers:
        for name in server.marks:
            if name.startswith(("lifecycle.restart.", "lifecycle.stable_threshold")):
                log.warning("%s", server.problem(name, "has no effect on an http.service"))


def _service(entry: ProcessService, configuration: Configuration, ids: Container[str]) -> Child:
    lifecycle, restart = entry.lifecycle, entry.lifecycle.restart
    found = configuration.entry(entry.process)
    return Child(
        id=entry.id,
        entry=found.id if found is not None else entry.process,
        host=entry.host,
        args=entry.args,
        restart=RestartPolicy(
            policy=restart.policy,
            initial_delay=restart.initial_delay,
            max_delay=restart.max_delay,
            backoff_factor=restart.backoff_factor,
            jitter=restart.jitter,
            max_attempts=restart.max_attempts,
            stable_threshold=lifecycle.stable_threshold,
        ),
        shutdown=lifecycle.stop_timeout,
        requires=tuple(key for key in lifecycle.requires if key in ids),
        start_timeout=lifecycle.start_timeout,
    )


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, os.fspath(folder))
