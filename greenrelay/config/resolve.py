"""One checked configuration out of a file, text or mapping: the door of this room.

Source: Configuration. Nothing is started or imported here. Everything wrong with the source is
found in one go and raised as one ConfigError.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from greenrelay.config.document import Document, qualified, read_document
from greenrelay.config.entries import (
    Entry,
    FunctionPython,
    HttpEndpoint,
    HttpRouter,
    HttpService,
    ProcessHost,
    ProcessPython,
    ProcessService,
)
from greenrelay.config.loader import Source, read_source
from greenrelay.config.mark import raise_problems
from greenrelay.config.middleware import MiddlewareSpec, read_middleware
from greenrelay.config.reference import ReferenceCheck

__all__ = ["Configuration", "MiddlewareSpec", "load"]

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The entries of one source by kind, each tuple in file order; every reference holds.

    ``file`` is the path as given, ``<text>`` or ``<mapping>``. ``processes`` has process.python
    and function.python entries. Without ``servers`` a router's server is the WSGI server around
    the application.
    """

    file: str
    namespace: str = "app"
    hosts: tuple[ProcessHost, ...] = ()
    processes: tuple[ProcessPython | FunctionPython, ...] = ()
    services: tuple[ProcessService, ...] = ()
    servers: tuple[HttpService, ...] = ()
    routers: tuple[HttpRouter, ...] = ()
    endpoints: tuple[HttpEndpoint, ...] = ()
    _by_id: dict[str, Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        groups: tuple[tuple[Entry, ...], ...] = (
            self.hosts,
            self.processes,
            self.services,
            self.servers,
            self.routers,
            self.endpoints,
        )
        by_id = {entry.id: entry for group in groups for entry in group}
        object.__setattr__(self, "_by_id", by_id)

    def entry(self, entry_id: str) -> Entry | None:
        """Return the entry with that id, or None; a bare name takes the file's namespace."""
        return self._by_id.get(qualified(entry_id, self.namespace))

    def import_path(self, reference: str) -> str:
        """Return the ``module:callable`` behind a ``func`` or ``process``.

        It is the source of the entry with that id, else the reference itself.
        """
        entry = self.entry(reference)
        if isinstance(entry, (ProcessPython, FunctionPython)):
            return entry.source
        return reference


def load(
    source: Source,
    *,
    middleware: Mapping[str, MiddlewareSpec] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """Return the configuration in a file, a YAML text or a Python mapping or list.

    A path, or a str without a line break, is a file; a str with one is YAML text. ``environ`` is
    ``os.environ`` unless given. Raises ConfigError with every problem.
    """
    root, problems = read_source(source)
    document = read_document(root, os.environ if environ is None else environ, problems)
    entries = {entry.id: entry for entry in document.entries}
    ReferenceCheck(document.namespace, entries, document.declared, problems).run()
    resolved = [_resolved(entry, document, middleware or {}) for entry in document.entries]
    if problems:
        raise_problems(problems)
    return Configuration(
        file=root.mark.file,
        namespace=document.namespace,
        hosts=_of(ProcessHost, resolved),
        processes=tuple(e for e in resolved if isinstance(e, (ProcessPython, FunctionPython))),
        services=_of(ProcessService, resolved),
        servers=_of(HttpService, resolved),
        routers=_of(HttpRouter, resolved),
        endpoints=_of(HttpEndpoint, resolved),
    )


def _resolved(entry: Entry, document: Document, middleware: Mapping[str, MiddlewareSpec]) -> Entry:
    match entry:
        case HttpRouter():
            return read_middleware(entry, middleware, document.problems)
        case HttpEndpoint():
            return dataclasses.replace(entry, func=qualified(entry.func, document.namespace))
        case ProcessService():
            process = qualified(entry.process, document.namespace)
            return dataclasses.replace(entry, process=process)
        case _:
            return entry


def _of(kind: type[E], entries: Iterable[Entry]) -> tuple[E, ...]:
    return tuple(entry for entry in entries if isinstance(entry, kind))
