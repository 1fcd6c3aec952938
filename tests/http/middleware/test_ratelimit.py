from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from greenrelay.config.options import option_names, read_options
from greenrelay.errors import ConfigError
from greenrelay.http.middleware.ratelimit import RateLimitOptions
from greenrelay.http.state import state_of
from greenrelay.testing import VirtualClock
from greenrelay.web import GreenRelay, ratelimit
from tests.docs import DOCS


class Bench:
    """An app with a view under the decorator; time stands still."""

    def __init__(self, app: Flask, clock: VirtualClock) -> None:
        self.app = app
        self.clock = clock

    def add(self, decorator: Any, path: str = "/", view: Callable[[], Any] = lambda: "x") -> None:
        self.app.get(path, endpoint=path)(decorator(view))

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def statuses(self, count: int, path: str = "/", **options: Any) -> list[int]:
        return [self.get(path, **options).status_code for _ in range(count)]

    def get(self, path: str = "/", address: str = "203.0.113.7", **headers: str) -> Any:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        base = {"REMOTE_ADDR": address}
        return self.client.get(path, headers=fields, environ_overrides=base)


@pytest.fixture
def bench() -> Iterator[Bench]:
    app = Flask(__name__)
    GreenRelay(app)
    node = state_of(app).node
    with VirtualClock(node) as clock:
        yield Bench(app, clock)
    node.shutdown(0.5)


def limits(answer: Any) -> tuple[str | None, ...]:
    names = ("Limit", "Remaining", "Window")
    return tuple(answer.headers.get(f"X-RateLimit-{name}") for name in names)


def test_a_burst_passes_and_then_one_for_each_share_of_the_window(bench: Bench) -> None:
    bench.add(ratelimit())

    assert bench.statuses(21) == [200] * 20 + [429]
    bench.clock.advance("600ms")
    assert bench.statuses(2) == [200, 429]
    bench.clock.advance("1m")
    assert bench.statuses(21) == [200] * 20 + [429]


def test_every_answer_says_what_remains(bench: Bench) -> None:
    bench.add(ratelimit(requests=6, window="30s", burst=2))

    answers = [bench.get() for _ in range(3)]

    assert [limits(each) for each in answers] == [
        ("6", "1", "30"),
        ("6", "0", "30"),
        ("6", "0", "30"),
    ]
    assert [each.headers.get("Retry-After") for each in answers] == [None, None, "5"]
    assert answers[2].text == "Too many requests; the next may come in 5 s.\n"
    assert answers[2].mimetype == "text/plain"


@pytest.mark.parametrize(
    ("requests", "window", "seconds"),
    [(100, "1m", "1"), (1, "1s", "1"), (2, "3s", "2"), (1, "90s", "90"), (10**7, "1s", "1")],
)
def test_retry_after_is_whole_seconds_and_one_at_least(
    bench: Bench, requests: int, window: str, seconds: str
) -> None:
    bench.add(ratelimit(requests=requests, window=window, burst=1))

    bench.get()

    assert bench.get().headers["Retry-After"] == seconds


def test_who_waits_as_long_as_it_is_told_is_let_in(bench: Bench) -> None:
    bench.add(ratelimit(requests=7, window="30s", burst=3))
    for _ in range(50):
        answer = bench.get()
        if answer.status_code == 429:
            bench.clock.advance(float(answer.headers["Retry-After"]))
            assert bench.get().status_code == 200


def test_a_window_that_is_no_whole_second_is_told_as_it_is(bench: Bench) -> None:
    bench.add(ratelimit(window="1500ms"))

    assert limits(bench.get())[2] == "1.5"


def test_each_address_has_its_own(bench: Bench) -> None:
    bench.add(ratelimit(burst=1))

    assert bench.statuses(2, address="203.0.113.1") == [200, 429]
    assert bench.statuses(2, address="203.0.113.2") == [200, 429]


def test_the_addresses_of_one_ipv6_network_are_one_client(bench: Bench) -> None:
    bench.add(ratelimit(burst=1))

    assert bench.statuses(1, address="2001:db8::1") == [200]
    assert bench.statuses(1, address="2001:db8::ffff:2") == [429]
    assert bench.statuses(1, address="2001:db8:0:1::1") == [200]


@pytest.mark.parametrize(
    ("one", "other"),
    [("203.0.113.1", "::ffff:203.0.113.1"), ("fe80::1%eth0", "fe80::2%eth1"), ("a:b", "a:b")],
)
def test_one_client_is_one_however_its_address_is_written(
    bench: Bench, one: str, other: str
) -> None:
    bench.add(ratelimit(burst=1))

    assert bench.statuses(1, address=one) == [200]
    assert bench.statuses(1, address=other) == [429]


def test_all_peers_without_an_address_are_one_client(bench: Bench) -> None:
    bench.add(ratelimit(burst=1))

    assert bench.statuses(2, address="") == [200, 429]


def test_a_header_tells_clients_apart(bench: Bench) -> None:
    bench.add(ratelimit(burst=1, key="header:X-API-Key"))

    assert bench.statuses(2, X_API_Key="one") == [200, 429]
    assert bench.statuses(2, X_API_Key="two") == [200, 429]
    assert bench.statuses(1, X_API_Key="two", address="198.51.100.1") == [429]


def test_a_parameter_tells_clients_apart(bench: Bench) -> None:
    bench.add(ratelimit(burst=1, key="query:token"))

    assert bench.statuses(2, "/?token=one") == [200, 429]
    assert bench.statuses(2, "/?token=two&x=1") == [200, 429]


@pytest.mark.parametrize("key", ["header:X-API-Key", "query:token"])
def test_without_its_key_a_client_is_known_by_its_address(bench: Bench, key: str) -> None:
    bench.add(ratelimit(burst=1, key=key))

    assert bench.statuses(1) == [200]
    assert bench.statuses(1, "/?token=", X_API_Key="") == [429]
    assert bench.statuses(1, address="198.51.100.1") == [200]


def test_a_key_that_looks_like_an_address_is_not_that_client(bench: Bench) -> None:
    bench.add(ratelimit(burst=1, key="header:X-API-Key"))
    bench.get(address="203.0.113.1")

    assert bench.statuses(1, X_API_Key="203.0.113.1") == [200]
    assert bench.statuses(1, X_API_Key="ip:203.0.113.1") == [200]


def test_long_keys_are_told_apart_by_their_ends(bench: Bench) -> None:
    bench.add(ratelimit(burst=1, key="header:X-API-Key"))

    assert bench.statuses(2, X_API_Key="a" * 5000 + "1") == [200, 429]
    assert bench.statuses(2, X_API_Key="a" * 5000 + "2") == [200, 429]


def test_a_crowd_shares_a_bucket_and_the_log_says_so_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.add(ratelimit(burst=2, max_entries=1, requests=1))
    bench.get(address="203.0.113.1")

    found = [bench.get(address=f"198.51.100.{n}").status_code for n in range(5)]

    assert found == [200, 200, 429, 429, 429]
    assert bench.statuses(2, address="203.0.113.1") == [200, 429]
    (record,) = caplog.records
    assert record.getMessage() == (
        "/: ratelimit.max_entries, 1 clients, have come in a short time; those that are new share "
        "one bucket until there is room"
    )
    bench.clock.advance("61s")
    bench.get(address="203.0.113.1")
    bench.get(address="203.0.113.2")
    assert len(caplog.records) == 2


def test_one_decorator_is_one_limit_and_two_are_two(bench: Bench) -> None:
    shared = ratelimit(burst=1)
    bench.add(shared, "/one")
    bench.add(shared, "/two")
    bench.add(ratelimit(burst=1), "/three")

    found = [bench.get(path).status_code for path in ("/one", "/two", "/three")]

    assert found == [200, 429, 200]


@pytest.mark.parametrize("is_outside", [True, False])
def test_of_two_limits_the_answer_tells_the_narrower(bench: Bench, is_outside: bool) -> None:
    wide, narrow = ratelimit(requests=9, burst=9), ratelimit(requests=2, burst=2)
    outer, inner = (narrow, wide) if is_outside else (wide, narrow)
    bench.add(lambda view: outer(inner(view)))

    assert [limits(bench.get()) for _ in range(3)] == [
        ("2", "1", "60"),
        ("2", "0", "60"),
        ("2", "0", "60"),
    ]


def test_the_answer_to_what_a_view_raises_says_what_remains(bench: Bench) -> None:
    bench.app.config["PROPAGATE_EXCEPTIONS"] = False
    bench.add(ratelimit(), "/404", lambda: abort(404))
    bench.add(ratelimit(), "/500", lambda: 1 // 0)

    for status in (404, 500):
        answer = bench.get(f"/{status}")
        assert (answer.status_code, limits(answer)) == (status, ("100", "19", "60"))


def test_a_refused_request_does_not_reach_the_view(bench: Bench) -> None:
    seen: list[str] = []

    def view() -> str:
        seen.append("view")
        return "x"

    bench.add(ratelimit(burst=1), view=view)

    bench.statuses(3)

    assert seen == ["view"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ip", "ip"),
        (" header: X-API-Key ", "header:X-API-Key"),
        ("query:api key", "query:api key"),
    ],
)
def test_a_key_is_read(written: str, read: str) -> None:
    options, problems = read_options(RateLimitOptions, {"ratelimit.key": written})

    assert (options and options.key, problems) == (read, [])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"key": "cookie:x"}, 'is "cookie:x"; it must be ip, header:X-Name or query:name'),
        ({"key": "ip:x"}, 'is "ip:x"; it must be ip, header:X-Name or query:name'),
        ({"key": "header"}, 'is "header"; it must be ip, header:X-Name or query:name'),
        ({"key": "header:"}, 'is "header:"; it must be ip, header:X-Name or query:name'),
        ({"key": "header:a b"}, 'is "header:a b"; it must be ip, header:X-Name or query:name'),
        ({"key": "query:"}, 'is "query:"; it must be ip, header:X-Name or query:name'),
        ({"requests": 0}, "is 0; it must be at least 1"),
        ({"burst": 0}, "is 0; it must be at least 1"),
        ({"max_entries": 0}, "is 0; it must be at least 1"),
        ({"window": "0s"}, "ratelimit.window is 0 s; it must be above 0 s"),
        ({"window": "soon"}, "duration 'soon': it must be"),
        ({"entry_ttl": -1}, "duration -1: it must not be negative"),
    ],
)
def test_options_that_cannot_work_are_problems(given: dict[str, object], text: str) -> None:
    dotted = {f"ratelimit.{name}": value for name, value in given.items()}

    options, problems = read_options(RateLimitOptions, dotted)

    assert options is None
    assert [problem.text.startswith(text) for problem in problems] == [True], problems


def test_wrong_options_of_the_decorator_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"ratelimit: ratelimit\.requests: is 0"):
        ratelimit(requests=0)
    with pytest.raises(TypeError, match="ratelimit is called with its options"):
        ratelimit(lambda: "")


def test_every_option_is_on_its_page() -> None:
    page = (DOCS / "middleware" / "ratelimit.md").read_text()

    assert [name for name in option_names(RateLimitOptions) if f"| `{name}` |" not in page] == []
