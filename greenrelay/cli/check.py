"""``greenrelay check``: say everything that is wrong with a configuration, and start nothing.

Source: Configuration, the items on errors and on ``greenrelay check``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

import click

from greenrelay.cli.files import files_of, read_checked, reads_files
from greenrelay.cli.printing import fail
from greenrelay.config.resolve import Configuration
from greenrelay.errors import ConfigError

_LOCATED = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)", re.DOTALL)
_NAMED = re.compile(r"(?P<file>.+?): (?P<message>.*)", re.DOTALL)


@click.command()
@reads_files
def check(files: Sequence[str], settings: Sequence[str], as_json: bool) -> None:
    """Check FILEs (config.yaml), which together are one configuration.

    The code they name is imported; nothing is started. Exit status: 0 when nothing is wrong, else
    2, with every problem on a line of its own.
    """
    shown = files_of(files)
    try:
        configuration = read_checked(files, settings)
    except ConfigError as error:
        if not as_json:
            fail(str(error))
        click.echo(_as_json(shown, error.problems))
        sys.exit(2)
    click.echo(_as_json(shown, ()) if as_json else f"{', '.join(shown)}: {_counts(configuration)}")


def _counts(configuration: Configuration) -> str:
    count = len(configuration.all)
    return f"nothing is wrong with {count} {'entry' if count == 1 else 'entries'}"


def _as_json(files: list[str], problems: Sequence[str]) -> str:
    facts = {
        "files": files,
        "is_valid": not problems,
        "problems": [_problem(text) for text in problems],
    }
    return json.dumps(facts, indent=2, ensure_ascii=False)


def _problem(text: str) -> dict[str, object]:
    located = _LOCATED.fullmatch(text)
    if located is not None:
        place = {"line": int(located["line"]), "column": int(located["column"])}
        return {"file": located["file"], **place, "message": located["message"]}
    named = _NAMED.fullmatch(text)
    if named is not None:
        return {"file": named["file"], "message": named["message"]}
    return {"message": text}
