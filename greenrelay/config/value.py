"""Configuration values that know where they stand, before anybody has given them a type.

Source: Configuration, the item "Strict". A Value is what YAML and Python mappings become alike;
``flatten`` is why dotted keys and nested maps mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from greenrelay.config.mark import Mark, Problem, raise_problems, shown

MAX_DEPTH = 50
MAX_NODES = 100_000


# What text has that is no Unicode, and cannot be written as UTF-8.
HALF = "half a character (a surrogate) in it"


class Unread(Enum):
    """Stands for a value whose problem is reported already, so that nobody reports it again."""

    UNREAD = "unread"


UNREAD = Unread.UNREAD

Data = None | bool | int | float | str | Unread | tuple["Value", ...] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar, a tuple of values or a map of them; ``key_mark`` is where its key stands.

    ``variables`` are the environment variables that it was made of.
    """

    data: Data
    mark: Mark
    key_mark: Mark | None = None
    variables: tuple[str, ...] = ()

    @property
    def where(self) -> Mark:
        """The mark a message names: the key's, if there is one."""
        return self.key_mark or self.mark

    def plain(self) -> object:
        """Return the data as lists, dicts and scalars, without what could not be read."""
        if isinstance(self.data, dict):
            items = self.data.items()
            return {key: item.plain() for key, item in items if item.data is not UNREAD}
        if isinstance(self.data, tuple):
            return [item.plain() for item in self.data if item.data is not UNREAD]
        return self.data


def is_unicode(text: str) -> bool:
    """Say whether text is made of whole characters; Python's may have surrogates in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def from_python(data: object, mark: Mark, problems: list[Problem]) -> Value:
    """Return plain Python data as a Value whose every part stands at ``mark``.

    What is no map, list, tuple, text, number, boolean or None is added to the problems. Raises
    ConfigError for data nested too deep (or in itself) or too big.
    """
    return _PythonReader(mark, problems).value(data, "", 1)


def flatten(root: Value, problems: list[Problem]) -> dict[str, Value]:
    """Return the leaves of a map of maps by dotted name; empty maps are leaves, lists too.

    A name given twice, dotted and nested, is added to the problems. The first one stays.
    """
    leaves: dict[str, Value] = {}
    _flatten_into(leaves, root, "", problems)
    return leaves


def _flatten_into(
    leaves: dict[str, Value], value: Value, prefix: str, problems: list[Problem]
) -> None:
    items = value.data if isinstance(value.data, dict) else {}
    for key, item in items.items():
        name = prefix + key
        if isinstance(item.data, dict) and item.data:
            _flatten_into(leaves, item, name + ".", problems)
        elif name in leaves:
            text = f"is given twice, dotted and nested; the first is at {leaves[name].where}"
            problems.append(Problem(item.where, text, name))
        else:
            leaves[name] = item


class _PythonReader:
    def __init__(self, mark: Mark, problems: list[Problem]) -> None:
        self._mark = mark
        self._problems = problems
        self._count = 0

    def value(self, data: object, name: str, depth: int) -> Value:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            text = f"holds more than {MAX_DEPTH} levels or {MAX_NODES} values"
            raise_problems([Problem(self._mark, text)])
        return Value(self._data(data, name, depth), self._mark, self._mark)

    def _data(self, data: object, name: str, depth: int) -> Data:
        if isinstance(data, str) and not is_unicode(data):
            self._problems.append(Problem(self._mark, f"{shown(data)} has {HALF}", name))
            return UNREAD
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        if isinstance(data, Mapping):
            return self._map(data, name, depth)
        if isinstance(data, (list, tuple)):
            return tuple(
                self.value(item, f"{name}[{index}]", depth + 1) for index, item in enumerate(data)
            )
        text = f"is {data!r}; it must be text, a number, a boolean, None, a list or a mapping"
        self._problems.append(Problem(self._mark, text, name))
        return UNREAD

    def _map(self, data: Mapping[object, object], name: str, depth: int) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for key, item in data.items():
            if not isinstance(key, str):
                text = f"key {key!r} is not text; every key must be text"
                self._problems.append(Problem(self._mark, text, name))
                continue
            result[key] = self.value(item, f"{name}.{key}" if name else key, depth + 1)
        return result
