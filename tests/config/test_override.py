"""Source: Configuration: "file, then GREENRELAY__ENTRY__FIELD, then --set entry.field=value"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from greenrelay.config.address import Address
from greenrelay.config.effective import settings as settings_of
from greenrelay.config.resolve import Configuration, load
from greenrelay.errors import ConfigError
from tests.config.options_example import MIDDLEWARE, RelayOptions

TEXT = """\
- {name: web-front.1, kind: http.service, addr: ":80"}
- name: sockets
  kind: http.router
  meta.server: web-front.1
  post_middleware: [websocket_relay]
  post_options: {wsrelay.max.connections: 5}
- {name: pool, kind: process.host, max_processes: 7, inbox: {limit: 5}}
"""


def loaded(environ: Mapping[str, str], settings: Sequence[str] = ()) -> Configuration:
    return load(TEXT, middleware=MIDDLEWARE, environ=environ, settings=settings)


def problems(environ: Mapping[str, str], settings: Sequence[str] = ()) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        loaded(environ, settings)
    return caught.value.problems


def test_the_environment_is_stronger_than_the_file() -> None:
    found = loaded(
        {
            "GREENRELAY__WEB_FRONT_1__ADDR": ":81",
            "GREENRELAY__POOL__INBOX__LIMIT": "6",
            "GREENRELAY__POOL__INBOX__BLOCK_TIMEOUT": "1m",
            "GREENRELAY__pool__max_processes": "8",
        }
    )

    assert found.servers[0].addr == Address("", 81)
    assert (found.hosts[0].inbox.limit, found.hosts[0].inbox.block_timeout) == (6, 60)
    assert found.hosts[0].max_processes == 8


def test_set_is_stronger_than_the_environment_and_the_last_one_wins() -> None:
    environ = {"GREENRELAY__POOL__MAX_PROCESSES": "8"}

    found = loaded(environ, ["pool.max_processes=9", "app:pool.max_processes=10"])

    assert found.hosts[0].max_processes == 10


def test_an_entry_whose_name_has_a_dot_can_be_set() -> None:
    assert loaded({}, ["web-front.1.addr=:82"]).servers[0].addr == Address("", 82)


@pytest.mark.parametrize("names", [("api", "api.v1"), ("api.v1", "api")])
@pytest.mark.parametrize("start", ["", "app:"])
def test_of_two_names_that_begin_alike_the_longer_one_is_meant(
    names: Sequence[str], start: str
) -> None:
    text = "".join(f"- {{name: {name}, kind: process.host}}\n" for name in names)
    settings = [f"{start}api.v1.max_processes=1", f"{start}api.max_processes=2"]

    found = load(text, environ={}, settings=settings)

    assert {each.name: each.max_processes for each in found.hosts} == {"api.v1": 1, "api": 2}


def test_a_bare_name_is_that_of_each_namespace(tmp_path: Path) -> None:
    files = [tmp_path / "one.yaml", tmp_path / "other.yaml"]
    for file in files:
        entry = "{name: pool, kind: process.host}"
        file.write_text(f"namespace: {file.stem}\nentries:\n- {entry}\n")

    found = load(files, environ={}, settings=["pool.max_processes=3"])

    assert [each.max_processes for each in found.hosts] == [3, 3]


def test_options_of_middleware_can_be_set_from_both() -> None:
    environ = {"GREENRELAY__SOCKETS__POST_OPTIONS__WSRELAY__MAX__CONNECTIONS": "6"}
    settings = ["sockets.post_options.wsrelay.allowed.origins=https://a.example, https://b.example"]

    options = loaded(environ, settings).routers[0].middleware_options["websocket_relay"]

    assert isinstance(options, RelayOptions)
    assert options.max_connections == 6
    assert options.allowed_origins == ("https://a.example", "https://b.example")


def test_another_name_of_an_option_is_stronger_from_outside_too() -> None:
    text = TEXT.replace(
        "{wsrelay.max", "{wsrelay.allowed.origins: 'https://file.example', wsrelay.max"
    )
    variable = {"GREENRELAY__SOCKETS__POST_OPTIONS__ALLOW_ORIGINS": "https://env.example"}
    setting = ["sockets.post_options.allowed_origins=https://set.example"]

    found = [
        load(text, middleware=MIDDLEWARE, environ=environ, settings=settings).routers[0]
        for environ, settings in (({}, []), (variable, []), (variable, setting))
    ]

    options = [router.middleware_options["websocket_relay"] for router in found]
    assert options == [
        RelayOptions(allowed_origins=(f"https://{name}.example",), max_connections=5)
        for name in ("file", "env", "set")
    ]
    shown = [
        each for each in settings_of(found[2], MIDDLEWARE) if each.name.endswith("allowed.origins")
    ]
    assert [each.origin for each in shown] == ["--set sockets.post_options.allowed_origins"]


def test_what_a_value_holds_is_text_and_no_reference_or_yaml() -> None:
    found = loaded({"GREENRELAY__POOL__META__NOTE": "${env:HOME}: [a]"})

    assert found.hosts[0].meta == {"note": "${env:HOME}: [a]"}


@pytest.mark.parametrize(
    ("environ", "settings", "problem"),
    [
        (
            {"GREENRELAY__POOL__MAX_PROCESSES": "many"},
            [],
            'GREENRELAY__POOL__MAX_PROCESSES: process.host "app:pool": max_processes: is "many"; '
            "it must be a whole number",
        ),
        (
            {"GREENRELAY__POL__MAX_PROCESSES": "1"},
            [],
            'GREENRELAY__POL__MAX_PROCESSES: there is no entry "pol"; did you mean "pool"? '
            "Known: pool, sockets, web-front.1",
        ),
        ({"GREENRELAY__POOL": "1"}, [], "GREENRELAY__POOL: names no field; write "),
        (
            {"GREENRELAY__POOL__MAX_PROCESES": "1"},
            [],
            'GREENRELAY__POOL__MAX_PROCESES: process.host "app:pool": max_proceses: unknown key; '
            'did you mean "max_processes"?',
        ),
        (
            {"GREENRELAY__POOL__KIND": "process.python"},
            [],
            'GREENRELAY__POOL__KIND: process.host "app:pool": kind: only the file can give it',
        ),
        ({}, ["pool.max_processes"], '--set pool.max_processes: is "pool.max_processes"; write '),
        ({}, ["max_processes=5"], '--set max_processes: is "max_processes=5"; write '),
        ({}, ["pol.max_processes=5"], '--set pol.max_processes: there is no entry "pol"; did you'),
        ({"GREENRELAY__POOL__META__A": "\udcff"}, [], "GREENRELAY__POOL__META__A: is not UTF-8"),
        ({}, ["pool.meta.a=\udcff"], "--set pool.meta.a: is not UTF-8"),
        (
            {},
            ["pool.inbox.overflow=drop"],
            '--set pool.inbox.overflow: process.host "app:pool": inbox.overflow: is "drop"; ',
        ),
    ],
)
def test_a_value_that_is_wrong_is_told_with_its_source(
    environ: Mapping[str, str], settings: Sequence[str], problem: str
) -> None:
    (found,) = problems(environ, settings)

    assert found.startswith(problem)
