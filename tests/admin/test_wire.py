"""Source: Operations, "Command line": what goes over the socket of a running program."""

from __future__ import annotations

import pytest

from greenrelay.admin.wire import decode, encode


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "né", "two\nlines", "\x1b[2J"])
def test_any_text_that_python_can_hold_arrives_as_it_was(text: str) -> None:
    line = encode({"text": text})

    assert line.count(b"\n") == 1
    assert decode(line) == {"text": text}
