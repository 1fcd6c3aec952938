"""Source: Configuration: "effective values and where each came from, secrets masked"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from greenrelay.config.effective import Setting, settings
from greenrelay.config.resolve import MiddlewareSpec, load
from greenrelay.http.middleware.websocket_relay import RelayOptions as RealOptions
from tests.config.options_example import MIDDLEWARE


def values(
    text: str, environ: Mapping[str, str] | None = None, sets: Sequence[str] = ()
) -> dict[str, Setting]:
    found = load(text, middleware=MIDDLEWARE, environ=environ or {}, settings=sets)
    return {each.name: each for each in settings(found.all[0], MIDDLEWARE)}


def test_a_value_comes_from_a_line_or_is_the_default() -> None:
    found = values("- name: h\n  kind: process.host\n  inbox:\n    block_timeout: 90\n")

    assert found["inbox.block_timeout"] == Setting("inbox.block_timeout", "1m30s", "<text>:4")
    assert found["inbox.limit"] == Setting("inbox.limit", 10_000, "default")


def test_a_value_comes_from_the_environment() -> None:
    text = "- {name: h, kind: process.host, max_processes: '${env:A}', inbox.limit: '${env:B|7}'}\n"
    found = values(text, {"A": "5", "GREENRELAY__H__INBOX__OVERFLOW": "block"})

    assert (found["max_processes"].value, found["max_processes"].origin) == (
        5,
        "<text>:1, environment A",
    )
    assert found["inbox.limit"].origin == "<text>:1"
    assert found["inbox.overflow"].origin == "environment GREENRELAY__H__INBOX__OVERFLOW"


def test_a_value_comes_from_the_command_line() -> None:
    found = values("- {name: h, kind: process.host}\n", sets=["h.max_processes=5"])

    assert found["max_processes"] == Setting("max_processes", 5, "--set h.max_processes")


def test_options_of_middleware_have_their_values_aliases_and_defaults() -> None:
    text = (
        "- name: r\n  kind: http.router\n  meta.server: g\n  meta.team: web\n"
        "  post_middleware: [websocket_relay]\n"
        "  post_options:\n    allow_origins: https://a.example\n"
    )
    found = values(text)

    name = "post_options.wsrelay.allowed.origins"
    assert found[name] == Setting(name, ["https://a.example"], "<text>:7")
    assert found["post_options.wsrelay.ping.interval"].value == "25s"
    assert found["meta.team"].value == "web"
    assert [key for key in found if "allow_origins" in key] == []


def test_each_value_is_told_once() -> None:
    found = load("- {name: r, kind: http.router, meta: {server: g, team: web}}\n", environ={})

    names = [each.name for each in settings(found.all[0], {})]

    assert [name for name in names if name.startswith("meta.")] == ["meta.team", "meta.server"]


@pytest.mark.parametrize("written", ["close", "drop_oldest", "block 1m30s"])
def test_a_slow_policy_is_told_as_it_is_written(written: str) -> None:
    middleware = {"websocket_relay": MiddlewareSpec("websocket_relay", "post", RealOptions)}
    name = "wsrelay.slow.policy"
    text = (
        "- {name: r, kind: http.router, meta.server: g, post_middleware: [websocket_relay], "
        f"post_options: {{{name}: {written}}}}}\n"
    )
    found = load(text, middleware=middleware, environ={})

    (slow,) = [each for each in settings(found.all[0], middleware) if each.name.endswith(name)]

    assert slow.value == written


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("meta.password", "p", "***"),
        ("meta.db.api_key", "p", "***"),
        ("meta.auth-token", "p", "***"),
        ("meta.keyboard", "p", "p"),
        ("meta.tokenizer", "p", "p"),
        ("meta.password", None, None),
        ("meta.allow.credentials", True, True),
        ("meta.pass", [{"token": False, "secret": 7}], [{"token": False, "secret": "***"}]),
        ("meta.url", "redis://me:pw@host/0", "redis://***@host/0"),
        ("meta.urls", ["redis://me:pw@host/0"], ["redis://***@host/0"]),
        ("meta.url", "redis://me:p@w@host/0", "redis://***@host/0"),
        (
            "meta.dbs",
            [{"user": "me", "password": "p", "more": {"api_key": "k", "token": None}}],
            [{"user": "me", "password": "***", "more": {"api_key": "***", "token": None}}],
        ),
        ("meta.note", "${env:DB_PASSWORD}", "***"),
        ("meta.note", "${env:DB_NAME}", "shop"),
    ],
)
def test_what_looks_like_a_secret_is_masked(name: str, value: object, shown: object) -> None:
    environ = {"DB_PASSWORD": "hunter2", "DB_NAME": "shop"}
    found = load([{"name": "h", "kind": "process.host", name: value}], environ=environ)

    (setting,) = [each for each in settings(found.all[0], {}) if each.name == name]

    assert setting.shown == shown
