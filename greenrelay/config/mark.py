"""Where a configuration value stands, and how a problem with it is told.

Source: Configuration, the item "Errors come all at once". Columns count characters; lines and
columns start at 1.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from greenrelay.errors import ConfigError

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; ``line`` is 0 where there are no lines (a Python mapping).

    What has more ``strength`` comes before what has less: ``--set`` before the environment, and
    that before any file.
    """

    file: str
    line: int = 0
    column: int = 0
    strength: int = 0

    def __str__(self) -> str:
        return f"{self.place}:{self.column}" if self.line else self.file

    @property
    def place(self) -> str:
        """The file and the line, as a table shows them."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: ``subject`` is ``kind "id"`` or empty, ``field`` a dotted name or empty."""

    mark: Mark
    text: str
    field: str = ""
    subject: str = ""

    def __str__(self) -> str:
        parts = (str(self.mark), self.subject, self.field, self.text)
        text = ": ".join(part for part in parts if part)
        # It quotes what was found, also what no file or terminal could be given.
        return text.encode(errors="backslashreplace").decode()


def raise_problems(problems: Iterable[Problem]) -> NoReturn:
    """Raise one ConfigError for all problems, in the order of the lines they stand on.

    A problem inside an anchor is found once for each alias and told once.
    """
    raise ConfigError(told(problems))


def told(problems: Iterable[Problem]) -> list[str]:
    """Return the texts of the problems: file by file, in the order of the lines, each once."""
    found = list(problems)
    files = list(dict.fromkeys(problem.mark.file for problem in found))
    found.sort(key=lambda each: (files.index(each.mark.file), each.mark.line, each.mark.column))
    return list(dict.fromkeys(str(problem) for problem in found))


def shown(value: object) -> str:
    """Return the value as a message quotes it: as JSON, cut after 80 characters."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"? Known: …`` for a name that is not among the known ones."""
    names = sorted(known)
    if not names:
        return "; none is known"
    listing = ", ".join(names)
    # Compared without the namespace or first part they share, which would make every two look
    # alike.
    by_tail = {_tail(known_name, name): known_name for known_name in names}
    # Where none shares it, the first part itself may be what is misspelt.
    is_shared = any(tail != _local(known_name) for tail, known_name in by_tail.items())
    wanted = _tail(name, name) if is_shared else _local(name)
    close = difflib.get_close_matches(wanted, by_tail, n=1)
    if not close:
        return f"; known: {listing}"
    return f'; did you mean "{by_tail[close[0]]}"? Known: {listing}'


def _tail(name: str, other: str) -> str:
    tail = _local(name)
    first, dot, rest = tail.partition(".")
    return rest if dot and _local(other).startswith(first + dot) else tail


def _local(name: str) -> str:
    return name.rpartition(":")[2]
