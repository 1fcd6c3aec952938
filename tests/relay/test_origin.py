from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.relay.origin import OriginPolicy, parse_origins


def allows(
    patterns: str, origin: str | None, *, scheme: str = "https", host: str = "own.example"
) -> bool:
    return parse_origins([patterns]).allows(origin, scheme=scheme, host=host)


def test_without_an_origin_it_is_no_browser_and_allowed() -> None:
    """no `Origin` header is not a browser and is allowed unless `wsrelay.require.origin`"""
    assert allows("", None)
    assert allows("https://app.example.com", None)


def test_an_origin_can_be_required() -> None:
    policy = parse_origins(["*"], require_origin=True)

    assert policy.require_origin
    assert not policy.allows(None, scheme="https", host="own.example")
    assert policy.allows("https://own.example", scheme="https", host="own.example")


def test_with_none_configured_only_the_own_origin_is_allowed() -> None:
    """With none configured, same origin only."""
    assert OriginPolicy().allows("https://own.example", scheme="https", host="own.example")
    assert allows("", "https://own.example")
    assert not allows("", "https://other.example")


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("https://own.example", "https", "own.example"),
        ("HTTPS://OWN.example", "https", "own.EXAMPLE"),
        ("https://own.example:443", "https", "own.example"),
        ("https://own.example", "https", "own.example:443"),
        ("https://own.example", "wss", "own.example"),
        ("http://own.example", "http", "own.example:80"),
        ("http://localhost:5000", "http", "localhost:5000"),
        ("http://[::1]:5000", "http", "[::1]:5000"),
    ],
)
def test_the_own_scheme_host_and_port_are_always_allowed(
    origin: str, scheme: str, host: str
) -> None:
    """The request's own scheme, host and port are always allowed"""
    assert allows("https://app.example.com", origin, scheme=scheme, host=host)


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("http://own.example", "https", "own.example"),
        ("https://own.example:8443", "https", "own.example"),
        ("https://own.example", "https", "own.example:8443"),
        ("https://sub.own.example", "https", "own.example"),
        ("https://own.example", "https", ""),
        ("https://own.example", "https", "own.example, own.example"),
    ],
)
def test_another_scheme_host_or_port_is_another_origin(origin: str, scheme: str, host: str) -> None:
    assert not allows("", origin, scheme=scheme, host=host)


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com", "https://APP.example.com"),
        ("HTTPS://App.Example.com", "https://app.example.com"),
        ("wss://app.example.com", "https://app.example.com"),
        ("app.example.com", "https://app.example.com"),
        ("app.example.com", "http://app.example.com"),
        ("https://*.example.com", "https://a.example.com"),
        ("*.example.com", "http://a.example.com"),
        ("https://app-*.example.com", "https://app-7.example.com"),
        ("https://app*.example.com", "https://app.example.com"),
        ("https://*.*.example.com", "https://a.b.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("app.example.com:8080", "http://app.example.com:8080"),
        ("localhost:*", "http://localhost:3000"),
        ("localhost:*", "http://localhost"),
        ("http://192.168.1.*", "http://192.168.1.7"),
        ("http://[::1]:*", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://*", "chrome-extension://abcdefgh"),
    ],
)
def test_a_pattern_allows_what_it_describes(pattern: str, origin: str) -> None:
    assert allows(pattern, origin)


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("https://app.example.com", "http://app.example.com"),
        ("https://app.example.com", "https://app.example.com:8443"),
        ("https://app.example.com", "https://app.example.com.evil.net"),
        ("https://app.example.com", "https://appXexample.com"),
        ("app.example.com", "https://app.example.com:8443"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://a.b.example.com"),
        ("https://*.example.com", "https://.example.com"),
        ("https://*.example.com", "https://evil.net/.example.com"),
        ("https://*.example.com", "https://evil.net?.example.com"),
        ("https://*.example.com", "https://evil@a.example.com"),
        ("https://a*.example.com", "https://a.b.example.com"),
        ("https://app.example.com:8443", "https://app.example.com"),
        ("http://[::1]", "http://[::2]"),
    ],
)
def test_a_pattern_allows_nothing_else(pattern: str, origin: str) -> None:
    assert not allows(pattern, origin)


def test_a_pattern_may_be_one_of_a_comma_list() -> None:
    policy = parse_origins("https://a.example, https://b.example ,")

    assert policy.patterns == ("https://a.example", "https://b.example")
    assert policy.allows("https://b.example", scheme="http", host="x")


def test_null_is_allowed_only_if_listed() -> None:
    """`null` only if listed"""
    assert allows("null", "null")
    assert allows("https://a.example,NULL", "null")
    assert not allows("https://a.example", "null")
    assert not allows("*", "null")


def test_a_bare_star_allows_all_and_says_so() -> None:
    """`*` warns at start"""
    policy = parse_origins(["https://a.example", "*"])

    assert policy.allows_all
    assert policy.allows("https://anything.example:1", scheme="http", host="x")
    assert not parse_origins(["*.example"]).allows_all


@pytest.mark.parametrize(
    "origin",
    [
        "",
        " ",
        "example.com",
        "https://",
        "https:///",
        "https://a.example/",
        "https://a.example/path",
        "https://a.example:port",
        "https://a.example:999999",
        "https://a.example https://b.example",
        "https://user@a.example",
        "https://a..example",
        "https://a.example\n",
        "https://ä.example",
        "https://[::1",
        "://a.example",
        "\ud800",
    ],
)
def test_garbage_is_refused_even_where_all_are_allowed(origin: str) -> None:
    assert not allows("*", origin)


@given(origin=st.text(), host=st.text())
def test_no_origin_raises(origin: str, host: str) -> None:
    policy = parse_origins(["https://*.example.com", "localhost:*", "null"])

    assert policy.allows(origin, scheme="https", host=host) in (True, False)


@pytest.mark.parametrize(
    "pattern",
    [
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app..example.com",
        "*://app.example.com",
        "https://app.example.com:https",
        "https://[*]",
        "https://a?.example.com",
        "**//",
        "https://日本.example",
    ],
)
def test_a_pattern_that_cannot_match_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(ValueError, match="it must look like") as caught:
        parse_origins(["https://a.example", pattern])

    assert repr(pattern) in str(caught.value)
