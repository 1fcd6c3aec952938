"""``greenrelay tail``: what goes over a socket, as it comes.

Source: Operations, "Command line".
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import gevent

from greenrelay.admin.client import Answer, Endpoint
from greenrelay.cli.printing import fail
from greenrelay.cli.remote import as_text, asks_a_program
from greenrelay.printable import printable


@click.command()
@click.argument("process", metavar="PID", required=False)
@click.option("--user", metavar="TEXT", help="All sockets of users whose name has TEXT in it.")
@asks_a_program
def tail(program: Endpoint, as_json: bool, process: str | None, user: str | None) -> None:
    """Show the messages of a socket or a process as they come, until Ctrl-C or its end.

    PID is a PID or a name. Of a socket that is what goes over it; of a process what it gets and
    sends, and what goes over all sockets that are relayed to it. A long message is cut; with
    --json each is a line.
    """
    if (process is None) == (user is None):
        fail("one of PID and --user must be given")
    with _until_interrupted():
        for each in program.parts("tail", {"dest": process, "user": user}):
            click.echo(as_text(each) if as_json else _line(each))


class _Interrupted(BaseException):
    """Ctrl-C."""


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Run a block that waits, until Ctrl-C: a KeyboardInterrupt could come where it is lost."""
    waiting, loop = gevent.getcurrent(), gevent.get_hub().loop

    def interrupt() -> None:
        loop.run_callback(waiting.throw, _Interrupted)

    watcher = gevent.signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    except _Interrupted:
        pass
    finally:
        watcher.cancel()


def _line(each: Answer) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(each["at"]))
    if "missed" in each:
        return f"{at} {each['pid']} {each['missed']} messages went by too fast"
    way = "->" if each["direction"] == "in" else "<-"
    if "size" in each:
        about = f"{each['size']} B"
    else:
        about = f"{'from' if way == '->' else 'to'} {each['peer'] or 'nobody'}"
    # What a client sends must not move the cursor of whoever looks at it.
    return printable(f"{at} {each['pid']} {way} {each['topic']} {about}  {each['text']}")
