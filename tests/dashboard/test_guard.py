"""Source: Operations, "Dashboard" (loopback only unless a password or a policy is set)."""

from __future__ import annotations

import pytest

from greenrelay.dashboard.guard import is_local_host, is_loopback, why_not_local

LOCAL = {
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "localhost:8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


def test_a_browser_of_this_machine_is_local() -> None:
    assert why_not_local(LOCAL) == ""


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("REMOTE_ADDR", "203.0.113.5", "it comes from 203.0.113.5"),
        ("REMOTE_ADDR", "", "it comes from a Unix socket"),
        ("HTTP_HOST", "evil.example:8080", "its Host is evil.example:8080"),
        ("HTTP_HOST", "localhost.evil.example", "its Host is localhost.evil.example"),
        ("HTTP_HOST", "", "its Host is missing"),
        ("HTTP_X_FORWARDED_FOR", "127.0.0.1, 203.0.113.5", "a proxy asks for 203.0.113.5"),
        ("HTTP_X_FORWARDED_FOR", "unknown", "a proxy asks for unknown"),
        ("HTTP_X_REAL_IP", "10.0.0.7", "a proxy asks for 10.0.0.7"),
        ("HTTP_FORWARDED", "for=127.0.0.1", "a proxy stands between"),
        ("HTTP_VIA", "1.1 proxy", "a proxy stands between"),
        ("HTTP_X_FORWARDED_HOST", "app.example", "a proxy stands between"),
        ("SERVER_PROTOCOL", "HTTP/1.0", "it speaks HTTP/1.0, so it comes from a proxy"),
    ],
)
def test_whatever_only_looks_like_this_machine_is_not(name: str, value: str, why: str) -> None:
    assert why_not_local({**LOCAL, name: value}) == why


def test_a_proxy_that_asks_for_this_very_machine_is_local() -> None:
    assert why_not_local({**LOCAL, "HTTP_X_FORWARDED_FOR": "127.0.0.1"}) == ""


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.9.1", "::1", "[::1]:80", "127.0.0.1:9", "::ffff:127.0.0.1"]
)
def test_an_address_of_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["", "0.0.0.0", "::", "localhost", "::ffff:10.0.0.1", "1.1.1.1"]
)
def test_an_address_of_nobody_here(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.:80", "app.localhost", "127.0.0.1:1"])
def test_a_name_of_this_machine(host: str) -> None:
    assert is_local_host(host)


@pytest.mark.parametrize("host", ["notlocalhost", "localhost@evil", "evil", "[::2]", "a b"])
def test_a_name_of_another(host: str) -> None:
    assert not is_local_host(host)
