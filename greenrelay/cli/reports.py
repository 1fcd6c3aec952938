"""``greenrelay reports``: what running programs have warned of.

Source: Operations, "Command line" and "Blocking code".
"""

from __future__ import annotations

import time

import click

from greenrelay.admin.client import Answer
from greenrelay.cli.printing import readable
from greenrelay.cli.remote import Programs, asks_all_programs, show


@click.command()
@click.option("--hub", is_flag=True, help="Only what kept the hub busy, with the stacks.")
@asks_all_programs
def reports(programs: Programs, as_json: bool, hub: bool) -> None:
    """Show the last warnings and errors of the programs that run, the newest last."""
    kind = "hub" if hub else ""
    found = programs.parts("reports", {"kind": kind})
    found.sort(key=lambda each: float(each["at"]))
    if as_json:
        show(found)
        return
    for each in found:
        click.echo(_text(each))
    click.echo(f"{len(found)} reports")


def _text(each: Answer) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(each["at"]))
    head = f"{at} program {each['program']} {each['level']} {each['logger']}"
    return readable(f"{head}: {each['text'].rstrip()}")
