"""Patterns of actions and resources, as values."""

import pytest

from greenrelay.security.pattern import Pattern


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("user.read", "user.read"),
        ("user.*", "user.read"),
        ("*.read", "user.read"),
        ("user.*.name", "user.7.name"),
        ("user.**", "user.read"),
        ("user.**", "user.read.all"),
        ("docs/**", "docs/a/b.pdf"),
        ("app:docs/*", "app:docs/7"),
        ("/users/*", "/users/7"),
        ("*", "anything.at:all/of it"),
        ("**", "anything.at:all\nof it"),
        ("docs/", "docs/"),
    ],
)
def test_a_pattern_matches_whole_segments(pattern: str, value: str) -> None:
    assert Pattern(pattern).matches(value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("user.*", "username"),
        ("user.*", "user"),
        ("user.*", "user."),
        ("user.*", "user.read.all"),
        ("user.*", "user.read/all"),
        ("user.*", "superuser.read"),
        ("user.*", "user:read"),
        ("user.read", "User.read"),
        ("user.read", "userxread"),
        ("user.read", "user.read\n"),
        ("user.**", "user"),
        ("user.**", "user."),
        ("user.**", "users.read"),
        ("*.read", "user.reading"),
    ],
)
def test_a_pattern_matches_nothing_else(pattern: str, value: str) -> None:
    assert not Pattern(pattern).matches(value)


def test_a_pattern_reads_as_it_is_written() -> None:
    assert str(Pattern("user.*")) == "user.*"


@pytest.mark.parametrize(
    "text", ["", "user*", "*user", "us*er", "**.read", "user.***", "a b", "a,b", " a", "a. *"]
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        Pattern(text)
