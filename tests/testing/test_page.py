"""Every example of the page "Testing" runs as a user would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import greenrelay.testing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
EXAMPLE = re.compile(r"<!-- file: (\S+) -->\n```(?:python|ini)\n(.*?)```", re.DOTALL)


def test_every_example_passes(pytester: pytest.Pytester) -> None:
    text = PAGE.read_text()
    examples = EXAMPLE.findall(text)
    for name, body in examples:
        (pytester.path / name).write_text(body)

    outcome = pytester.runpytest_subprocess(
        "-p", "greenrelay.testing", "-W", "error", "--strict-markers", "-p", "no:cacheprovider"
    )

    # Each block of code has a name: none goes unrun.
    assert len(examples) == len(re.findall(r"^```(?:python|ini)$", text, re.MULTILINE)) == 7
    outcome.assert_outcomes(passed=58)


def test_every_public_name_is_on_the_page() -> None:
    text = PAGE.read_text()

    missing = [name for name in greenrelay.testing.__all__ if name not in text]

    assert missing == []


def test_the_example_of_a_failure_is_what_a_failure_looks_like(
    node: greenrelay.Node, process_probe: greenrelay.testing.Probe
) -> None:
    shown = re.search(r"^AssertionError: (.*? within 5s\.\n.*?:\n)", PAGE.read_text(), re.M | re.S)
    node.send(process_probe.pid, "said", "sugar?")

    with pytest.raises(AssertionError) as caught:
        greenrelay.testing.assert_receive(
            process_probe, topic="said", payload="milk?", timeout=0.01
        )

    assert shown is not None
    real = str(caught.value).replace(str(process_probe.pid), "").replace("10ms", "5s")
    assert real.startswith(re.sub(r"\{.*?\}", "", shown[1]))
