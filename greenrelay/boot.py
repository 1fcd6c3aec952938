"""From a configuration to a running app: the only place where everything is wired.

Source: Configuration; HTTP, "Entries".
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from flask import Flask

from greenrelay.config.entries import Entry, ProcessService
from greenrelay.config.resolve import Configuration, load
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child
from greenrelay.errors import ConfigError, UnknownEntry
from greenrelay.http.registry import SPECS
from greenrelay.http.router import blueprint_problems, mount_router
from greenrelay.http.state import AppState
from greenrelay.runtime.entry import import_callable
from greenrelay.runtime.host import Host
from greenrelay.runtime.service import start_services

log = logging.getLogger("greenrelay.config")


def read(source: str | PathLike[str] | Mapping[str, object] | Sequence[object]) -> Configuration:
    """Return the checked configuration; its folder and the working directory can be imported from.

    Raises ConfigError with every problem.
    """
    if isinstance(source, (str, PathLike)) and "\n" not in str(source):
        _import_from(Path(source).resolve().parent)
    _import_from(Path.cwd())
    return load(source, middleware=SPECS)


def check(app: Flask, configuration: Configuration) -> None:
    """Import everything that ``configuration`` names, and change nothing yet.

    Raises ConfigError with every view, service and blueprint that cannot be imported or mounted;
    an error that a module itself raises goes through.
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
    problems = [text for each in found for text in _import_problem(*each)]
    problems += blueprint_problems(app, configuration.routers)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def _import_problem(entry: Entry, field: str, path: str) -> list[str]:
    try:
        import_callable(path)
    except UnknownEntry as error:
        return [str(entry.problem(field, str(error)))]
    except Exception as error:
        # A module's own code runs when it is imported, so anything may come out of it.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename}:{frame.lineno}"
        why = f"importing {path} failed: {type(error).__name__}: {error} ({where})"
        return [str(entry.problem(field, why))]
    return []


def apply(app: Flask, state: AppState, configuration: Configuration) -> None:
    """Mount routers on ``app``, declare hosts and entries on its node, prepare its services.

    The configuration has passed ``check``. Nothing runs yet: ``state.start()`` starts the services.
    """
    node = state.node
    _warn_of_what_is_not_applied(configuration)
    for host in configuration.hosts:
        node.add_host(
            Host(
                host.id,
                max_processes=host.max_processes,
                inbox_limit=host.inbox.limit,
                overflow=host.inbox.overflow,
                block_timeout=host.inbox.block_timeout,
            ),
            default=True,
        )
    for entry in configuration.processes:
        node.entries.declare(entry.id, entry.source)
    for router in configuration.routers:
        endpoints = [
            (endpoint, configuration.import_path(endpoint.func))
            for endpoint in configuration.endpoints
            if endpoint.router == router.id
        ]
        mount_router(app, router, endpoints)
    services = [_service(s, configuration) for s in configuration.services if _starts(s)]
    if services:
        state.starters.append(lambda: start_services(node, services))


def _warn_of_what_is_not_applied(configuration: Configuration) -> None:
    for server in configuration.servers:
        for field in server.marks:
            if field.partition(".")[0] in ("timeouts", "limits", "lifecycle") and "." in field:
                log.warning("%s", server.problem(field, "is checked but not applied yet"))


def _starts(service: ProcessService) -> bool:
    return service.lifecycle.auto_start


def _service(entry: ProcessService, configuration: Configuration) -> Child:
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
        requires=lifecycle.requires,
        start_timeout=lifecycle.start_timeout,
    )


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, os.fspath(folder))
