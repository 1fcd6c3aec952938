"""``greenrelay top``: what the programs that run are doing, again and again.

Source: Operations, "Command line".
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import gevent
from gevent.event import Event as Flag

from greenrelay.admin.client import Answer, Gone, running
from greenrelay.cli.printing import fail, readable, table
from greenrelay.cli.remote import (
    NOBODY,
    age,
    as_text,
    endpoints,
    explained,
    parts_of,
    with_json,
    with_pid,
)
from greenrelay.durations import parse_duration

Info = Mapping[str, Any]
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
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N pictures.")
@click.option("--sort", type=click.Choice(list(SORTS)), default="inbox", show_default=True)
@with_pid
@with_json
def top(every: str, count: int | None, sort: str, pid: int | None, as_json: bool) -> None:
    """Show the busiest processes of the programs that run, until Ctrl-C.

    What grows, and what comes and goes in a second, is told from the second picture on. Into a
    file or a pipe it writes one picture below the other; with --json each is a line. Exit status:
    0, or 1 without a program or when one of them has not answered.
    """
    try:
        seconds = parse_duration(every)
    except ValueError as error:
        fail(f"--every: {error}")
    told = Flag()
    # An interrupt that came as an exception could come where it is lost.
    watcher = gevent.signal_handler(signal.SIGINT, told.set)
    has_failed = False
    try:
        with explained():
            endpoints(pid)
            before: Mapping[str, Info] = {}
            since = 0.0
            for now in _times(told, seconds, count):
                found, failures = _ask(pid)
                for each in found:
                    _add_rates(each, before, now - since)
                found.sort(key=SORTS[sort])
                _draw(found, failures, as_json=as_json)
                before, since = {each["pid"]: each for each in found}, now
                has_failed = has_failed or bool(failures)
    finally:
        watcher.cancel()
    if has_failed:
        sys.exit(1)


def _times(told: Flag, seconds: float, count: int | None) -> Iterator[float]:
    """Yield the time whenever a picture is due."""
    pictures = 0
    while not told.is_set():
        yield time.monotonic()
        pictures += 1
        if pictures == count:
            return
        told.wait(seconds)


def _ask(pid: int | None) -> tuple[list[Answer], list[str]]:
    asked = [each for each in running() if pid in (None, each.pid)]
    if not asked:
        fail(NOBODY, 1)
    found, failures = parts_of(asked, "ps")
    # One that has stopped since it was found is just not in the picture.
    return found, [readable(str(each)) for each in failures if not isinstance(each, Gone)]


def _add_rates(each: Answer, before: Mapping[str, Info], seconds: float) -> None:
    # One that has come since the last picture had nothing then; of the first nothing is known.
    was = before.get(each["pid"], _NOTHING if before else each)
    each["growth"] = (each["depth"] - was["depth"]) / seconds
    each["in_rate"] = (each["messages_in"] - was["messages_in"]) / seconds
    each["out_rate"] = (each["messages_out"] - was["messages_out"]) / seconds


def _draw(rows: Sequence[Answer], failures: Sequence[str], *, as_json: bool) -> None:
    is_live = sys.stdout.isatty() and not as_json
    if not is_live:
        for failure in failures:
            click.echo(failure, err=True)
    if as_json:
        click.echo(as_text(rows))
        return
    size = shutil.get_terminal_size((120, 40))
    notes = failures if is_live else ()
    shown = rows[: size.lines - 4 - len(notes)] if is_live else rows
    lines = table([HEAD, *map(_row, shown)]).splitlines()
    waiting = sum(each["depth"] for each in rows)
    title = f"{time.strftime('%H:%M:%S')}  {len(rows)} processes, {waiting} messages wait"
    lines = [title, *notes, "", *lines]
    if is_live:
        lines = [line[: size.columns] for line in lines]
    click.echo((_CLEAR if is_live else "") + "\n".join(lines))


def _row(each: Answer) -> tuple[str, ...]:
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
