"""HTTP, "Middleware", row ratelimit: around routers and both relays, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from greenrelay import ConfigError
from greenrelay.testing import VirtualClock
from greenrelay.web import create_app
from tests.http.middleware.routed import Site, calls, entries, routed
from tests.serving import connected
from tests.streaming import EventClient


@contextmanager
def limited(
    options: Mapping[str, object] | None = None, middleware: str = "ratelimit"
) -> Iterator[tuple[Site, VirtualClock]]:
    """Serve the views behind a limit; time stands still."""
    with routed(middleware, options) as site, VirtualClock(site.node) as clock:
        yield site, clock


def statuses(site: Site, count: int, path: str = "/api/plain", **headers: str) -> list[int]:
    return [site.get(path, **headers)[0] for _ in range(count)]


def test_the_defaults_are_a_burst_of_20_and_100_a_minute() -> None:
    """``.requests`` 100, ``.window`` 1m, ``.burst`` 20, ``.key`` ``ip``; token bucket"""
    with limited() as (site, clock):
        assert statuses(site, 21) == [200] * 20 + [429]
        clock.advance("6s")
        assert statuses(site, 11) == [200] * 10 + [429]


def test_a_refusal_says_when_to_come_back() -> None:
    """429 with ``Retry-After``, ``X-RateLimit-Limit``, ``X-RateLimit-Remaining``,
    ``X-RateLimit-Window``"""
    with limited({"ratelimit.requests": 4, "ratelimit.burst": 1}) as (site, clock):
        site.get("/api/plain")
        status, headers, body = site.get("/api/plain")
        clock.advance("15s")
        later = site.get("/api/plain")[0]

    assert status == 429
    assert headers["retry-after"] == "15"
    assert headers["x-ratelimit-limit"] == "4"
    assert headers["x-ratelimit-remaining"] == "0"
    assert headers["x-ratelimit-window"] == "60"
    assert body == "Too many requests; the next may come in 15 s.\n"
    assert (later, calls) == (200, ["plain", "plain"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/plain", 200),
        ("GET", "/api/nothing", 404),
        ("POST", "/api/plain", 405),
        ("GET", "/api/crash", 500),
        ("OPTIONS", "/api/plain", 200),
    ],
)
def test_every_request_under_the_prefix_counts(method: str, path: str, status: int) -> None:
    """Pre-match runs before routing and sees every request under the prefix, unmatched ones too"""
    with limited({"ratelimit.burst": 2}) as (site, _):
        first = site.request(method, path)
        rest = [site.request(method, path)[0] for _ in range(2)]

    assert (first[0], first[1]["x-ratelimit-remaining"], rest) == (status, "1", [status, 429])


def test_two_routers_have_buckets_of_their_own() -> None:
    """one ``ratelimit`` for each router that lists it"""
    with limited({"ratelimit.burst": 1}) as (site, _):
        assert statuses(site, 2) == [200, 429]
        assert statuses(site, 2, "/ws/echo") == [426, 429]


@pytest.mark.parametrize(
    ("key", "path", "header"),
    [("header:X-API-Key", "/api/plain", {"X_API_Key": "one"}), ("query:k", "/api/plain?k=1", {})],
)
def test_clients_are_told_apart_by_a_header_or_a_parameter(
    key: str, path: str, header: dict[str, str]
) -> None:
    """``.key`` ``ip`` / ``header:X`` / ``query:x``"""
    with limited({"ratelimit.burst": 1, "ratelimit.key": key}) as (site, _):
        assert statuses(site, 2, path, **header) == [200, 429]
        # Those who have none are known by their address.
        assert statuses(site, 2) == [200, 429]


def test_behind_real_ip_the_clients_are_those_of_the_proxy() -> None:
    """Order is the listed order."""
    with limited({"ratelimit.burst": 1}, "real_ip, ratelimit") as (site, _):
        assert statuses(site, 2, X_Real_IP="203.0.113.1") == [200, 429]
        assert statuses(site, 2, X_Real_IP="203.0.113.2") == [200, 429]


def test_entries_are_bounded_and_a_flood_frees_nobody() -> None:
    """``.entry_ttl`` 10m, ``.max_entries`` 100000"""
    options = {"ratelimit.burst": 1, "ratelimit.requests": 1, "ratelimit.max_entries": 1}
    with limited(options, "real_ip, ratelimit") as (site, _):
        spent = statuses(site, 1, X_Real_IP="203.0.113.1")
        flood = [statuses(site, 1, X_Real_IP=f"198.51.100.{n}")[0] for n in range(5)]
        again = statuses(site, 1, X_Real_IP="203.0.113.1")

    assert (spent, flood, again) == ([200], [200, 429, 429, 429, 429], [429])


def test_an_upgrade_is_refused_before_the_handshake() -> None:
    """429"""
    with limited({"ratelimit.burst": 1}) as (site, _):
        with connected(site.address, "/ws/echo") as client:
            client.send("hello")
            assert client.recv() == "hello"
            assert client.response.headers["X-RateLimit-Remaining"] == "0"
        refusal = site.refusal()

    assert (refusal.status, refusal.headers["Retry-After"], calls) == (429, "1", ["echo"])


def test_a_stream_goes_through_it_and_may_be_refused() -> None:
    """Any of them may stand around … ``sse_relay`` and must not break … a stream"""
    with limited({"ratelimit.burst": 1}) as (site, _):
        client = EventClient(site.address, "/sse/events")
        event = client.event()
        client.drop()
        status, headers, _ = site.get("/sse/events", Accept="text/event-stream")

    assert (event.data, client.headers["x-ratelimit-remaining"]) == ("127.0.0.1", "0")
    assert (status, headers["retry-after"], calls) == (429, "1", ["events"])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("requests", 0),
        ("window", "soon"),
        ("burst", "many"),
        ("key", "cookie:x"),
        ("entry_ttl", "long"),
        ("max_entries", 0),
        ("cleanup_interval", "5m"),
    ],
)
def test_options_are_checked_when_the_configuration_is_read(option: str, value: object) -> None:
    """options are typed and checked when the configuration is read"""
    with pytest.raises(ConfigError) as raised:
        create_app(entries("ratelimit", {f"ratelimit.{option}": value}, {}))

    assert f"options.ratelimit.{option}: " in str(raised.value)
