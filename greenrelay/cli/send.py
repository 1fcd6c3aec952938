"""``greenrelay send``: a message to a process of a running program.

Source: Operations, "Command line".
"""

from __future__ import annotations

import json

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.printing import fail
from greenrelay.cli.remote import asks_a_program, show


@click.command()
@click.argument("process", metavar="PID")
@click.argument("topic")
@click.argument("payload", metavar="JSON", default="null")
@asks_a_program
def send(program: Endpoint, as_json: bool, process: str, topic: str, payload: str) -> None:
    """Send a message to a process, by its PID or a name; its sender is nobody.

    Exit status: 0 when the process took it, 1 when it did not, 2 for a payload that is no JSON.
    """
    try:
        value = json.loads(payload)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        fail(f"JSON: {payload!r} cannot be sent: it has half of a character, which is no text")
    except (ValueError, RecursionError) as error:
        fail(f"JSON: {payload!r} cannot be read: {error}")
    found = program.ask("send", {"dest": process, "topic": topic, "payload": value})
    if as_json:
        show(found)
    elif found["was_taken"]:
        click.echo("sent")
    if not found["was_taken"]:
        fail(f"{process} did not take it", 1)
