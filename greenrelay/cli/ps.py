"""``greenrelay ps``: the processes of running programs.

Source: Operations, "Command line".
"""

from __future__ import annotations

import click

from greenrelay.admin.client import Answer
from greenrelay.cli.remote import Programs, age, asks_all_programs, show

HEAD = ("PID", "ENTRY", "HOST", "STATE", "AGE", "INBOX", "IN", "OUT", "NAMES")
SORTS = {
    "age": lambda each: -each["age"],
    "inbox": lambda each: -each["depth"],
    "in": lambda each: -each["messages_in"],
    "out": lambda each: -each["messages_out"],
    "entry": lambda each: each["entry"],
}


@click.command()
@click.option("--sort", type=click.Choice(list(SORTS)), default="age", help="What comes first.")
@click.option("--entry", metavar="TEXT", help="Only those whose entry has TEXT in it.")
@asks_all_programs
def ps(programs: Programs, as_json: bool, sort: str, entry: str | None) -> None:
    """List the processes of the programs that run, the oldest first."""
    found = programs.parts("ps")
    if entry:
        found = [each for each in found if entry in each["entry"]]
    found.sort(key=SORTS[sort])
    if as_json:
        show(found)
    else:
        click.echo(programs.table(HEAD, found, row))


def row(each: Answer) -> tuple[str, ...]:
    """Return one process as the cells of a table."""
    return (
        each["pid"],
        each["entry"],
        each["host"],
        each["state"],
        age(each["age"]),
        f"{each['depth']}/{each['high_water']}",
        str(each["messages_in"]),
        str(each["messages_out"]),
        ", ".join(each["names"]),
    )
