"""docs/errors.md: a message that somebody meets is found there by its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenrelay.config.resolve import load
from greenrelay.errors import ConfigError
from greenrelay.http.registry import SPECS
from tests.config.test_broken import BROKEN
from tests.docs import DOCS, ROOT

PAGE = (DOCS / "errors.md").read_text()
# What stands between backquotes in a table.
TEXTS = [
    text
    for line in PAGE.splitlines()
    if line.startswith("|")
    for text in re.findall(r"`([^`]+)`", line)
]
# A word or two are quoted for other reasons, and would be found in anything.
MESSAGES = [text for text in TEXTS if " " in text and len(text.replace("…", "")) > 10]
# The cluster and the dashboard have pages of their own.
ROOMS = ("config", "http", "metrics", "reload", "relay", "runtime", "security", "transport")
FORMAT = re.compile(r"%(?:\.\d)?[srdgf]")
ANYTHING = "\N{SNOWMAN}"


def pattern(text: str, gap: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, " ".join(text.split()).split(gap))), re.DOTALL)


PATTERNS = [pattern(text, "…") for text in MESSAGES]


def written(node: ast.expr) -> str | None:
    """Return the text of a literal, with ANYTHING where something is put in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else ANYTHING for each in node.values]
        return "".join(map(str, parts))
    return None


def calls() -> Iterator[tuple[str, str, str]]:
    """Yield place, name of the function and text of what logs or refuses."""
    for room in ROOMS:
        for path in sorted((ROOT / "greenrelay" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    texts = [text for each in node.args[:2] if (text := written(each))]
                    if texts:
                        yield f"{path.name}:{node.lineno}", name, texts[0]


def is_found(text: str) -> bool:
    flat = " ".join(text.split())
    if any(each.search(flat) for each in PATTERNS):
        return True
    # The page may say what is put into a text.
    return any(pattern(text, ANYTHING).search(message) for message in MESSAGES)


LOGS = [
    (place, FORMAT.sub(ANYTHING, text))
    for place, name, text in calls()
    if name in ("warning", "error", "exception") and len(FORMAT.sub("", text).strip(": ")) > 10
]
REFUSALS = [
    (place, text) for place, name, text in calls() if name in ("refuse", "Refusal") and " " in text
]


@pytest.mark.parametrize(("place", "text"), LOGS, ids=[place for place, _ in LOGS])
def test_a_line_of_the_log_is_on_the_page(place: str, text: str) -> None:
    assert is_found(text)


@pytest.mark.parametrize(("place", "text"), REFUSALS, ids=[place for place, _ in REFUSALS])
def test_a_refusal_is_on_the_page(place: str, text: str) -> None:
    assert is_found(text)


@pytest.mark.parametrize("content", BROKEN)
def test_a_problem_of_a_configuration_is_on_the_page(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path, middleware=SPECS, environ={"EMPTY": ""})

    assert [problem for problem in caught.value.problems if not is_found(problem)] == []
