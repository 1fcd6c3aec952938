"""``greenrelay reload``: let running programs read their configuration again.

Source: Configuration, the item on SIGHUP; Operations, "Command line".
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from greenrelay.admin.client import AdminError, Unanswered
from greenrelay.cli.printing import readable
from greenrelay.cli.remote import Programs, asks_all_programs, show


@click.command()
@asks_all_programs
def reload(programs: Programs, as_json: bool) -> None:
    """Let the programs that run read their configuration again, and print what changed.

    Exit status: 0, 1 when a program does not answer, or 2 when a configuration is wrong; then that
    program goes on as it was.
    """
    found: dict[str, object] = {}
    for program in programs.endpoints:
        try:
            found[str(program.pid)] = answer = program.ask("reload")
        except Unanswered as error:
            programs.note(error)
            found[str(program.pid)] = {"problems": [str(error)]}
            continue
        except AdminError as error:
            programs.status = 2
            found[str(program.pid)] = {"problems": str(error).splitlines()}
            if not as_json:
                text = f"{error}\nprogram {program.pid}: nothing was changed"
                click.echo(readable(text), err=True)
            continue
        if not as_json:
            _tell(program.pid, answer["changes"], answer["warnings"])
    if as_json:
        show(found)


def _tell(pid: int, changes: Sequence[str], warnings: Sequence[str]) -> None:
    for line in changes:
        click.echo(readable(line))
    for warning in warnings:
        click.echo(readable(f"warning: {warning}"), err=True)
    click.echo(f"program {pid}: {len(changes)} changes")
