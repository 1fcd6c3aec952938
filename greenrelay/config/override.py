"""Values from outside the files: ``GREENRELAY__ENTRY__FIELD`` and ``--set entry.field=value``.

Source: Configuration, the item on ``${env:NAME}``: first the file, then the environment, then
``--set``. In the name of a variable a double underscore stands between entry and field and for
each dot of the field, a single one for a dash or dot in the entry's name; case does not matter.
What names no entry is a problem, since a misspelt override would be without effect and unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from greenrelay.config.mark import Mark, Problem, shown, suggestion
from greenrelay.config.value import Value, is_unicode

PREFIX = "GREENRELAY__"
_ALLOWED = "write --set entry.field=value"


@dataclass(frozen=True, slots=True)
class _Override:
    """One value; ``key`` is entry and field as written, ``is_variable`` how that is to be read."""

    key: str
    value: Value
    is_variable: bool


@dataclass(slots=True)
class Overrides:
    """The values from outside, and which of them have found their entry."""

    _given: Sequence[_Override] = ()
    _used: set[str] = field(default_factory=set)
    _names: dict[str, None] = field(default_factory=dict)
    _expected: list[str] = field(default_factory=list)

    def expect(self, entry_ids: Iterable[str]) -> None:
        """Take the ids of entries that ``of`` will be asked for, as far as they are known."""
        self._expected += entry_ids

    def of(self, entry_id: str, known: Iterable[str]) -> dict[str, Value]:
        """Return the values for one entry by dotted field name; ``known`` are its fields."""
        self._names[entry_id.partition(":")[2]] = None
        names = list(known)
        values: dict[str, Value] = {}
        for each in self._given:
            found = self._field_of(each, entry_id, names)
            if found:
                self._used.add(each.value.mark.file)
                values[found] = each.value
        return values

    def _field_of(self, each: _Override, entry_id: str, names: list[str]) -> str:
        found = _field_of(each, entry_id, names)
        if found and not each.is_variable:
            # Of the entries "api" and "api.v1" the longer is meant, which leaves less for a field.
            others = (_field_of(each, other, []) for other in self._expected)
            if any(other and len(other) < len(found) for other in others):
                return ""
        return found

    def unused(self) -> list[Problem]:
        """Return a problem for every value whose entry there is not."""
        return [
            Problem(each.value.mark, _why_unused(each, self._names))
            for each in self._given
            if each.value.mark.file not in self._used
        ]


def read_overrides(
    environ: Mapping[str, str], settings: Iterable[str], problems: list[Problem]
) -> Overrides:
    """Return what the environment and ``--set`` say, in that order; the rest is a problem."""
    given = [
        _Override(
            name.removeprefix(PREFIX), _value(text, Mark(name, strength=1), name), is_variable=True
        )
        for name, text in sorted(environ.items())
        if name.startswith(PREFIX)
    ]
    for setting in settings:
        key, equals, text = setting.partition("=")
        mark = Mark(f"--set {key}", strength=2)
        if not equals or "." not in key.strip("."):
            problems.append(Problem(mark, f"is {shown(setting)}; {_ALLOWED}"))
            continue
        given.append(_Override(key, _value(text, mark), is_variable=False))
    unreadable = [each for each in given if not is_unicode(f"{each.key}{each.value.data}")]
    problems += [Problem(each.value.mark, "is not UTF-8") for each in unreadable]
    return Overrides([each for each in given if each not in unreadable])


def _value(text: str, mark: Mark, *variables: str) -> Value:
    return Value(text, mark, mark, variables)


def _field_of(each: _Override, entry_id: str, names: list[str]) -> str:
    if each.is_variable:
        entry, _, rest = each.key.partition("__")
        if entry.lower() != _folded(entry_id.partition(":")[2]) or not rest:
            return ""
        dotted = rest.lower().replace("__", ".")
        return next((name for name in names if name.replace("-", "_") == dotted), dotted)
    for name in (entry_id, entry_id.partition(":")[2]):
        if each.key.startswith(name + "."):
            return each.key.removeprefix(name + ".")
    return ""


def _folded(name: str) -> str:
    return re.sub(r"[.-]", "_", name).lower()


def _why_unused(each: _Override, names: Iterable[str]) -> str:
    if each.is_variable:
        entry, between, _ = each.key.partition("__")
        if not between:
            return f"names no field; write {PREFIX}ENTRY__FIELD"
        return f'there is no entry "{entry.lower()}"{suggestion(entry.lower(), names)}'
    entry = each.key.partition(".")[0]
    return f'there is no entry "{entry}"{suggestion(entry, names)}'
