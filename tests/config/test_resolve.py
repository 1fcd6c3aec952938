from __future__ import annotations

from pathlib import Path

import pytest

from greenrelay.config.address import Address
from greenrelay.config.entries import InboxLimits, Lifecycle, ProcessHost, Restart, Tls
from greenrelay.config.mark import Mark
from greenrelay.config.resolve import Configuration, load
from greenrelay.errors import ConfigError
from tests.config.options_example import MIDDLEWARE, CorsOptions, RelayOptions

SEED = """\
- name: ws_router
  kind: http.router
  meta:
    server: gateway
  prefix: /ws
  post_middleware:
    - websocket_relay
  post_options:
    wsrelay.allowed.origins: "https://app.example.com"
"""

WHOLE = """\
version: "1.0"
namespace: shop
x-owner: the web team
entries:
  - name: gateway
    kind: http.service
    addr: ":8080"
    timeouts: {read: 5s, handler: 1m}
    tls.cert: cert.pem
    tls.key: key.pem
    limits.body_size: 1MiB
  - name: api
    kind: http.router
    meta: {server: gateway, team: web}
    prefix: /api/
    middleware: metrics, cors
    options: {cors: {allow: {origins: [https://a.example]}}}
    post_middleware: [websocket_relay]
    x-note: ignored
  - name: hello
    kind: http.endpoint
    meta.router: shop:api
    method: [get, POST]
    path: /hello/{name}/{rest...}
    func: greet
  - name: bye
    kind: http.endpoint
    meta.router: api
    path: /bye
    func: app.views:bye
  - name: greet
    kind: function.python
    source: app.views:hello
  - name: worker
    kind: process.python
    source: app.work:main
  - name: processes
    kind: process.host
    max_processes: "50"
    inbox: {limit: 5, overflow: block, block_timeout: 250ms}
  - name: clock
    kind: process.service
    process: worker
    host: processes
    args: [1, {a: [true]}]
    lifecycle:
      auto_start: "false"
      requires: gateway
      restart: {policy: transient, backoff_factor: "1.5", jitter: 0}
"""


def test_the_seed_fragment_loads_unchanged() -> None:
    configuration = load(SEED, middleware=MIDDLEWARE)

    (router,) = configuration.routers
    assert router.id == "app:ws_router"
    assert router.server == "app:gateway"
    assert router.prefix == "/ws"
    assert router.middleware_options == {
        "websocket_relay": RelayOptions(allowed_origins=("https://app.example.com",))
    }


def test_an_entry_knows_its_name_kind_meta_and_place() -> None:
    router = load(WHOLE, middleware=MIDDLEWARE, environ={}).routers[0]

    assert (router.name, router.kind) == ("api", "http.router")
    assert router.meta == {"server": "gateway", "team": "web"}
    assert router.where == Mark("<text>", 12, 5)
    assert router.at("prefix") == Mark("<text>", 15, 5)
    assert router.at("post_middleware[0]") == Mark("<text>", 18, 23)
    assert router.at("middleware[1]") == Mark("<text>", 16, 5)
    assert router.at("blueprint") == router.where


def test_a_server_is_read_into_typed_values() -> None:
    (server,) = load(WHOLE, middleware=MIDDLEWARE).servers

    assert server.addr == Address("", 8080)
    assert (server.timeouts.read, server.timeouts.write, server.timeouts.handler) == (5, 30, 60)
    assert server.tls == Tls("cert.pem", "key.pem")
    assert (server.limits.header_size, server.limits.body_size) == (16384, 1048576)


def test_a_router_has_typed_options_for_each_middleware() -> None:
    (router,) = load(WHOLE, middleware=MIDDLEWARE).routers

    assert router.prefix == "/api"
    assert router.middleware_options == {
        "metrics": None,
        "cors": CorsOptions(origins=("https://a.example",)),
        "websocket_relay": RelayOptions(),
    }


def test_endpoints_name_an_entry_or_an_import_path() -> None:
    configuration = load(WHOLE, middleware=MIDDLEWARE)

    hello, bye = configuration.endpoints
    assert (hello.router, hello.func, hello.method) == ("shop:api", "shop:greet", ("GET", "POST"))
    assert str(hello.path) == "/hello/{name}/{rest...}"
    assert (bye.router, bye.func, bye.method) == ("shop:api", "app.views:bye", ("GET",))
    assert configuration.import_path(hello.func) == "app.views:hello"
    assert configuration.import_path(bye.func) == "app.views:bye"


def test_a_service_is_read_with_its_lifecycle() -> None:
    (service,) = load(WHOLE, middleware=MIDDLEWARE).services

    assert (service.process, service.host) == ("shop:worker", "shop:processes")
    assert service.args == (1, {"a": [True]})
    assert service.lifecycle == Lifecycle(
        auto_start=False,
        requires=("shop:gateway",),
        restart=Restart(policy="transient", backoff_factor=1.5, jitter=0.0),
    )


def test_entries_are_found_by_full_id_and_by_bare_name() -> None:
    configuration = load(WHOLE, middleware=MIDDLEWARE)

    assert configuration.entry("shop:processes") is configuration.hosts[0]
    assert configuration.entry("processes") is configuration.hosts[0]
    assert configuration.entry("other:processes") is None
    assert [entry.id for entry in configuration.processes] == ["shop:greet", "shop:worker"]


def test_a_host_has_the_defaults_of_the_page() -> None:
    configuration = load("- name: h\n  kind: process.host\n")

    assert configuration.hosts == (
        ProcessHost(id="app:h", where=Mark("", 0), max_processes=100_000, inbox=InboxLimits()),
    )
    assert configuration.hosts[0].inbox == InboxLimits(10_000, "refuse", 5.0)


@pytest.mark.parametrize(
    ("dotted", "nested"),
    [
        (
            "- {name: h, kind: process.host, inbox.limit: 5}\n",
            "- {name: h, kind: process.host, inbox: {limit: 5}}\n",
        ),
        (
            SEED,
            SEED.replace("    wsrelay.allowed.origins:", "    wsrelay: {allowed: {origins:")[:-1]
            + "}}\n",
        ),
        (
            "- {name: r, kind: http.router, meta.server: s, meta.a.b: 1}\n",
            "- {name: r, kind: http.router, meta: {server: s, a: {b: 1}}}\n",
        ),
        (
            "- {name: s, kind: process.service, process: 'a:b', lifecycle.restart.jitter: 0.5}\n",
            "- {name: s, kind: process.service, process: 'a:b',"
            " lifecycle: {restart: {jitter: 0.5}}}\n",
        ),
    ],
)
def test_dotted_keys_and_nested_maps_mean_the_same(dotted: str, nested: str) -> None:
    one, other = load(dotted, middleware=MIDDLEWARE), load(nested, middleware=MIDDLEWARE)

    assert one == other


def test_a_python_mapping_loads_like_the_same_yaml() -> None:
    entries = [{"name": "h", "kind": "process.host", "inbox": {"limit": 5}}]

    configuration = load({"namespace": "shop", "entries": entries})

    assert configuration.hosts[0].id == "shop:h"
    assert configuration.hosts[0].inbox.limit == 5
    assert configuration.file == "<mapping>"
    assert str(configuration.hosts[0].where) == "<mapping>"


def test_a_python_list_is_a_list_of_entries() -> None:
    configuration = load([{"name": "h", "kind": "process.host"}])

    assert configuration.hosts[0].id == "app:h"


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SEED)

    by_path, by_text = load(path, middleware=MIDDLEWARE), load(str(path), middleware=MIDDLEWARE)

    assert by_path == by_text
    assert by_path.file == str(path)


def test_an_empty_or_null_map_is_a_map_of_defaults() -> None:
    text = "- {name: h, kind: process.host, inbox: {}, meta: , max_processes: null}\n"

    configuration = load(text)

    assert configuration.hosts[0].inbox == InboxLimits()
    assert configuration.hosts[0].max_processes == 100_000


def test_a_configuration_without_entries_is_empty() -> None:
    assert load("entries: []\n") == Configuration(files=("<text>",))


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENRELAY_TEST_NAME", "h")

    configuration = load("- name: ${env:GREENRELAY_TEST_NAME}\n  kind: process.host\n")

    assert configuration.hosts[0].id == "app:h"


def test_a_variable_is_read_as_the_field_wants_it() -> None:
    text = "- {name: h, kind: process.host, max_processes: '${env:MAX|7}'}\n"

    default, given = load(text, environ={}), load(text, environ={"MAX": "9"})

    assert default.hosts[0].max_processes == 7
    assert given.hosts[0].max_processes == 9


def test_a_variable_cannot_inject_yaml() -> None:
    text = "- {name: s, kind: process.service, process: 'a:b', args: ['${env:X}', '${env:Y}']}\n"
    environ = {"X": "a]\n- name: evil\n  kind: process.host", "Y": "${env:X} [1, 2] true"}

    configuration = load(text, environ=environ)

    assert configuration.services[0].args == (environ["X"], environ["Y"])
    assert configuration.hosts == ()


def test_anchors_under_an_x_key_are_merged_into_entries() -> None:
    text = (
        "x-host: &host {kind: process.host, inbox.limit: 5, max_processes: 1}\n"
        "x-unset: ${env:NOBODY_SETS_THIS}\n"
        "entries:\n"
        "  - {name: a, <<: *host, max_processes: 2}\n"
        "  - {name: b, <<: [*host, {max_processes: 3}]}\n"
    )

    a, b = load(text, environ={}).hosts

    assert (a.inbox.limit, a.max_processes) == (5, 2)
    assert (b.inbox.limit, b.max_processes) == (5, 1)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        "- {name: s, kind: process.service, process: 'a:b', host: nowhere, args: 1}\n"
        "- {name: h, kind: process.host, max_processes: 0}\n"
    )

    with pytest.raises(ConfigError) as caught:
        load(text)

    assert caught.value.problems == (
        '<text>:1:52: process.service "app:s": host: there is no process.host "app:nowhere"; '
        "known: app:h",
        '<text>:1:67: process.service "app:s": args: is 1; it must be a list',
        '<text>:2:33: process.host "app:h": max_processes: is 0; it must be at least 1',
    )
