"""``greenrelay sockets``: who is connected to the programs that run.

Source: Operations, "Command line".
"""

from __future__ import annotations

from typing import Any

import click

from greenrelay.admin.client import Answer
from greenrelay.cli.remote import Programs, age, asks_all_programs, show
from greenrelay.dashboard.sockets import ORDERS, STATES

HEAD = (
    "PID",
    "USER",
    "PATH",
    "ADDRESS",
    "TARGET",
    "STATE",
    "QUEUE",
    "IN",
    "OUT",
    "LAST",
    "RTT",
    "AGE",
)


@click.command()
@click.option("--text", default="", help="Those with this in PID, path, user, target or metadata.")
@click.option("--path", default="", help="Those whose path has this in it.")
@click.option("--user", default="", help="Those of a user whose name has this in it.")
@click.option("--address", default="", help="Those from an address that has this in it.")
@click.option("--target", default="", help="Those relayed to this PID or name.")
@click.option("--state", type=click.Choice(STATES), help="Those in this state.")
@click.option("--queue", default=0, metavar="N", help="Those with N frames waiting, or more.")
@click.option("--order", type=click.Choice(ORDERS), default=ORDERS[0], show_default=True)
@asks_all_programs
def sockets(programs: Programs, as_json: bool, **wanted: Any) -> None:
    """List open sockets and streams; texts may be parts, in any case."""
    found = programs.parts("sockets", wanted)
    if as_json:
        show(found)
    else:
        click.echo(programs.table(HEAD, found, _row))
        click.echo(f"\n{len(found)} sockets")


def _row(each: Answer) -> tuple[str, ...]:
    rtt = each["rtt"]
    lasts = [last for last in (each["last_in"], each["last_out"]) if last is not None]
    return (
        each["pid"],
        each["user"] or "-",
        each["path"],
        each["address"],
        each["target_name"] or each["target"] or "-",
        each["state"],
        str(each["queue"]),
        str(each["messages_in"]),
        str(each["messages_out"]),
        age(min(lasts)) if lasts else "-",
        "-" if rtt is None else f"{rtt:.1f}ms",
        age(each["age"]),
    )
