"""What entries say of one another: ids that exist, circles, routes that clash.

Source: Configuration (references are checked before anything starts) and HTTP, "Entries" (two
routes that clash and a duplicate prefix are configuration errors). A reference to an entry that is
declared but broken is not reported again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from greenrelay.config.document import qualified
from greenrelay.config.entries import (
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
    SecurityTokenStore,
)
from greenrelay.config.mark import Mark, Problem, suggestion
from greenrelay.config.naming import blueprint_name, endpoint_name
from greenrelay.config.read import is_import_path

_CODE = (ProcessPython, FunctionPython)
# Of token_auth: the only option of a middleware that names an entry.
STORE_OPTION = "token_auth.store"
_STARTED = (HttpService, ProcessHost, ProcessService)


@dataclass(slots=True)
class ReferenceCheck:
    """Checks the entries of one configuration; what is wrong is added to ``problems``.

    ``declared`` has the ids of broken entries too.
    """

    entries: Mapping[str, Entry]
    declared: Mapping[str, Mark]
    problems: list[Problem]

    def run(self) -> None:
        """Check every entry against the others."""
        for entry in self.entries.values():
            match entry:
                case HttpService():
                    self._check_server(entry)
                case HttpRouter() | HttpStatic() | HttpDashboard():
                    self._check_place(entry)
                case HttpEndpoint():
                    self._check_id(entry, "meta.router", entry.router, (HttpRouter,))
                    self._check_code(entry, "func", entry.func)
                case ProcessService():
                    self._check_service(entry)
                case SecurityTokenStore():
                    self._check_store_itself(entry)
                case _:
                    pass
        self._refuse_circles()
        self._refuse_equal_names()
        self._refuse_equal_prefixes()
        self._refuse_equal_paths()
        self.problems += route_clashes(self.entries)

    def _check_server(self, server: HttpService) -> None:
        if (server.tls.cert is None) != (server.tls.key is None):
            given, missing = ("key", "cert") if server.tls.cert is None else ("cert", "key")
            what = f"needs tls.{missing} too; TLS has both or neither"
            self.problems.append(server.problem(f"tls.{given}", what))
        self._check_requires(server, server.lifecycle.requires)

    def _check_place(self, entry: HttpRouter | HttpStatic | HttpDashboard) -> None:
        # Without any server entry the WSGI server around the application is the server.
        if self._has_server():
            self._check_id(entry, "meta.server", entry.server, (HttpService,))
        if isinstance(entry, HttpRouter):
            self._check_store(entry)

    def _check_store(self, router: HttpRouter) -> None:
        store = router.options.get(STORE_OPTION)
        if isinstance(store, str) and store.strip():
            full = qualified(store.strip(), router.namespace)
            self._check_id(router, f"options.{STORE_OPTION}", full, (SecurityTokenStore,))

    def _check_store_itself(self, store: SecurityTokenStore) -> None:
        told = {(each.subject, each.field) for each in self.problems}
        # What is there but cannot be read would be missing as well.
        self.problems += (
            each for each in store.problems() if (each.subject, each.field) not in told
        )

    def _has_server(self) -> bool:
        return any(isinstance(entry, HttpService) for entry in self.entries.values())

    def _check_service(self, service: ProcessService) -> None:
        self._check_code(service, "process", service.process)
        if service.host is not None:
            self._check_id(service, "host", service.host, (ProcessHost,))
        self._check_requires(service, service.lifecycle.requires)

    def _check_requires(self, entry: Entry, requires: tuple[str, ...]) -> None:
        for index, reference in enumerate(requires):
            self._check_id(entry, f"lifecycle.requires[{index}]", reference, _STARTED)

    def _check_id(
        self, entry: Entry, field: str, reference: str, kinds: tuple[type[Entry], ...]
    ) -> None:
        target = self.entries.get(reference)
        if not reference or isinstance(target, kinds):
            return
        if target is not None:
            what = f'"{reference}" is a {target.kind}; it must be {_kinds(kinds)}'
            self.problems.append(entry.problem(field, what))
        elif reference not in self.declared:
            what = f'there is no {_kinds(kinds)} "{reference}"'
            known = self._ids_of(kinds)
            self.problems.append(entry.problem(field, what + suggestion(reference, known)))

    def _check_code(self, entry: Entry, field: str, reference: str) -> None:
        # Ids come first. What is no id may be an import path, which only its use will show.
        if not reference or (reference not in self.declared and is_import_path(reference)):
            return
        if ":" in reference and reference not in self.declared:
            what = f'"{reference}" is no entry and does not look like "package.module:callable"'
            self.problems.append(entry.problem(field, what))
            return
        self._check_id(entry, field, qualified(reference, entry.namespace), _CODE)

    def _ids_of(self, kinds: tuple[type[Entry], ...]) -> list[str]:
        return [key for key, entry in self.entries.items() if isinstance(entry, kinds)]

    def _refuse_circles(self) -> None:
        graph = {
            key: list(entry.lifecycle.requires)
            for key, entry in self.entries.items()
            if isinstance(entry, (HttpService, ProcessService))
        }
        while circle := _circle(graph):
            # graphlib lists it so that each stands before the one that requires it.
            first, required = circle[-1], circle[-2]
            index = self._requires(first).index(required)
            what = f"goes in a circle: {' -> '.join(reversed(circle))}"
            field = f"lifecycle.requires[{index}]"
            self.problems.append(self.entries[first].problem(field, what))
            graph[first].remove(required)

    def _requires(self, entry_id: str) -> tuple[str, ...]:
        entry = self.entries[entry_id]
        assert isinstance(entry, (HttpService, ProcessService))
        return entry.lifecycle.requires

    def _refuse_equal_names(self) -> None:
        first: dict[tuple[str, str], Entry] = {}
        for entry in self.entries.values():
            match entry:
                case HttpRouter():
                    key = ("", blueprint_name(entry.id))
                case HttpEndpoint() if entry.router:
                    key = (entry.router, endpoint_name(entry.router, entry.id))
                case _:
                    continue
            other = first.setdefault(key, entry)
            if other is not entry:
                what = (
                    f'is {key[1]} in Flask, and so is "{other.id}" at {other.at("name")}; '
                    "rename one of them"
                )
                self.problems.append(entry.problem("name", what))

    def _refuse_equal_prefixes(self) -> None:
        first: dict[tuple[str, str], HttpRouter] = {}
        for router in self.entries.values():
            if not isinstance(router, HttpRouter) or not router.server:
                continue
            other = first.setdefault((router.server, router.prefix), router)
            if other is not router:
                prefix, place = router.prefix or "/", other.at("prefix")
                what = f'"{prefix}" is taken by router "{other.id}" at {place}'
                self.problems.append(router.problem("prefix", what))

    def _refuse_equal_paths(self) -> None:
        first: dict[tuple[str, str], HttpRouter | HttpStatic | HttpDashboard] = {}
        for router in self.entries.values():
            # A router without a prefix claims no address for itself.
            if isinstance(router, HttpRouter) and router.server and router.prefix:
                first.setdefault((router.server, router.prefix), router)
        for static in self.entries.values():
            if not isinstance(static, (HttpStatic, HttpDashboard)) or not static.server:
                continue
            key = (static.server, static.path)
            if isinstance(static, HttpDashboard) and isinstance(first.get(key), HttpRouter):
                # A router may give a dashboard its middleware.
                first[key] = static
            other = first.setdefault(key, static)
            if other is not static:
                place = other.at("prefix" if isinstance(other, HttpRouter) else "path")
                what = f'"{static.path or "/"}" is taken by {other.kind} "{other.id}" at {place}'
                self.problems.append(static.problem("path", what))


def route_clashes(entries: Mapping[str, Entry], *, at_one_address: bool = False) -> list[Problem]:
    """Return a problem for each endpoint that another one answers for.

    ``at_one_address`` says that one server has the routes of all.
    """
    first: dict[tuple[str, str, str], HttpEndpoint] = {}
    problems: list[Problem] = []
    for endpoint in entries.values():
        if not isinstance(endpoint, HttpEndpoint) or not endpoint.path.text:
            continue
        router = entries.get(endpoint.router)
        server, prefix = "", endpoint.router
        if isinstance(router, HttpRouter):
            server, prefix = "" if at_one_address else router.server, router.prefix
        shape = f"{prefix}/{'/'.join(endpoint.path.shape)}"
        for method in endpoint.method:
            other = first.setdefault((server, method, shape), endpoint)
            if other is not endpoint:
                what = (
                    f"{method} {endpoint.path} clashes with {method} {other.path} "
                    f'of "{other.id}" at {other.at("path")}'
                )
                problems.append(endpoint.problem("path", what))
    return problems


def _kinds(kinds: tuple[type[Entry], ...]) -> str:
    return " or ".join(kind.kind for kind in kinds)


def _circle(graph: Mapping[str, list[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []
