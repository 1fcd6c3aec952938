"""``greenrelay tree``: the processes of running programs under their supervisors.

Source: Operations, "Command line".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from greenrelay.admin.client import Endpoint
from greenrelay.cli.remote import age, asks_all_programs, show

Info = dict[str, Any]


@click.command()
@asks_all_programs
def tree(programs: Sequence[Endpoint], as_json: bool) -> None:
    """Show supervisors with their children, then all other processes with their links."""
    found = {program.pid: list(program.parts("ps")) for program in programs}
    if as_json:
        show({pid: nested(infos) for pid, infos in found.items()})
        return
    for pid, infos in found.items():
        click.echo(f"program {pid}, {len(infos)} processes")
        for line in lines(infos):
            click.echo(line)


def nested(infos: Sequence[Info]) -> list[Info]:
    """Return the processes with their living children inside ``processes``."""
    by_pid, tops = _order(infos)
    return [_nest(each, by_pid) for each in tops]


def lines(infos: Sequence[Info]) -> Iterator[str]:
    """Yield the lines of the tree."""
    by_pid, tops = _order(infos)
    for each in tops:
        yield from _branch(each, by_pid, "")


def _order(infos: Sequence[Info]) -> tuple[Mapping[str, Info], list[Info]]:
    by_pid = {each["pid"]: each for each in infos}
    below = {child["pid"] for each in infos for child in each["children"] if child["pid"]}
    tops = [each for each in infos if each["pid"] not in below]
    # Those with children first.
    return by_pid, sorted(tops, key=lambda each: (not each["children"], -each["age"]))


def _nest(each: Info, by_pid: Mapping[str, Info]) -> Info:
    inside = [by_pid[child["pid"]] for child in each["children"] if child["pid"] in by_pid]
    return {**each, "processes": [_nest(child, by_pid) for child in inside]}


def _branch(each: Info, by_pid: Mapping[str, Info], indent: str) -> Iterator[str]:
    yield indent + _text(each)
    for child in each["children"]:
        living = by_pid.get(child["pid"])
        if living is not None:
            yield from _branch(living, by_pid, indent + "  ")
        else:
            yield f"{indent}  {child['id']}  {child['state']}"


def _text(each: Info) -> str:
    parts = [each["pid"], each["entry"], each["state"], age(each["age"])]
    if each["names"]:
        parts.append("named " + ", ".join(each["names"]))
    if each["links"]:
        parts.append("linked to " + ", ".join(each["links"]))
    if each["monitors"]:
        parts.append("monitors " + ", ".join(each["monitors"]))
    return "  ".join(parts)
