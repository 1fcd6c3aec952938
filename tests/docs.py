"""The fenced blocks of the documentation, as a reader sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# A block below a "file" comment is that of another test, which knows the page.
_FENCE = re.compile(
    r'(?<!-->\n)^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$'
    r"(?:\n\n^```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: ``title`` is its file's name, ``output`` the text block right below it."""

    page: str
    line: int
    language: str
    text: str
    title: str | None
    output: str | None

    @property
    def place(self) -> str:
        """Where it stands: ``page:line``."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return every page of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def blocks(language: str | None = None) -> list[Block]:
    """Return the blocks of all pages, or those in one language."""
    found = [block for page in pages() for block in _blocks_of(page)]
    return [block for block in found if language in (None, block.language)]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in _FENCE.finditer(text):
        yield Block(
            page=page.relative_to(DOCS).as_posix(),
            line=text.count("\n", 0, match.start()) + 1,
            language=match["language"],
            text=match["text"],
            title=match["title"],
            output=match["output"],
        )
