"""One checked configuration out of a file, text or mapping: the door of this room.

Source: Configuration. Nothing is started or imported here. Everything wrong with the source is
found in one go and raised as one ConfigError.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from greenrelay.config.anchor import anchored
from greenrelay.config.document import (
    DEFAULT_NAMESPACE,
    Document,
    entry_ids,
    qualified,
    read_document,
)
from greenrelay.config.entries import (
    KINDS,
    ClusterEntry,
    Entry,
    FunctionPython,
    HttpDashboard,
    HttpEndpoint,
    HttpRouter,
    HttpService,
    HttpStatic,
    ProcessHost,
    ProcessPython,
    ProcessService,
)
from greenrelay.config.loader import Source, read_sources
from greenrelay.config.mark import Problem, told
from greenrelay.config.middleware import MiddlewareSpec, read_middleware
from greenrelay.config.override import read_overrides
from greenrelay.config.plugin import known_kinds
from greenrelay.config.reference import STORE_OPTION, ReferenceCheck
from greenrelay.config.value import Value
from greenrelay.errors import ConfigError

__all__ = ["Configuration", "Draft", "MiddlewareSpec", "draft", "load"]

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The entries of one source by kind, each tuple in file order; every reference holds.

    ``files`` are the paths as given, ``<text>`` or ``<mapping>``, ``namespace`` that of the first.
    ``processes`` has process.python and function.python entries, ``others`` those of plug-ins,
    ``all`` every entry, ``settings`` are those of ``--set``. Without ``servers`` a router's server
    is the WSGI server around the application.
    """

    files: tuple[str, ...]
    namespace: str = "app"
    hosts: tuple[ProcessHost, ...] = ()
    processes: tuple[ProcessPython | FunctionPython, ...] = ()
    services: tuple[ProcessService, ...] = ()
    servers: tuple[HttpService, ...] = ()
    routers: tuple[HttpRouter, ...] = ()
    endpoints: tuple[HttpEndpoint, ...] = ()
    statics: tuple[HttpStatic, ...] = ()
    dashboards: tuple[HttpDashboard, ...] = ()
    clusters: tuple[ClusterEntry, ...] = ()
    others: tuple[Entry, ...] = ()
    all: tuple[Entry, ...] = ()
    settings: tuple[str, ...] = ()
    _by_id: dict[str, Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {entry.id: entry for entry in self.all})

    @property
    def file(self) -> str:
        """The files as one text."""
        return ", ".join(self.files)

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


@dataclass(frozen=True, slots=True)
class Draft:
    """What could be read of a source, and everything that is wrong with it.

    ``refusals`` are the texts of what could not be read at all; ``declared`` are the ids of all
    entries, also of those too broken to be in the configuration.
    """

    configuration: Configuration
    problems: tuple[Problem, ...]
    refusals: tuple[str, ...] = ()
    declared: frozenset[str] = frozenset()

    def check(self, more: Iterable[Problem] = ()) -> Configuration:
        """Return the configuration; raises ConfigError with every problem and ``more``."""
        texts = [*self.refusals, *told([*self.problems, *more])]
        if texts:
            raise ConfigError(texts)
        return self.configuration


def load(
    source: Source,
    *,
    middleware: Mapping[str, MiddlewareSpec] | None = None,
    environ: Mapping[str, str] | None = None,
    settings: Iterable[str] = (),
) -> Configuration:
    """Return the configuration in a file, several files, a YAML text or a Python mapping or list.

    A path, or a str without a line break, is a file; a str with one is YAML text; a list of paths
    are files that make one configuration. ``environ`` is ``os.environ`` unless given, ``settings``
    are those of ``--set``. Raises ConfigError with every problem.
    """
    return draft(source, middleware=middleware, environ=environ, settings=settings).check()


def draft(
    source: Source,
    *,
    middleware: Mapping[str, MiddlewareSpec] | None = None,
    environ: Mapping[str, str] | None = None,
    settings: Iterable[str] = (),
) -> Draft:
    """Return what ``load`` would, as far as it can be read, and raise nothing."""
    variables = os.environ if environ is None else environ
    problems: list[Problem] = []
    overrides = read_overrides(variables, settings, problems)
    document = Document(problems, variables, overrides, known_kinds(problems))
    roots, refusals = read_sources(source, problems)
    overrides.expect(each for root in roots for each in entry_ids(root))
    namespaces = [_read(root, document) for root in roots]
    entries = {entry.id: entry for entry in document.entries}
    # Of a file that cannot be read nobody knows which entries it has.
    if not refusals:
        ReferenceCheck(entries, document.declared, problems).run()
        problems += overrides.unused()
    resolved = [_resolved(entry, middleware or {}, problems) for entry in document.entries]
    files = tuple(root.mark.file for root in roots)
    namespace = namespaces[0] if namespaces else DEFAULT_NAMESPACE
    configuration = replace(_configuration(files, namespace, resolved), settings=tuple(settings))
    return Draft(configuration, tuple(problems), tuple(refusals), frozenset(document.declared))


def _read(root: Value, document: Document) -> str:
    read_document(root, document)
    return document.namespace


def _configuration(files: tuple[str, ...], namespace: str, entries: list[Entry]) -> Configuration:
    return Configuration(
        files=files,
        namespace=namespace,
        hosts=_of(ProcessHost, entries),
        processes=tuple(e for e in entries if isinstance(e, (ProcessPython, FunctionPython))),
        services=_of(ProcessService, entries),
        servers=_of(HttpService, entries),
        routers=_of(HttpRouter, entries),
        endpoints=_of(HttpEndpoint, entries),
        statics=_of(HttpStatic, entries),
        dashboards=_of(HttpDashboard, entries),
        clusters=_of(ClusterEntry, entries),
        others=tuple(entry for entry in entries if entry.kind not in KINDS),
        all=tuple(entries),
    )


def _resolved(
    entry: Entry, middleware: Mapping[str, MiddlewareSpec], problems: list[Problem]
) -> Entry:
    match entry:
        case HttpRouter():
            return anchored(read_middleware(_with_full_store(entry), middleware, problems))
        case HttpEndpoint():
            return replace(entry, func=qualified(entry.func, entry.namespace))
        case ProcessService():
            process = qualified(entry.process, entry.namespace)
            return replace(entry, process=process)
        case _:
            return anchored(entry)


def _with_full_store(router: HttpRouter) -> HttpRouter:
    """Return the router with the full id of the token store that it names."""
    store = router.options.get(STORE_OPTION)
    if not isinstance(store, str) or not store.strip():
        return router
    full = qualified(store.strip(), router.namespace)
    return replace(router, options={**router.options, STORE_OPTION: full})


def _of(kind: type[E], entries: Iterable[Entry]) -> tuple[E, ...]:
    return tuple(entry for entry in entries if isinstance(entry, kind))
