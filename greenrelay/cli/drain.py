"""``greenrelay drain``: move all clients off a running program.

Source: Operations, "Command line".
"""

from __future__ import annotations

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.remote import asks_a_program, show


@click.command()
@asks_a_program
def drain(program: Endpoint, as_json: bool) -> None:
    """Close all connections as at a stop, with 1012, and refuse new ones.

    The program goes on and answers requests; it takes sockets again when it is started again.
    """
    if not as_json:
        count = program.ask("hello")["sockets"]
        click.echo(f"closing {count} connections of program {program.pid}")
    found = program.ask("drain")
    if as_json:
        show(found)
    else:
        click.echo(f"closed {found['closed']} connections")
