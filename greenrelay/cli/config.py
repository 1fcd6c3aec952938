"""``greenrelay config``: every value in force, and where it comes from; secrets are masked.

Source: Configuration, the item on ``greenrelay config``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.files import read_or_fail, reads_files
from greenrelay.cli.printing import fail, table
from greenrelay.cli.remote import explained, show, the_one, with_pid
from greenrelay.config.effective import Setting
from greenrelay.config.effective import settings as settings_of
from greenrelay.config.entries import Entry
from greenrelay.http.registry import middleware_specs


@click.command()
@click.option("--running", is_flag=True, help="Those in force in the program that runs.")
@reads_files
@with_pid
def config(
    files: Sequence[str], settings: Sequence[str], as_json: bool, running: bool, pid: int | None
) -> None:
    """Show the values of FILEs (config.yaml) that are in force, and where each comes from.

    That is a line of a file, the environment, --set or the default. Secrets are masked. Exit
    status: 0, or 2 with every problem of the configuration.
    """
    if running or pid is not None:
        if files or settings:
            fail("--running: a program has read its files already; none can be given")
        with explained():
            _show_running(the_one(pid), as_json=as_json)
        return
    configuration = read_or_fail(files, settings)
    specs = middleware_specs([])
    found = [(entry, settings_of(entry, specs)) for entry in configuration.all]
    if as_json:
        click.echo(json.dumps([_facts(*each) for each in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join(_block(*each) for each in found) or "there are no entries")


def _show_running(program: Endpoint, *, as_json: bool) -> None:
    rows = list(program.parts("settings"))
    if as_json:
        show(rows)
        return
    blocks: list[str] = []
    for (entry, kind), found in groupby(rows, key=lambda row: (row["entry"], row["kind"])):
        lines = [(f"  {each['name']}", _text(each["value"]), each["origin"]) for each in found]
        blocks.append(f"{entry}  {kind}\n{table(lines)}")
    click.echo("\n\n".join(blocks) or "there are no entries")


def _facts(entry: Entry, found: Sequence[Setting]) -> dict[str, object]:
    values = [{"name": s.name, "value": s.shown, "origin": s.origin} for s in found]
    return {"id": entry.id, "kind": entry.kind, "declared": entry.where.place, "values": values}


def _block(entry: Entry, found: Sequence[Setting]) -> str:
    rows = [(f"  {each.name}", _text(each.shown), each.origin) for each in found]
    head = f"{entry.id}  {entry.kind}  {entry.where.place}"
    return f"{head}\n{table(rows)}" if rows else head


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
