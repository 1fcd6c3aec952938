"""``greenrelay tail``: what goes over a socket, as it comes.

Source: Operations, "Command line".
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.remote import asks_a_program


@click.command()
@click.argument("process", metavar="PID")
@asks_a_program
def tail(program: Endpoint, as_json: bool, process: str) -> None:
    """Show what goes over a socket, or over all relayed to a process, until Ctrl-C or its end.

    PID is a PID or a name. A long message is cut; with --json each is a line.
    """
    with contextlib.suppress(KeyboardInterrupt):
        for each in program.parts("tail", {"dest": process}):
            click.echo(json.dumps(each, ensure_ascii=False) if as_json else _line(each))


def _line(each: dict[str, Any]) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(each["at"]))
    if "missed" in each:
        return f"{at} {each['pid']} {each['missed']} messages went by too fast"
    way = "->" if each["direction"] == "in" else "<-"
    # What a client sends must not move the cursor of whoever looks at it.
    text = "".join(letter if letter.isprintable() else "·" for letter in each["text"])
    return f"{at} {each['pid']} {way} {each['topic']} {each['size']} B  {text}"
