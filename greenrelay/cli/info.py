"""``greenrelay info``: one process of a running program.

Source: Operations, "Command line".
"""

from __future__ import annotations

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.printing import readable, table
from greenrelay.cli.remote import age, asks_a_program, show


@click.command()
@click.argument("process", metavar="PID")
@asks_a_program
def info(program: Endpoint, as_json: bool, process: str) -> None:
    """Show what is to be seen of one process, by its PID or a name, and where it stands."""
    found = program.ask("info", {"dest": process})
    if as_json:
        show(found)
        return
    stack = found["stack"]
    del found["stack"]
    found["age"] = age(found["age"])
    click.echo(table([(name, _text(value)) for name, value in found.items()]))
    click.echo(
        f"\n{readable(stack.rstrip())}" if stack else "\nit has no greenlet now, so no stack"
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "-"
    if isinstance(value, dict):
        return " ".join(f"{name}={_text(each)}" for name, each in value.items())
    return "-" if value is None else str(value)
