"""Typed options: a dataclass says which there are, ``read_options`` fills it from text.

Source: HTTP, "Middleware" (options are typed and checked when the configuration is read). ::

    @dataclass(frozen=True, slots=True)
    class RelayOptions:
        max_message_size: int = option("wsrelay.max.message.size", size, 64 * 1024)

Every entry kind is read the same way, with two more sorts of field: ``part`` for a nested
dataclass and ``open_map`` for a map whose keys are free. An option that is given as null is not
given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from greenrelay.config.mark import Mark, Problem, shown, suggestion
from greenrelay.config.read import boolean, choice, duration, integer, size, text, text_list
from greenrelay.config.value import UNREAD, Value, flatten, from_python

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "OptionSpec",
    "boolean",
    "choice",
    "described_options",
    "duration",
    "integer",
    "open_map",
    "option",
    "option_names",
    "option_values",
    "part",
    "read_fields",
    "read_options",
    "size",
    "text",
    "text_list",
    "unknown_names",
]

T = TypeVar("T")
Options = TypeVar("Options", bound="DataclassInstance")

_OPTION = "greenrelay.option"
_PART = "greenrelay.part"
_OPEN = "greenrelay.open"


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """What the metadata of a field holds: how an option is written and read."""

    name: str
    read: Callable[[object], object]
    aliases: tuple[str, ...] = ()
    is_required: bool = False


def option(
    name: str,
    read: Callable[[object], T],
    default: T,
    aliases: Sequence[str] = (),
    *,
    required: bool = False,
) -> T:
    """Return a dataclass field for the option ``name``; aliases count in their order.

    ``read`` turns the plain value into T or raises ValueError. The default of a required option
    only stands in while the rest is checked.
    """
    spec = OptionSpec(name, read, tuple(aliases), required)
    return dataclasses.field(default=default, metadata={_OPTION: spec})


def part(name: str, cls: Callable[[], T]) -> T:
    """Return a dataclass field for a nested dataclass whose options start with ``name.``."""
    return dataclasses.field(default_factory=cls, metadata={_PART: (name, cls)})


def open_map(name: str) -> dict[str, object]:
    """Return a dataclass field that takes every key under ``name.``, by dotted name."""
    return dataclasses.field(default_factory=dict, metadata={_OPEN: name})


def option_names(cls: type[DataclassInstance], prefix: str = "") -> list[str]:
    """Return the dotted names of all options of a dataclass, aliases after their name."""
    return [name for names, _ in described_options(cls, prefix) for name in names]


def described_options(
    cls: type[DataclassInstance], prefix: str = ""
) -> list[tuple[tuple[str, ...], OptionSpec]]:
    """Return for every option of a dataclass its dotted name and aliases, and how it is read."""
    found: list[tuple[tuple[str, ...], OptionSpec]] = []
    for field in dataclasses.fields(cls):
        if _OPTION in field.metadata:
            spec: OptionSpec = field.metadata[_OPTION]
            found.append((tuple(prefix + name for name in (spec.name, *spec.aliases)), spec))
        elif _PART in field.metadata:
            name, part_cls = field.metadata[_PART]
            found += described_options(part_cls, f"{prefix}{name}.")
    return found


def option_values(
    instance: DataclassInstance, prefix: str = ""
) -> list[tuple[tuple[str, ...], object, OptionSpec | None]]:
    """Return (dotted name and aliases, value, how it is read) of every option of an instance.

    What is in an open map has no OptionSpec.
    """
    found: list[tuple[tuple[str, ...], object, OptionSpec | None]] = []
    typed = set(option_names(type(instance), prefix))
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if _OPTION in field.metadata:
            spec: OptionSpec = field.metadata[_OPTION]
            names = tuple(prefix + name for name in (spec.name, *spec.aliases))
            found.append((names, value, spec))
        elif _PART in field.metadata:
            found += option_values(value, f"{prefix}{field.metadata[_PART][0]}.")
        elif _OPEN in field.metadata:
            start = f"{prefix}{field.metadata[_OPEN]}."
            # What is typed as well, such as meta.server, is told once.
            found += [
                ((start + name,), item, None)
                for name, item in value.items()
                if start + name not in typed
            ]
    return found


def read_options(
    cls: type[Options], values: Value | Mapping[str, object]
) -> tuple[Options | None, list[Problem]]:
    """Return an instance of ``cls`` and no problems, or None and everything that is wrong.

    The values may be nested or dotted. A ValueError that the dataclass raises in
    ``__post_init__`` is a problem too.
    """
    problems: list[Problem] = []
    where = Mark("<options>")
    root = values if isinstance(values, Value) else from_python(values, where, problems)
    given = flatten(root, problems)
    fields, found = read_fields(cls, given, root.mark)
    problems += found + unknown_names(given, option_names(cls), "option")
    if problems:
        return None, problems
    try:
        return cls(**fields), []
    except ValueError as error:
        return None, [Problem(root.mark, str(error))]


def read_fields(
    cls: type[DataclassInstance], given: Mapping[str, Value], where: Mark, prefix: str = ""
) -> tuple[dict[str, object], list[Problem]]:
    """Return the arguments for ``cls`` and the problems; keys that no option takes are left.

    A value that cannot be read is a problem and leaves the default. ``where`` is the place of
    what is missing. Fields that are no option are not in the result.
    """
    fields: dict[str, object] = {}
    problems: list[Problem] = []
    for field in dataclasses.fields(cls):
        if _OPTION in field.metadata:
            value, found = _read_option(field, given, where, prefix)
            fields[field.name] = value
            problems += found
        elif _PART in field.metadata:
            name, part_cls = field.metadata[_PART]
            arguments, found = read_fields(part_cls, given, where, f"{prefix}{name}.")
            fields[field.name] = part_cls(**arguments)
            problems += found
        elif _OPEN in field.metadata:
            fields[field.name] = _read_open_map(f"{prefix}{field.metadata[_OPEN]}.", given)
    return fields, problems


def unknown_names(
    given: Mapping[str, Value], known: Iterable[str], what: str, open_names: Iterable[str] = ()
) -> list[Problem]:
    """Return a problem for every given key that is neither known, nor ``x-…``, nor in an open map.

    ``what`` is "key" or "option".
    """
    names = list(known)
    maps = list(open_names)
    return [
        Problem(value.where, text, name)
        for name, value in given.items()
        if name not in names and (text := _why_unknown(name, value, names, maps, what))
    ]


def _read_option(
    field: dataclasses.Field[object], given: Mapping[str, Value], where: Mark, prefix: str
) -> tuple[object, list[Problem]]:
    spec: OptionSpec = field.metadata[_OPTION]
    names = [prefix + name for name in (spec.name, *spec.aliases)]
    known = {name: given[name] for name in names if name in given and given[name].data is not None}
    # Of what is as strong the first counts: sorting keeps their order.
    for name, value in sorted(known.items(), key=lambda each: -each[1].where.strength):
        if value.data is UNREAD:
            return field.default, []
        try:
            return spec.read(value.plain()), []
        except (TypeError, ValueError) as error:
            return field.default, [Problem(value.where, str(error), name)]
    if spec.is_required:
        return field.default, [Problem(where, "is missing; it is required", prefix + spec.name)]
    return field.default, []


def _read_open_map(prefix: str, given: Mapping[str, Value]) -> dict[str, object]:
    return {
        name.removeprefix(prefix): value.plain()
        for name, value in given.items()
        if name.startswith(prefix) and value.data is not UNREAD
    }


def _why_unknown(name: str, value: Value, names: list[str], maps: list[str], what: str) -> str:
    if any(segment.startswith("x-") for segment in name.split(".")):
        return ""
    if any(name.startswith(open_name + ".") for open_name in maps):
        return ""
    inner = [known.removeprefix(name + ".") for known in names if known.startswith(name + ".")]
    if inner or name in maps:
        # An empty map, or no value at all, is a map of which nothing is given.
        if value.data is None or value.data is UNREAD or value.data == {}:
            return ""
        allowed = f"a map of {', '.join(inner)}" if inner else "a map"
        return f"is {shown(value.plain())}; it must be {allowed}"
    return f"unknown {what}{suggestion(name, names + maps)}"
