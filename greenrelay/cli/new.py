"""``greenrelay new``: a project to begin with, which runs and passes its tests.

Source: Operations, "Command line". Its files are those of ``cli/project``, each with ``.txt``
behind its name, so that nothing takes them for parts of greenrelay, and ``dot.`` for a leading dot.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from greenrelay.cli.printing import fail

PLACEHOLDER = "PROJECT"
VERSION = "GREENRELAY-VERSION"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Make a project in a new folder NAME: a chat with rooms.

    It has an app, config.yaml, a page, tests, a gunicorn file, a Dockerfile and a Makefile. Exit
    status: 0, 1 when it cannot be written, 2 for a name that is none or a folder that is not empty.
    """
    folder = Path(name)
    if not _NAME.fullmatch(folder.name):
        fail(f"NAME: {folder.name!r} must be letters, digits, - and _, and begin with a letter")
    try:
        if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
            fail(f"NAME: {folder} is there already; nothing was written")
        _write(folder)
    except OSError as error:
        fail(f"NAME: {folder} cannot be made: {error}", 1)
    click.echo(f"{folder}: made\n\n  cd {os.fspath(folder)}\n  make run\n  make test")


def _write(folder: Path) -> None:
    for path, text in _contents(files("greenrelay.cli") / "project", Path()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = text.replace(PLACEHOLDER, folder.name).replace(VERSION, version("greenrelay"))
        target.write_text(text, encoding="utf-8")


def _contents(source: Traversable, path: Path) -> list[tuple[Path, str]]:
    """Return (path, text) of every file of the project."""
    found: list[tuple[Path, str]] = []
    for each in sorted(source.iterdir(), key=lambda item: item.name):
        if each.is_dir():
            found += _contents(each, path / each.name)
        elif each.name.endswith(".txt"):
            name = each.name.removesuffix(".txt")
            name = "." + name.removeprefix("dot.") if name.startswith("dot.") else name
            found.append((path / name, each.read_text(encoding="utf-8")))
    return found
