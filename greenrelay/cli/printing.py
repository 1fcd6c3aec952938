"""What all commands share: how they print, and how they fail.

Source: Operations, "Command line".
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from greenrelay.printable import printable


def fail(text: str, status: int = 2) -> NoReturn:
    """Print what is wrong and exit."""
    click.echo(text, err=True)
    sys.exit(status)


def readable(text: str) -> str:
    """Return text of several lines of which none can move a cursor."""
    return "\n".join(printable(line.expandtabs(4)) for line in text.split("\n"))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with aligned columns; no cell can move a cursor."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
