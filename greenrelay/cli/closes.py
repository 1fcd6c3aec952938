"""``greenrelay closes``: which sockets are over, and why.

Source: Operations, "Command line".
"""

from __future__ import annotations

import time

import click

from greenrelay.admin.client import Answer
from greenrelay.cli.remote import Programs, age, asks_all_programs, show

HEAD = ("AT", "PID", "CODE", "REASON", "BY", "CLEAN", "USER", "PATH", "ADDRESS", "LASTED")


@click.command()
@click.option("--code", type=int, metavar="CODE", help="Those with this close code.")
@click.option("--user", default="", help="Those of a user whose name has this in it.")
@asks_all_programs
def closes(programs: Programs, as_json: bool, code: int | None, user: str) -> None:
    """List the last sockets and streams that are over, the newest first."""
    found = [
        each
        for each in programs.parts("closes")
        if code in (None, each["code"]) and user.lower() in each["user"].lower()
    ]
    found.sort(key=lambda each: -each["at"])
    if as_json:
        show(found)
    else:
        click.echo(programs.table(HEAD, found, _row))


def _row(each: Answer) -> tuple[str, ...]:
    return (
        time.strftime("%H:%M:%S", time.localtime(each["at"])),
        each["pid"],
        "-" if each["code"] is None else str(each["code"]),
        each["reason"] or "-",
        "client" if each["by_client"] else "server",
        "yes" if each["clean"] else "no",
        each["user"] or "-",
        each["path"],
        each["remote_addr"],
        age(each["duration"]),
    )
