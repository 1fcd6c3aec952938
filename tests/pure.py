"""Runs the tests on greenrelay's Python source although it is compiled: ``pytest -p tests.pure``.

Some tests change methods of classes, which compiled classes refuse; and where there is no compiler,
the source is what users run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType


class PureFinder(MetaPathFinder):
    """Finds the modules of greenrelay by their source only."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("greenrelay."):
            return None
        for folder in path or ():
            finder = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
            spec = finder.find_spec(name)
            if spec is not None:
                return spec
        return None


if any(name.startswith("greenrelay.") for name in sys.modules):
    raise ImportError("tests.pure came too late: greenrelay has been imported")
sys.meta_path.insert(0, PureFinder())
