"""What is different between two configurations, as the lines a reload prints.

Source: Configuration, the item on SIGHUP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from greenrelay.config.effective import Setting, settings
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
    ProcessPython,
    SecurityTokenStore,
)
from greenrelay.config.mark import shown
from greenrelay.config.middleware import MiddlewareSpec
from greenrelay.config.resolve import Configuration

_LATER = "takes effect when the program is started again"


@dataclass(frozen=True, slots=True)
class Changes:
    """``lines`` say what has changed, ``warnings`` which of it a reload cannot bring about.

    ``are_for_routes`` says whether what answers where, or how, is among it.
    """

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    are_for_routes: bool = False


def changes(
    old: Configuration, new: Configuration, middleware: Mapping[str, MiddlewareSpec]
) -> Changes:
    """Return what is to be told of the way from ``old`` to ``new``."""
    before, after = _by_id(old), _by_id(new)
    lines: list[str] = []
    warnings: list[str] = []
    are_for_routes = False
    for key in [*after, *(key for key in before if key not in after)]:
        was, now = before.get(key), after.get(key)
        found = list(_told(was, now, middleware))
        entry = now or was
        if not found or entry is None:
            continue
        subject = f'{entry.kind} "{entry.id}"'
        lines += [f"{subject}: {line}" for line in found]
        warnings += [f"{subject}: {what}" for what in _put_off(entry, was, now)]
        are_for_routes |= isinstance(entry, _ROUTES)
    return Changes(tuple(lines), tuple(warnings), are_for_routes)


_ROUTES = (
    HttpRouter,
    HttpEndpoint,
    HttpStatic,
    HttpDashboard,
    ProcessPython,
    FunctionPython,
    SecurityTokenStore,
)


def _by_id(configuration: Configuration) -> dict[tuple[str, str], Entry]:
    # An entry that becomes another kind goes and comes.
    return {(entry.kind, entry.id): entry for entry in configuration.all}


def _told(
    was: Entry | None, now: Entry | None, middleware: Mapping[str, MiddlewareSpec]
) -> Iterator[str]:
    if was is None:
        yield "added"
        return
    if now is None:
        yield "removed"
        return
    old = {each.name: each for each in settings(was, middleware)}
    new = {each.name: each for each in settings(now, middleware)}
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{name} removed"
        elif name not in old:
            yield f"{name} added: {shown(new[name].shown)}"
        elif old[name].value != new[name].value:
            yield f"{name}: {_from_to(old[name], new[name])}"


def _from_to(old: Setting, new: Setting) -> str:
    return f"{shown(old.shown)} -> {shown(new.shown)}"


def _put_off(entry: Entry, was: Entry | None, now: Entry | None) -> Iterator[str]:
    match entry:
        case HttpService() if was is not None and now is not None:
            yield f"a server that listens stays as it is; the change {_LATER}"
        case HttpService():
            yield f"servers neither start nor stop in a reload; the change {_LATER}"
        case ClusterEntry():
            yield f"a node stays with its engine; the change {_LATER}"
        case ProcessPython() | FunctionPython() if now is None:
            yield f"stays known to spawn; that it is gone {_LATER}"
        case _ if entry.kind not in KINDS:
            yield f"is the matter of a plug-in; the change {_LATER}"
