"""What a client may have written, on one line."""

import pytest

from greenrelay.printable import printable


@pytest.mark.parametrize("text", ["", "going away", "grüße, 你好 👋", "C:\\new"])
def test_text_that_moves_no_cursor_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\n", r"a\nb\r\n"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("\u2028\u202e", r"\u2028\u202e"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_would_move_a_cursor_or_break_a_line_is_told_by_its_code(
    text: str, shown: str
) -> None:
    assert printable(text) == shown
