"""The fenced blocks of a Markdown page, each named by the comment before it."""

from __future__ import annotations

import re
from pathlib import Path

_BLOCK = re.compile(r"<!-- (file|shell): (.+?) -->\n```\w+\n(.*?)```", re.DOTALL)
_FENCE = re.compile(r"^```\w+$", re.MULTILINE)


def blocks(page: Path) -> dict[tuple[str, str], str]:
    """Return {("file" | "shell", name): text}; raises AssertionError for a block without name."""
    text = page.read_text()
    found = {(kind, name): body for kind, name, body in _BLOCK.findall(text)}
    assert len(found) == len(_FENCE.findall(text)), (
        "a block of the page has no name: no test runs it"
    )
    return found
