"""What to run: callables, declared entries and import paths.

Source: Processes, "Entries". An id ``namespace:name`` is looked up among the declared entries
first, then as an import path ``module:callable``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from greenrelay.errors import UnknownEntry


class Entries:
    """The declared entries of a node, and what has been imported so far."""

    __slots__ = ("_found", "_sources")

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._found: dict[str, Callable[..., Any]] = {}

    def declare(self, entry_id: str, source: str) -> None:
        """Let ``entry_id`` stand for ``source``, a ``module:callable``."""
        self._sources[entry_id] = source
        self._found.pop(entry_id, None)

    def declared(self) -> tuple[str, ...]:
        """Return the ids of the declared entries."""
        return tuple(self._sources)

    def find(self, entry: object) -> Callable[..., Any]:
        """Return the callable of an entry; raises UnknownEntry."""
        if isinstance(entry, str):
            found = self._found.get(entry)
            if found is None:
                found = self._found[entry] = import_callable(
                    self._sources.get(entry, entry), entry, tuple(self._sources)
                )
            return found
        if callable(entry):
            return entry
        raise UnknownEntry(entry, why="an entry is a callable or an id namespace:name")


def entry_name(entry: object) -> str:
    """Return how an entry is shown: its id, or the module and name of a callable."""
    if isinstance(entry, str):
        return entry
    module = getattr(entry, "__module__", None) or "?"
    return f"{module}:{getattr(entry, '__qualname__', repr(entry))}"


def import_callable(
    source: str,
    entry: str | None = None,
    known: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """Return the callable that ``module:callable`` names; raises UnknownEntry."""
    found = import_object(source, entry, known)
    if not callable(found):
        raise UnknownEntry(entry or source, known, f"{source} is not callable")
    result: Callable[..., Any] = found
    return result


def import_object(source: str, entry: str | None = None, known: tuple[str, ...] = ()) -> object:
    """Return what ``module:name`` names; raises UnknownEntry that says what is missing.

    An error raised by the module itself while it is imported goes through unchanged.
    """
    name = entry or source
    module_name, colon, path = source.partition(":")
    if not colon or not module_name or not path:
        raise UnknownEntry(name, known, "an entry is an id namespace:name or module:callable")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(missing + "."):
            raise
        raise UnknownEntry(name, known, f"there is no module {module_name!r}") from None
    for part in path.split("."):
        if not hasattr(found, part):
            raise UnknownEntry(name, known, f"module {module_name!r} has no {path!r}")
        found = getattr(found, part)
    return found
