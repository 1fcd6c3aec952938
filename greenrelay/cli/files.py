"""What commands that read a configuration share: their arguments, and reading it or failing.

Source: Operations, "Command line"; Configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from flask import Flask

from greenrelay.boot import check, read
from greenrelay.cli.printing import fail
from greenrelay.config.resolve import Configuration
from greenrelay.errors import ConfigError

Command = Callable[..., Any]
DEFAULT_FILE = "config.yaml"


def takes_files(command: Command) -> Command:
    """Give a command the arguments ``files`` and ``settings``."""
    settings = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="ENTRY.FIELD=VALUE",
        help="Set one value; stronger than file and environment.",
    )
    files = click.argument("files", nargs=-1, type=click.Path(), metavar="[FILE]...")
    return files(settings(command))


def reads_files(command: Command) -> Command:
    """Give a command the arguments ``files`` and ``settings`` and the option ``--json``."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return takes_files(as_json(command))


def files_of(files: Sequence[str]) -> list[str]:
    """Return the files that are meant: those that are named, else the one in this folder."""
    return list(files) or [DEFAULT_FILE]


def read_checked(files: Sequence[str], settings: Sequence[str]) -> Configuration:
    """Return the configuration of ``files``, all of whose code can be imported.

    Raises ConfigError.
    """
    configuration = read(files_of(files), settings)
    check(Flask(__name__, static_folder=None), configuration)
    return configuration


def read_or_fail(files: Sequence[str], settings: Sequence[str]) -> Configuration:
    """Return the configuration of ``files``; with a problem, print all and exit with status 2."""
    try:
        return read_checked(files, settings)
    except ConfigError as error:
        fail(str(error))
