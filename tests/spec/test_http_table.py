"""HTTP, "Middleware" and "Entries": the tables, row by row: stages, names and defaults."""

from __future__ import annotations

from typing import Any

import pytest

from greenrelay.config.entries import HttpEndpoint, HttpRouter, HttpService
from greenrelay.config.options import option_names, option_values, read_options
from greenrelay.config.resolve import load
from greenrelay.http.middleware.real_ip import PRIVATE
from greenrelay.http.registry import SPECS
from tests.docs import DOCS

REQUIRED = "required"
ROWS: dict[str, tuple[str, dict[str, object]]] = {
    "cors": (
        "pre",
        {
            "cors.allow.origins": ("*",),
            "cors.allow.methods": ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"),
            "cors.allow.headers": (
                *("Origin", "Content-Type", "Accept", "Authorization", "X-Requested-With"),
            ),
            "cors.expose.headers": (),
            "cors.allow.credentials": False,
            "cors.max.age": 86400.0,
            "cors.allow.private.network": False,
        },
    ),
    "ratelimit": (
        "pre",
        {
            "ratelimit.requests": 100,
            "ratelimit.window": 60.0,
            "ratelimit.burst": 20,
            "ratelimit.key": "ip",
            "ratelimit.entry_ttl": 600.0,
            "ratelimit.max_entries": 100_000,
        },
    ),
    "compress": ("pre", {"compress.level": "default", "compress.min.length": 1024}),
    "real_ip": ("pre", {"real_ip.trusted.subnets": PRIVATE, "real_ip.trust_all": False}),
    "token_auth": (
        "pre",
        {
            "token_auth.store": REQUIRED,
            "token_auth.header.name": "Authorization",
            "token_auth.header.prefix": "Bearer",
            "token_auth.query.param": "x-auth-token",
            "token_auth.cookie.name": "x-auth-token",
        },
    ),
    "metrics": ("pre", {}),
    "otel": ("pre", {}),
    "sendfile": ("pre", {"sendfile.directory": REQUIRED}),
    "endpoint_firewall": ("post", {"endpoint_firewall.action": "access"}),
    "resource_firewall": (
        "post",
        {"resource_firewall.action": "access", "resource_firewall.target": REQUIRED},
    ),
}
RELAYS = {"websocket_relay", "sse_relay"}
PAGES = {"real_ip": "real-ip", "token_auth": "token-auth"} | dict.fromkeys(
    ("endpoint_firewall", "resource_firewall"), "firewalls"
)
SERVICE = {
    "timeouts.read": 10.0,
    "timeouts.write": 30.0,
    "timeouts.idle": 60.0,
    "timeouts.handler": None,
    "tls.cert": None,
    "tls.key": None,
    "limits.header_size": 16 * 1024,
    "limits.body_size": 16 * 1024 * 1024,
}


def test_there_is_no_other_middleware() -> None:
    assert set(SPECS) == {*ROWS, *RELAYS}
    assert {SPECS[name].stage for name in RELAYS} == {"post"}


@pytest.mark.parametrize("name", ROWS)
def test_the_stage_the_options_and_the_defaults_of_a_row(name: str) -> None:
    """name | stage | options (default)"""
    stage, row = ROWS[name]
    given = {key: "given" for key, default in row.items() if default == REQUIRED}

    assert SPECS[name].stage == stage
    assert values(SPECS[name].options, given) == row | given


def values(cls: Any, given: dict[str, str]) -> dict[str, object]:
    if cls is None:
        return {}
    options, problems = read_options(cls, given)
    assert options is not None, problems
    return {names[0]: value for names, value, _ in option_values(options)}


@pytest.mark.parametrize("name", ROWS)
def test_each_option_is_on_the_page_of_its_middleware(name: str) -> None:
    page = (DOCS / "middleware" / f"{PAGES.get(name, name)}.md").read_text()

    assert [option for option in ROWS[name][1] if f"`{option}`" not in page] == []


def test_the_fields_and_defaults_of_an_http_service() -> None:
    """``timeouts.read`` 10s, ``.write`` 30s, ``.idle`` 60s, ``.handler`` none, …"""
    (server,) = load([{"name": "s", "kind": "http.service", "addr": ":0"}]).servers

    found = {names[0]: value for names, value, _ in option_values(server)}

    assert {name: found[name] for name in SERVICE} == SERVICE
    assert [name for name in option_names(HttpService) if not name.startswith("lifecycle.")] == [
        "addr",
        *SERVICE,
    ]


def test_the_fields_of_routers_and_endpoints() -> None:
    assert option_names(HttpRouter) == [
        *("meta.server", "prefix", "middleware", "post_middleware", "blueprint"),
    ]
    assert option_names(HttpEndpoint) == ["meta.router", "method", "path", "func"]
