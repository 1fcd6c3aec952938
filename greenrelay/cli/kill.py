"""``greenrelay kill``: end a process of a running program.

Source: Operations, "Command line".
"""

from __future__ import annotations

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.printing import fail
from greenrelay.cli.remote import asks_a_program, show
from greenrelay.durations import parse_duration


@click.command()
@click.argument("process", metavar="PID")
@click.option(
    "--cancel", metavar="DURATION", help="Ask it to end, and kill it after that time, as 10s."
)
@asks_a_program
def kill(program: Endpoint, as_json: bool, process: str, cancel: str | None) -> None:
    """End one process, by its PID or a name: at once, unless --cancel says otherwise."""
    seconds = None
    if cancel is not None:
        try:
            seconds = parse_duration(cancel)
        except ValueError as error:
            fail(f"--cancel: {error}")
    found = program.ask("kill", {"dest": process, "cancel": seconds})
    if as_json:
        show(found)
    elif found["was_told"]:
        click.echo("killed" if seconds is None else "asked to end")
    if not found["was_told"]:
        fail(f"{process} has ended already", 1)
