"""``greenrelay reload``: let running programs read their configuration again.

Source: Configuration, the item on SIGHUP; Operations, "Command line".
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from greenrelay.admin.client import AdminError, Endpoint
from greenrelay.cli.remote import asks_all_programs, show


@click.command()
@asks_all_programs
def reload(programs: Sequence[Endpoint], as_json: bool) -> None:
    """Let the programs that run read their configuration again, and print what changed.

    Exit status: 0, or 2 when a configuration is wrong; then that program goes on as it was.
    """
    found: dict[str, object] = {}
    has_failed = False
    for program in programs:
        try:
            found[str(program.pid)] = answer = program.ask("reload")
        except AdminError as error:
            has_failed = True
            found[str(program.pid)] = {"problems": str(error).splitlines()}
            if not as_json:
                click.echo(f"{error}\nprogram {program.pid}: nothing was changed", err=True)
            continue
        if not as_json:
            _tell(program.pid, answer["changes"], answer["warnings"])
    if as_json:
        show(found)
    if has_failed:
        sys.exit(2)


def _tell(pid: int, changes: Sequence[str], warnings: Sequence[str]) -> None:
    for line in changes:
        click.echo(line)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"program {pid}: {len(changes)} changes")
