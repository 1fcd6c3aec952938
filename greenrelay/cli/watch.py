"""Whether a project's files have changed, for ``greenrelay run --reload``.

Source: Operations, "Command line". It looks at the files again and again: that works on every file
system, in containers too, and costs a walk through some folders.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import gevent

SUFFIXES = (".py", ".yaml", ".yml")
INTERVAL = 0.25
# However long a walk takes, a multiple of that is spent waiting for the next.
SHARE = 10
_SKIPPED = frozenset({"__pycache__", "node_modules"})
# What folders of a virtual environment have in them.
_ENVIRONMENT = "pyvenv.cfg"

State = tuple[int, int]


class Watch:
    """The Python and YAML files in some folders and below, as they were when it was made.

    Hidden folders, virtual environments and ``node_modules`` are left out.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._known = self._look()

    def wait(self) -> str:
        """Wait until a file has changed, come or gone, and then all have settled; return its path.

        What it has found is known from then on.
        """
        changed = ""
        while True:
            began_at = time.monotonic()
            found = self._look()
            took = time.monotonic() - began_at
            if found != self._known:
                changed = changed or _first_change(self._known, found)
                self._known = found
            elif changed:
                return changed
            gevent.sleep(max(INTERVAL, took * SHARE))

    def _look(self) -> dict[str, State]:
        return dict(_files(self._folders))


def folders_of(files: Iterable[str]) -> list[Path]:
    """Return the folders from which the code of a configuration is imported, none twice."""
    found = [Path.cwd(), *(Path(each).resolve().parent for each in files)]
    return [
        each
        for each in dict.fromkeys(found)
        if not any(each != o for o in found if o in each.parents)
    ]


def _files(folders: Iterable[Path]) -> Iterator[tuple[str, State]]:
    for folder in folders:
        for place, below, names in os.walk(folder):
            below[:] = [] if _ENVIRONMENT in names else [each for each in below if _is_ours(each)]
            for name in names:
                if name.endswith(SUFFIXES):
                    path = os.path.join(place, name)
                    state = _state(path)
                    if state is not None:
                        yield path, state


def _is_ours(folder: str) -> bool:
    return not folder.startswith(".") and folder not in _SKIPPED


def _state(path: str) -> State | None:
    try:
        found = os.stat(path)
    except OSError:
        # Gone since, a link to itself, or not to be seen.
        return None
    return found.st_mtime_ns, found.st_size


def _first_change(before: dict[str, State], after: dict[str, State]) -> str:
    names = sorted(before.keys() | after.keys())
    return next(each for each in names if before.get(each) != after.get(each))
