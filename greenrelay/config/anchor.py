"""Directories that a configuration names: where they are, and whether they are there.

Source: HTTP, "Entries" (``http.static``) and "Middleware" (``sendfile``). A relative path starts at
the folder of the file it is written in; one that no file has, such as that of ``--set`` or of a
Python mapping, starts at the working directory.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from greenrelay.config.directory import directory
from greenrelay.config.entries import Entry, HttpRouter
from greenrelay.config.mark import Mark, Problem, shown
from greenrelay.config.middleware import LISTS
from greenrelay.config.options import OptionSpec

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")


def anchored(entry: Entry) -> Entry:
    """Return the entry with absolute directories, those of a router's middleware too."""
    found = _anchored(entry, entry.at)
    if not isinstance(found, HttpRouter):
        return found
    typed = {
        name: _anchored(options, _places(found, name))  # type: ignore[type-var]
        for name, options in found.middleware_options.items()
    }
    return dataclasses.replace(found, middleware_options=typed)


def directory_problems(entries: Iterable[Entry]) -> list[Problem]:
    """Return a problem for every directory that is not there; they are ``anchored``."""
    return [
        entry.problem(field, f"{shown(path)} is no directory")
        for entry in entries
        for field, path in _directories(entry)
        if path and not os.path.isdir(path)
    ]


def _directories(entry: Entry) -> Iterator[tuple[str, str]]:
    for _, option, path in _of(entry):
        yield option, path
    if isinstance(entry, HttpRouter):
        for name, options in entry.middleware_options.items():
            for _, option, path in _of(options):
                yield f"{_options_key(entry, name)}.{option}", path


def _anchored(options: Options, place: Callable[[str], Mark]) -> Options:
    found = {
        field: os.path.normpath(os.path.join(_folder(place(option)), path))
        for field, option, path in _of(options)
        if path
    }
    return dataclasses.replace(options, **found) if found else options


def _of(options: object) -> Iterator[tuple[str, str, str]]:
    """Yield the field, the name and the value of every option that is a directory."""
    # Middleware without options has None.
    if options is None or not dataclasses.is_dataclass(options):
        return
    for field in dataclasses.fields(options):
        for spec in field.metadata.values():
            if isinstance(spec, OptionSpec) and spec.read is directory:
                yield field.name, spec.name, getattr(options, field.name)


def _places(router: HttpRouter, name: str) -> Callable[[str], Mark]:
    key = _options_key(router, name)
    return lambda option: router.at(f"{key}.{option}")


def _options_key(router: HttpRouter, name: str) -> str:
    return LISTS["pre" if name in router.middleware else "post"][1]


def _folder(mark: Mark) -> str:
    # What is no file, such as <text> or the name of a variable, has no folder.
    return os.path.dirname(os.path.abspath(mark.file)) if os.path.isfile(mark.file) else os.getcwd()
