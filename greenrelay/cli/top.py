"""``greenrelay top``: what the programs that run are doing, again and again.

Source: Operations, "Command line".
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
import gevent
from gevent.event import Event as Flag

from greenrelay.admin.client import AdminError, Endpoint, running
from greenrelay.cli.files import fail, table
from greenrelay.cli.remote import NOBODY, age, programs, show, with_json, with_pid
from greenrelay.durations import parse_duration

Info = dict[str, Any]
HEAD = ("PID", "ENTRY", "STATE", "AGE", "INBOX", "GROWS/S", "IN/S", "OUT/S", "DROPPED")
SORTS = {
    "inbox": lambda each: (-each["depth"], -each["in_rate"] - each["out_rate"]),
    "growth": lambda each: (-each["growth"], -each["depth"]),
    "in": lambda each: -each["in_rate"],
    "out": lambda each: -each["out_rate"],
}
_NOTHING: Info = {"depth": 0, "messages_in": 0, "messages_out": 0}
_CLEAR = "\x1b[H\x1b[J"


@click.command()
@click.option("--every", default="2s", metavar="DURATION", help="How often; 2s unless given.")
@click.option("--count", type=int, metavar="N", help="Stop after N pictures.")
@click.option("--sort", type=click.Choice(list(SORTS)), default="inbox", show_default=True)
@with_pid
@with_json
def top(every: str, count: int | None, sort: str, pid: int | None, as_json: bool) -> None:
    """Show the busiest processes of the programs that run, until Ctrl-C.

    What grows, and what comes and goes in a second, is told from the second picture on. Into a
    file or a pipe it writes one picture below the other; with --json each is a line.
    """
    try:
        seconds = parse_duration(every)
    except ValueError as error:
        fail(f"--every: {error}")
    before: Mapping[str, Info] = {}
    since = 0.0
    pictures = 0
    programs(pid)
    told = Flag()
    # An interrupt that came as an exception could come where it is lost.
    watcher = gevent.signal_handler(signal.SIGINT, told.set)
    while not told.is_set():
        started = time.monotonic()
        found = _ask(pid)
        rows = [_with_rates(each, before, started - since) for each in found]
        rows.sort(key=SORTS[sort])
        _draw(rows, as_json=as_json)
        before, since = {each["pid"]: each for each in found}, started
        pictures += 1
        if pictures == count:
            break
        told.wait(seconds)
    watcher.cancel()


def _ask(pid: int | None) -> list[Info]:
    asked = [each for each in running() if pid in (None, each.pid)]
    if not asked:
        fail(NOBODY, 1)
    return [info for each in asked for info in _processes(each)]


def _processes(program: Endpoint) -> list[Info]:
    try:
        return list(program.parts("ps"))
    except (AdminError, OSError):
        # It has stopped since it was found.
        return []


def _with_rates(each: Info, before: Mapping[str, Info], seconds: float) -> Info:
    # One that has come since the last picture had nothing then; of the first nothing is known.
    was = before.get(each["pid"], _NOTHING if before else each)
    return {
        **each,
        "growth": (each["depth"] - was["depth"]) / seconds,
        "in_rate": (each["messages_in"] - was["messages_in"]) / seconds,
        "out_rate": (each["messages_out"] - was["messages_out"]) / seconds,
    }


def _draw(rows: Sequence[Info], *, as_json: bool) -> None:
    if as_json:
        show(rows)
        return
    size = shutil.get_terminal_size((120, 40))
    is_live = sys.stdout.isatty()
    shown = rows[: size.lines - 4] if is_live else rows
    lines = table([HEAD, *map(_row, shown)]).splitlines()
    waiting = sum(each["depth"] for each in rows)
    title = f"{time.strftime('%H:%M:%S')}  {len(rows)} processes, {waiting} messages wait"
    if is_live:
        lines = [line[: size.columns] for line in lines]
    click.echo((_CLEAR if is_live else "") + "\n".join([title, "", *lines]))


def _row(each: Info) -> tuple[str, ...]:
    return (
        each["pid"],
        each["entry"],
        each["state"],
        age(each["age"]),
        f"{each['depth']}/{each['high_water']}",
        f"{each['growth']:+.0f}" if each["growth"] else "-",
        f"{each['in_rate']:.0f}",
        f"{each['out_rate']:.0f}",
        str(each["dropped"]),
    )
