"""The schema and the loader agree, wherever a schema can tell."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from jsonschema import Draft202012Validator

from greenrelay.config.entries import KINDS
from greenrelay.config.loader import read_text
from greenrelay.config.options import described_options
from greenrelay.config.resolve import load
from greenrelay.config.schema import schema
from greenrelay.errors import ConfigError
from greenrelay.http.registry import SPECS
from tests.config.options_example import MIDDLEWARE
from tests.config.test_resolve import SEED, WHOLE
from tests.docs import Block, blocks

VALIDATOR = Draft202012Validator(schema(KINDS, MIDDLEWARE))
REAL_VALIDATOR = Draft202012Validator(schema(KINDS, SPECS))

# What each kind needs, so that one more field is the only question.
WHOLE_ENTRIES: Mapping[str, dict[str, object]] = {
    "cluster": {},
    "http.service": {"addr": ":80"},
    "http.router": {"meta.server": "gateway"},
    "http.endpoint": {"meta.router": "api", "path": "/", "func": "m:f"},
    "http.static": {"meta.server": "gateway", "path": "/", "directory": "d"},
    "http.dashboard": {"meta.server": "gateway"},
    "process.host": {},
    "process.python": {"source": "m:f"},
    "function.python": {"source": "m:f"},
    "process.service": {"process": "m:f"},
    "security.policy": {"actions": "*", "resources": "*", "effect": "deny"},
    "security.token_store": {},
}
NASTY: tuple[object, ...] = (
    *(None, True, False, 0, 1, 2, -1, 0.5, 1.5, 5_000_000, "", " ", "x", "a, b", ",", "5", "-1"),
    *(
        "1.5",
        "0x10",
        "\u0665",
        "1m30s",
        "90",
        "30 s",
        "30S",
        "-30s",
        "64KiB",
        "64 kib",
        "64K",
        "64Ki",
        "64 b",
        "1XB",
        "true",
    ),
    *(
        "True ",
        "yes",
        "on",
        "refuse",
        " refuse ",
        "block",
        "permanent",
        "m:f",
        "m.n:f.g",
        "m",
        "m:",
    ),
    *(
        "1m:f",
        ":80",
        ":0",
        "::1:80",
        "[::1]:80",
        "a b:80",
        "h:99999",
        ":999999",
        "unix:/s",
        "unix:",
    ),
    *("/", "/a", "/a/", "/a//b", "//", "/a b", "/{x}", "/{x}/y", "/{x...}", "/{x...}/y", "/{1}"),
    *(
        "/{ä}",
        "/x{y}",
        "/<x>",
        "a/b",
        "/a?b",
        "GET",
        "get",
        "GET, post",
        "FETCH",
        "name",
        "na-me.x",
        "5x",
    ),
    *([], ["a"], ["GET"], ["get", "PUT"], [""], [1], ["a", "a"], [None], {}, {"a": 1}),
    *("${env:A}", "${env:A|b}", "${env:}", "cors", "metrics", "cors, metrics", ["cors"], ["corz"]),
    *("http.service", "a\nb", "websocket_relay", ["websocket_relay", "websocket_relay"]),
)
ENVIRON = {"A": "m"}


def is_loaded(text: str) -> bool:
    try:
        load(text, middleware=MIDDLEWARE, environ=ENVIRON)
    except ConfigError:
        return False
    return True


def is_valid(text: str) -> bool:
    """Ask the schema, of what our own reader makes of the text: YAML 1.2."""
    root, problems = read_text(text)
    assert not problems
    return bool(VALIDATOR.is_valid(root.plain()))


def fields() -> list[tuple[str, str]]:
    return [
        (kind, name)
        for kind, cls in KINDS.items()
        for names, _ in described_options(cls)
        for name in names
    ]


def is_beyond_a_schema(value: object, error: str) -> bool:
    """Say whether only the loader can know ``error``."""
    words = (
        "there is no ",
        "is taken by",
        "goes in a circle",
        "is a process.host; it must be",
        "TLS has both",
        "is no entry and does not look like",
        "it must be at least",
        "it must be 0 to 1",
        "a port is at most",
        "it is not a whole number of bytes",
    )
    is_reference = any(word in error for word in words)
    # What a variable holds only the reader of the option can judge.
    return is_reference or (isinstance(value, str) and "${env:" in value)


@pytest.mark.parametrize(("kind", "name"), fields())
def test_a_value_is_refused_by_both_or_by_none(kind: str, name: str) -> None:
    disagreements = []
    for value in NASTY:
        entry = {"name": "it", "kind": kind, **WHOLE_ENTRIES[kind], name: value}
        error = ""
        try:
            load([entry], middleware=MIDDLEWARE, environ=ENVIRON)
        except ConfigError as caught:
            error = str(caught)
        is_allowed = VALIDATOR.is_valid([entry])
        if is_allowed == (not error):
            continue
        if not (is_allowed and is_beyond_a_schema(value, error)):
            disagreements.append((value, is_allowed, error))

    assert disagreements == []


def test_the_schema_itself_is_one() -> None:
    Draft202012Validator.check_schema(schema(KINDS, SPECS))


@pytest.mark.parametrize(
    "text",
    [
        SEED,
        WHOLE,
        "entries: []\n",
        "[]\n",
        "version: 1\nnamespace: shop\nentries: [{name: h, kind: process.host}]\n",
        "version: ${env:B|1.0}\nentries: []\nx-mine: {a: 1}\n",
        "- {name: h, kind: process.host, inbox: {limit: 5}, inbox.overflow: block}\n",
        "- {name: h, kind: process.host, inbox: {}, meta: }\n",
        "- {name: h, kind: process.host, x-a: 1, inbox: {x-b: 2}, meta.x: 1, meta: {y: [1]}}\n",
        "- {name: s, kind: process.service, process: 'm:f', lifecycle.restart: {jitter: 0}}\n",
        "- {name: s, kind: process.service, process: 'm:f', lifecycle: {restart.jitter: 0}}\n",
        "- {name: r, kind: http.router, meta: {server: g, team: web}, options: {}}\n",
        "- {name: r, kind: http.router, meta.server: g, options: {x-mine: 1}}\n",
        "- {name: r, kind: http.router, meta.server: g, middleware: cors,"
        " options: {cors: {allow.origins: '*'}}}\n",
    ],
)
def test_a_good_file_is_good_for_both(text: str) -> None:
    assert (is_valid(text), is_loaded(text)) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "just text\n",
        "5\n",
        "version: '1.0'\n",
        "version: 2\nentries: []\n",
        "entries: 5\n",
        "entires: []\nentries: []\n",
        "namespace: a b\nentries: []\n",
        "- 5\n",
        "- {kind: process.host}\n",
        "- {name: h}\n",
        "- {name: h, kind: process.hots}\n",
        "- {name: 5h, kind: process.host}\n",
        "- {name: h, kind: process.host, inbox: 5}\n",
        "- {name: h, kind: process.host, inbox: {limt: 5}}\n",
        "- {name: h, kind: process.host, inbox.limt: 5}\n",
        "- {name: h, kind: process.host, inbox.limit.x: 5}\n",
        "- {name: h, kind: process.host, meta: 5}\n",
        "- {name: h, kind: process.host, source: 'm:f'}\n",
        "- {name: p, kind: process.python}\n",
        "- {name: p, kind: process.python, source: }\n",
        "- {name: e, kind: http.endpoint, meta.router: r, path: '', func: 'm:f'}\n",
        "- {name: r, kind: http.router}\n",
        "- {name: r, kind: http.router, meta: {}}\n",
        "- {name: r, kind: http.router, meta: {server: 5}}\n",
        "- {name: r, kind: http.router, meta.server: g, middleware: [corz]}\n",
        "- {name: r, kind: http.router, meta.server: g, middleware: [websocket_relay]}\n",
        "- {name: r, kind: http.router, meta.server: g, middleware: [cors], options: {a: 1}}\n",
        "- {name: r, kind: http.router, meta.server: g, middleware: [cors],"
        " options.cors.allow.credentials: yes}\n",
    ],
)
def test_a_bad_file_is_bad_for_both(text: str) -> None:
    assert (is_valid(text), is_loaded(text)) == (False, False)


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if b.title != "mkdocs.yml"])
def test_what_the_pages_show_is_valid(block: Block) -> None:
    root, _ = read_text(block.text)

    errors = [error.message for error in REAL_VALIDATOR.iter_errors(root.plain())]

    assert errors == []


def test_the_schema_knows_every_option_of_the_middleware_there_is() -> None:
    entry = {"name": "r", "kind": "http.router", "meta.server": "g"}
    relay = {**entry, "post_middleware": "websocket_relay"}

    assert REAL_VALIDATOR.is_valid([relay | {"post_options": {"wsrelay.ping.interval": "5s"}}])
    assert not REAL_VALIDATOR.is_valid([relay | {"post_options": {"wsrelay.ping.intervall": "5s"}}])
