"""Regular expressions that cannot keep a server busy."""

import pytest

from greenrelay.security.expression import MAX_PATTERN, compile_expression


@pytest.mark.parametrize(
    "text",
    [
        "admin",
        "^[a-z]+-[0-9]+$",
        r"^/docs/[^/]+/[^/]+/.*$",
        r"^https?://[^/]+/.*$",
        "^(?:staff|guest)-[0-9]+$",
        r"[*+?(|]+",
        r"\*\+\(\d{4}",
        "a|b",
    ],
)
def test_an_ordinary_expression_is_taken(text: str) -> None:
    assert compile_expression(text).pattern == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(", "is no regular expression"),
        ("[a", "is no regular expression"),
        ("(a+)+$", "repeats a group"),
        ("^(a|a)*$", "repeats a group"),
        ("^((a?))+$", "repeats a group"),
        ("^(a+){2,}$", "repeats a group"),
        ("a*a*a*$", "3 repetitions"),
        ("^a*a*a*a*$", "4 repetitions"),
        ("^a*|a*b*$", "4 repetitions"),
        ("^a*a*|b$", "3 repetitions"),
        ("a?a?a?aaa", "3 repetitions"),
        ("(a|b)(a|b)(a|b)", "3 repetitions"),
        (r"(a)\1", "back-reference"),
        ("(?=a)b", "look-around"),
        ("(?i)a", "flag"),
        ("(?P<x>a)(?P=x)", "back-reference"),
        ("a" * (MAX_PATTERN + 1), "characters"),
        ("a{9999999999}", "is no regular expression"),
    ],
)
def test_a_broken_expression_or_one_that_could_be_slow_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compile_expression(text)


@pytest.mark.parametrize("text", ["^public$", "^(?:public$|x)", "public$"])
def test_a_dollar_is_the_very_end(text: str) -> None:
    expression = compile_expression(text)

    assert expression.is_found_in("public")
    assert not expression.is_found_in("public\n")


@pytest.mark.parametrize(
    ("text", "found"), [(r"^a\$b", "a$b"), ("^[$]b", "$b"), ("^[]$]b", "$b"), (r"^\\$", "\\")]
)
def test_a_dollar_that_means_itself_stays_one(text: str, found: str) -> None:
    assert compile_expression(text).is_found_in(found)
