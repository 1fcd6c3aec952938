# ruff: noqa: RUF009 - option(), part() and open_map() return dataclasses.field().
"""The entries of a configuration, one frozen dataclass for each kind.

Source: HTTP, "Entries"; Processes, "Hosts, inboxes, back-pressure" and "Supervision". References
to other entries are full ids (``app:gateway``) here, whatever the file says. Durations are
seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from greenrelay.config.address import Address, parse_address
from greenrelay.config.dashboard import (
    DASHBOARD_PATH,
    FULL,
    READONLY,
    parse_dashboard_path,
    password_text,
    policy_action,
)
from greenrelay.config.directory import directory, file_name
from greenrelay.config.mark import Mark, Problem
from greenrelay.config.options import open_map, option, part
from greenrelay.config.path import PathPattern, parse_path, parse_prefix
from greenrelay.config.read import (
    anything_list,
    boolean,
    choice,
    duration,
    import_path,
    integer_from,
    methods,
    number_from,
    size,
    text,
    text_list,
)
from greenrelay.config.security import algorithm_names, condition_list, pattern_list, secret_text
from greenrelay.security.condition import Condition
from greenrelay.security.pattern import Pattern
from greenrelay.security.policy import ALLOW, DENY, Policy
from greenrelay.security.settings import OPAQUE, TYPES, StoreSettings, settings_problems


@dataclass(frozen=True, slots=True)
class Restart:
    """How a service comes back: ``max_attempts`` 0 is no limit, ``jitter`` a share of the delay."""

    policy: str = option("policy", choice("permanent", "transient", "temporary"), "permanent")
    initial_delay: float = option("initial_delay", duration, 1.0)
    max_delay: float = option("max_delay", duration, 90.0)
    backoff_factor: float = option("backoff_factor", number_from(1), 2.0)
    jitter: float = option("jitter", number_from(0, 1), 0.1)
    max_attempts: int = option("max_attempts", integer_from(0), 0)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """When an entry starts and stops; ``requires`` are the ids that start before it."""

    auto_start: bool = option("auto_start", boolean, True)
    start_timeout: float = option("start_timeout", duration, 10.0)
    stop_timeout: float = option("stop_timeout", duration, 10.0)
    stable_threshold: float = option("stable_threshold", duration, 5.0)
    requires: tuple[str, ...] = option("requires", text_list, ())
    restart: Restart = part("restart", Restart)


@dataclass(frozen=True, slots=True)
class InboxLimits:
    """``overflow`` is refuse, drop_oldest, drop_newest or block (for ``block_timeout``)."""

    limit: int = option("limit", integer_from(1), 10_000)
    overflow: str = option(
        "overflow", choice("refuse", "drop_oldest", "drop_newest", "block"), "refuse"
    )
    block_timeout: float = option("block_timeout", duration, 5.0)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts of a server; ``handler`` None is no deadline."""

    read: float = option("read", duration, 10.0)
    write: float = option("write", duration, 30.0)
    idle: float = option("idle", duration, 60.0)
    handler: float | None = option("handler", duration, None)


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of certificate and key: both or neither."""

    cert: str | None = option("cert", text, None)
    key: str | None = option("key", text, None)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How large the header and the body of a request may be."""

    header_size: int = option("header_size", size, 16 * 1024)
    body_size: int = option("body_size", size, 16 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every entry has; ``meta`` is free-form, by dotted name.

    ``marks`` holds the place of every field by dotted name, of list items as ``middleware[0]``;
    ``variables`` the environment variables that a field was made of, if any.
    """

    kind: ClassVar[str] = ""
    id: str
    where: Mark = field(compare=False)
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False, repr=False)
    variables: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    meta: dict[str, object] = open_map("meta")

    @property
    def name(self) -> str:
        """The id without its namespace."""
        return self.id.partition(":")[2]

    @property
    def namespace(self) -> str:
        """The namespace of its file."""
        return self.id.partition(":")[0]

    def at(self, field_name: str) -> Mark:
        """Return where a field stands, or the entry if the file does not give it."""
        listed = field_name.partition("[")[0]
        return self.marks.get(field_name) or self.marks.get(listed) or self.where

    def problem(self, field_name: str, what: str) -> Problem:
        """Return a problem with a field of this entry, for raise_problems."""
        shown_name = field_name.partition("[")[0]
        return Problem(self.at(field_name), what, shown_name, f'{self.kind} "{self.id}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpService(Entry):
    """A server that listens on ``addr``."""

    kind: ClassVar[str] = "http.service"
    addr: Address = option("addr", parse_address, Address(), required=True)
    timeouts: Timeouts = part("timeouts", Timeouts)
    tls: Tls = part("tls", Tls)
    limits: RequestLimits = part("limits", RequestLimits)
    lifecycle: Lifecycle = part("lifecycle", Lifecycle)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRouter(Entry):
    """Endpoints under one prefix, with their middleware.

    ``options`` and ``post_options`` are as written, by dotted name; ``middleware_options`` are
    the same typed: for each listed middleware an instance of its options class, or None.
    """

    kind: ClassVar[str] = "http.router"
    server: str = option("meta.server", text, "", required=True)
    prefix: str = option("prefix", parse_prefix, "")
    middleware: tuple[str, ...] = option("middleware", text_list, ())
    options: dict[str, object] = open_map("options")
    post_middleware: tuple[str, ...] = option("post_middleware", text_list, ())
    post_options: dict[str, object] = open_map("post_options")
    blueprint: str | None = option("blueprint", import_path, None)
    middleware_options: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEndpoint(Entry):
    """A view: ``func`` is the id of an entry or ``module:callable``."""

    kind: ClassVar[str] = "http.endpoint"
    router: str = option("meta.router", text, "", required=True)
    method: tuple[str, ...] = option("method", methods, ("GET",))
    path: PathPattern = option("path", parse_path, PathPattern("", ()), required=True)
    func: str = option("func", text, "", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpStatic(Entry):
    """The files of a directory under ``path``; ``cache`` in seconds, None is to ask each time."""

    kind: ClassVar[str] = "http.static"
    server: str = option("meta.server", text, "", required=True)
    path: str = option("path", parse_prefix, "", required=True)
    directory: str = option("directory", directory, "", required=True)
    spa: bool = option("spa", boolean, False)
    index: str = option("index", file_name, "index.html")
    cache: float | None = option("cache", duration, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDashboard(Entry):
    """The page that shows what runs; without ``password`` and ``action`` for loopback only."""

    kind: ClassVar[str] = "http.dashboard"
    server: str = option("meta.server", text, "", required=True)
    path: str = option("path", parse_dashboard_path, DASHBOARD_PATH)
    password: str | None = option("password", password_text, None)
    action: str | None = option("action", policy_action, None)
    role: str = option("role", choice(FULL, READONLY), FULL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessHost(Entry):
    """The bounds of the processes that run on it."""

    kind: ClassVar[str] = "process.host"
    max_processes: int = option("max_processes", integer_from(1), 100_000)
    inbox: InboxLimits = part("inbox", InboxLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPython(Entry):
    """Code that runs as a process; ``source`` is ``module:callable``."""

    kind: ClassVar[str] = "process.python"
    source: str = option("source", import_path, "", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPython(Entry):
    """Code that is called; ``source`` is ``module:callable``."""

    kind: ClassVar[str] = "function.python"
    source: str = option("source", import_path, "", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessService(Entry):
    """A process kept alive: ``process`` is the id of an entry or ``module:callable``.

    ``host`` None is the node's own host.
    """

    kind: ClassVar[str] = "process.service"
    process: str = option("process", text, "", required=True)
    host: str | None = option("host", text, None)
    args: tuple[object, ...] = option("args", anything_list, ())
    lifecycle: Lifecycle = part("lifecycle", Lifecycle)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPolicy(Entry):
    """Who may, or may not, do ``actions`` with ``resources``; without ``groups`` for everybody."""

    kind: ClassVar[str] = "security.policy"
    actions: tuple[Pattern, ...] = option("actions", pattern_list, (), required=True)
    resources: tuple[Pattern, ...] = option("resources", pattern_list, (), required=True)
    effect: str = option("effect", choice(ALLOW, DENY), DENY, required=True)
    conditions: tuple[Condition, ...] = option("conditions", condition_list, ())
    groups: tuple[str, ...] = option("groups", text_list, ())

    def policy(self) -> Policy:
        """Return what decides."""
        return Policy(
            self.id, self.effect, self.actions, self.resources, self.conditions, self.groups
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityTokenStore(Entry):
    """Where tokens of actors come from; the fields of a ``type`` mean nothing to the others."""

    kind: ClassVar[str] = "security.token_store"
    type: str = option("type", choice(*TYPES), OPAQUE)
    expiration: float = option("expiration", duration, 86400.0)
    secret: str | None = option("secret", secret_text, None)
    public_key: str | None = option("public_key", secret_text, None)
    algorithms: tuple[str, ...] = option("algorithms", algorithm_names, ("HS256",))
    audience: tuple[str, ...] = option("audience", text_list, ())
    issuer: str | None = option("issuer", text, None)
    leeway: float = option("leeway", duration, 0.0)

    def settings(self) -> StoreSettings:
        """Return what a store is made of."""
        return StoreSettings(
            type=self.type,
            expiration=self.expiration,
            secret=self.secret,
            public_key=self.public_key,
            algorithms=self.algorithms,
            audience=self.audience,
            issuer=self.issuer,
            leeway=self.leeway,
        )

    def problems(self) -> list[Problem]:
        """Return what one field says against another."""
        return [self.problem(*each) for each in settings_problems(self.settings())]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEntry(Entry):
    """The engine that makes all nodes of ``app`` one system; ``local`` is this node alone."""

    kind: ClassVar[str] = "cluster"
    engine: str = option("engine", text, "local")
    app: str = option("app", text, "app")


_CLASSES: tuple[type[Entry], ...] = (
    ClusterEntry,
    HttpService,
    HttpRouter,
    HttpEndpoint,
    HttpStatic,
    HttpDashboard,
    ProcessHost,
    ProcessPython,
    FunctionPython,
    ProcessService,
    SecurityPolicy,
    SecurityTokenStore,
)
KINDS: dict[str, type[Entry]] = {cls.kind: cls for cls in _CLASSES}
