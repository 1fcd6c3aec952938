from __future__ import annotations

import pytest

from greenrelay.websocket.extension import Extension, parse_extensions


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("foo", [("foo", ())]),
        ("foo, bar", [("foo", ()), ("bar", ())]),
        ("foo; a", [("foo", (("a", None),))]),
        ("foo;a=1;b", [("foo", (("a", "1"), ("b", None)))]),
        ('foo; a="1"', [("foo", (("a", "1"),))]),
        (r'foo; a="\1\0"', [("foo", (("a", "10"),))]),
        (" , foo ;\ta = 1 ,, bar , ", [("foo", (("a", "1"),)), ("bar", ())]),
        ("foo; a; a", [("foo", (("a", None), ("a", None)))]),
    ],
)
def test_extensions_are_read_with_their_parameters(header: str, found: list[Extension]) -> None:
    """RFC 6455, 9.1: extension-list = 1#extension"""
    assert parse_extensions(header) == found


@pytest.mark.parametrize(
    "header",
    [
        ";",
        "foo;",
        "foo bar",
        "foo; a=",
        "foo; =1",
        'foo; a="1',
        'foo; a=""',
        'foo; a="1 2"',
        "foo; a=b=c",
        "föö",
        "foo/1",
        "foo, ;",
        "foo\r\nbar",
    ],
)
def test_a_header_that_is_no_such_list_says_where_and_what_it_must_be(header: str) -> None:
    with pytest.raises(ValueError, match=r"Sec-WebSocket-Extensions: .* at character \d+; it must"):
        parse_extensions(header)
