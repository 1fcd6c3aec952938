"""Plug-ins: what other installed packages add, by entry point.

Source: Configuration, the item "Kinds" ("whatever a plug-in registers"); HTTP, "Middleware". A
package declares them in its metadata, and nothing has to be imported for it ::

    [options.entry_points]
    greenrelay.kinds =
        acme.queue = acme.queue:Queue

where ``Queue`` is a frozen dataclass derived from Entry whose ``kind`` is ``acme.queue``. A plug-in
that cannot be used is a problem of every configuration: what it would add might be what is meant.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from greenrelay.config.entries import KINDS, Entry
from greenrelay.config.mark import Mark, Problem

KIND_GROUP = "greenrelay.kinds"


def known_kinds(problems: list[Problem]) -> Mapping[str, type[Entry]]:
    """Return every kind by name, those of plug-ins too; plug-ins that are none are problems."""
    kinds = dict(KINDS)
    for name, (mark, found) in load_plugins(KIND_GROUP, problems).items():
        what = _why_no_kind(name, found)
        if what:
            problems.append(Problem(mark, what))
        elif isinstance(found, type):
            kinds[name] = found
    return kinds


def load_plugins(group: str, problems: list[Problem]) -> dict[str, tuple[Mark, object]]:
    """Return what the entry points of ``group`` name, each with a mark that says whose it is.

    One that cannot be loaded is added to the problems.
    """
    loaded: dict[str, tuple[Mark, object]] = {}
    for point in _points(group, tuple(sys.path)):
        mark = Mark(_place(point))
        try:
            found = point.load()
        except Exception as error:
            # Somebody else's code runs when it is imported, so anything may come out of it.
            text = f"{point.value} cannot be loaded: {type(error).__name__}: {error}"
            problems.append(Problem(mark, text))
            continue
        first = loaded.setdefault(point.name, (mark, found))
        # The same package may be found twice on the path.
        if first[1] is not found:
            problems.append(Problem(mark, f"{point.name} is taken by {first[0]}"))
    return loaded


@lru_cache(maxsize=8)
def _points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # Reading the metadata of all packages takes longer than reading a configuration. What there is
    # depends on the path they are searched along.
    return tuple(sorted(entry_points(group=group), key=lambda each: each.name))


def _place(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "an unknown package"
    return f"plug-in {point.name} of {package}"


def _why_no_kind(name: str, found: object) -> str:
    if not isinstance(found, type) or not issubclass(found, Entry):
        return f"is {found!r}; it must be a class derived from Entry"
    if not dataclasses.is_dataclass(found) or "__dataclass_fields__" not in vars(found):
        return f"{found.__name__} must be a frozen dataclass"
    if name in KINDS:
        return f"{name} is a kind of greenrelay itself; it must have another name"
    if found.kind != name:
        return f"{found.__name__}.kind is {found.kind!r}; it must be {name!r}"
    return ""
