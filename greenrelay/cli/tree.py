"""``greenrelay tree``: the processes of running programs under their supervisors.

Source: Operations, "Command line".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from greenrelay.admin.client import Answer
from greenrelay.cli.remote import Programs, age, asks_all_programs, show
from greenrelay.printable import printable

# Of links and monitors so many are shown; `info` has all.
SHOWN = 5


@click.command()
@asks_all_programs
def tree(programs: Programs, as_json: bool) -> None:
    """Show supervisors with their children, then all other processes with their links."""
    found: dict[int, list[Answer]] = {}
    for each in programs.parts("ps"):
        found.setdefault(each["program"], []).append(each)
    if as_json:
        show({pid: nested(infos) for pid, infos in found.items()})
        return
    for pid, infos in found.items():
        click.echo(f"program {pid}, {len(infos)} processes")
        for line in lines(infos):
            click.echo(printable(line))


def nested(infos: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return the processes with their living children inside ``processes``."""
    family = _Family.of(infos)
    return [family.nest(each) for each in family.tops]


def lines(infos: Sequence[Answer]) -> Iterator[str]:
    """Yield the lines of the tree."""
    family = _Family.of(infos)
    for each in family.tops:
        yield from family.branch(each, "")


@dataclass(frozen=True, slots=True)
class _Family:
    """Who is below whom: a supervisor tells of its first children only, a child of who is above."""

    by_pid: Mapping[str, Answer]
    below: Mapping[str, Sequence[Answer]]
    tops: Sequence[Answer]

    @classmethod
    def of(cls, infos: Sequence[Answer]) -> _Family:
        by_pid = {each["pid"]: each for each in infos}
        below: dict[str, list[Answer]] = defaultdict(list)
        tops: list[Answer] = []
        for each in infos:
            above = each["supervisor"]
            (below[above] if above in by_pid else tops).append(each)
        # Those with children first.
        tops.sort(key=lambda each: (not each["child_count"], -each["age"]))
        return cls(by_pid, below, tops)

    def children(self, each: Answer) -> list[Answer]:
        """Return the living children, those it tells of in its order."""
        order = {child["pid"]: at for at, child in enumerate(each["children"])}
        found = self.below.get(each["pid"], ())
        return sorted(found, key=lambda child: order.get(child["pid"], len(order)))

    def nest(self, each: Answer) -> dict[str, Any]:
        return {**each, "processes": [self.nest(child) for child in self.children(each)]}

    def branch(self, each: Answer, indent: str) -> Iterator[str]:
        yield indent + _text(each)
        inside = indent + "  "
        for child in self.children(each):
            yield from self.branch(child, inside)
        over = [child for child in each["children"] if child["pid"] not in self.by_pid]
        for child in over:
            yield f"{inside}{child['id']}  {child['state']}"


def _text(each: Answer) -> str:
    parts = [each["pid"], each["entry"], each["state"], age(each["age"])]
    for what, name, count in (
        ("named", "names", "name_count"),
        ("linked to", "links", "link_count"),
        ("monitors", "monitors", "monitor_count"),
    ):
        if each[name]:
            more = each[count] - SHOWN
            shown = ", ".join(each[name][:SHOWN])
            parts.append(f"{what} {shown}" + (f" and {more} more" if more > 0 else ""))
    return "  ".join(parts)
