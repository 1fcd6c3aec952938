"""Addresses of WebSockets and of proxies, from text."""

from __future__ import annotations

import pytest

from greenrelay.errors import InvalidURL
from greenrelay.websocket.client_address import parse_proxy, parse_url


@pytest.mark.parametrize(
    ("url", "host", "port", "resource", "authority"),
    [
        ("ws://example.com", "example.com", 80, "/", "example.com"),
        ("wss://example.com", "example.com", 443, "/", "example.com"),
        ("WS://Example.com:8080/a?b=c", "example.com", 8080, "/a?b=c", "example.com:8080"),
        ("wss://example.com:80/", "example.com", 80, "/", "example.com:80"),
        ("ws://[::1]:9/x", "::1", 9, "/x", "[::1]:9"),
        ("ws://bücher.example/", "xn--bcher-kva.example", 80, "/", "xn--bcher-kva.example"),
        ("ws://a_b/%20?x", "a_b", 80, "/%20?x", "a_b"),
    ],
)
def test_an_address_is_read(url: str, host: str, port: int, resource: str, authority: str) -> None:
    address = parse_url(url)

    assert (address.host, address.port) == (host, port)
    assert (address.resource, address.authority) == (resource, authority)
    assert address.is_secure == url.startswith("wss")


def test_a_password_is_never_shown() -> None:
    address = parse_url("ws://ada:secret@example.com/x?token=secret")

    assert address.shown == "ws://example.com/x"
    assert address.credentials == "Basic YWRhOnNlY3JldA=="


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com", "the scheme is 'http'; it must be ws or wss"),
        ("example.com", "the scheme is ''; it must be ws or wss"),
        ("ws://", "it names no host"),
        ("ws://:80/", "it names no host"),
        ("ws://host:99999/", "Port out of range 0-65535"),
        ("ws://host:x/", "Port could not be cast"),
        ("ws://host:0/", "port 0 is none to connect to"),
        ("ws://host/#part", "a WebSocket has no fragment"),
        ("ws://host/#", "a WebSocket has no fragment"),
        ("ws://host/a b", "' ' at 11 must be quoted"),
        ("ws://host/\r\nX: 1", "'\\r' at 10 must be quoted"),
        ("ws://[::1/", "Invalid IPv6 URL"),
        ("ws://" + "ü" * 80 + "/", "is no name"),
        (None, "it must look like"),
        (b"ws://host/", "it must look like"),
    ],
)
def test_what_is_no_address_is_an_error(url: object, why: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)

    assert why in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://ada:secret@host:0/", "'ws://ada:***@host:0/'"),
        ("ws://ada:se:cr@et@host/#part", "'ws://ada:***@host/#part'"),
        ("http://ada:secret@host/", "'http://ada:***@host/'"),
        ("ws://ada:secret@/", "'ws://ada:***@/'"),
        ("ws://host:0/a:b@c", "'ws://host:0/a:b@c'"),
    ],
)
def test_an_error_shows_no_password(url: str, shown: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)

    assert str(caught.value).startswith(f"URL {shown}: ")


@pytest.mark.parametrize("url", ["http://proxy:3128", "proxy:3128"])
def test_a_proxy_may_be_named_without_a_scheme(url: str) -> None:
    proxy = parse_proxy(url)

    assert (proxy.host, proxy.port, proxy.shown) == ("proxy", 3128, "http://proxy:3128")
