from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from greenrelay.cli.check import check
from greenrelay.config.resolve import load
from greenrelay.errors import ConfigError
from tests.config.options_example import MIDDLEWARE

GATEWAY = "- {name: gateway, kind: http.service, addr: ':80'}\n"
ROUTER = "- {name: api, kind: http.router, meta.server: gateway}\n"
VIEW = "kind: http.endpoint, meta.router: api, func: 'app:view'"
SERVICE = "kind: process.service, process: 'app.work:main'"
CODE = "process.python or function.python"
METHODS = "GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS, TRACE"
RELAY_OPTIONS = (
    "allow_origins, allowed_origins, wsrelay.allowed.origins, wsrelay.max.connections, "
    "wsrelay.max.connections.per.ip, wsrelay.max.message.size, wsrelay.ping.interval, "
    "wsrelay.slow.policy"
)
INBOX = "inbox.block_timeout, inbox.limit, inbox.overflow"


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(text, middleware=MIDDLEWARE, environ={"EMPTY": "", "BYTES": "\udcff"})
    return tuple(problem.removeprefix("<text>:") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "2:1: a: key is given twice; the first is at <text>:1:1"),
        (
            "entires: []\nentries: []\n",
            '1:1: entires: unknown key; did you mean "entries"? Known: entries, namespace, version',
        ),
        ("version: 2\nentries: []\n", '1:1: version: is 2; it must be "1.0"'),
        (
            "namespace: a b\nentries: []\n",
            '1:1: namespace: is "a b"; it must be letters, digits, "_", "-" and ".", and start '
            'with a letter or "_"',
        ),
        (
            "namespace: 1\nentries: []\n",
            "1:1: namespace: is 1; it must be text, write it in quotes",
        ),
        ("version: '1.0'\n", "1:1: entries: is missing; it must be a list of entries"),
        ("entries: 5\n", "1:1: entries: is 5; it must be a list of entries"),
        ("just text\n", '1:1: is "just text"; it must be a map with entries or a list of entries'),
        ("- 5\n", "1:3: entries: is 5; an entry is a map with name and kind"),
        (
            "namespace: ${env:NOBODY}\nentries: []\n",
            "1:12: namespace: environment variable NOBODY is not set; set it or write "
            "${env:NOBODY|default}",
        ),
        (
            "- !!python/name:os.system x\n",
            '1:3: tag "!!python/name:os.system" is not allowed; write a plain value',
        ),
    ],
)
def test_a_broken_file_is_refused_at_its_place(text: str, problem: str) -> None:
    found = problems_of(text)

    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- {kind: process.host}\n", "1:3: process.host: name: is missing; every entry has one"),
        (
            "- {name: h}\n",
            '1:3: entry "app:h": kind: is missing; it must be one of cluster, '
            "function.python, http.dashboard, http.endpoint, http.router, http.service, "
            "http.static, process.host, process.python, process.service, security.policy, "
            "security.token_store",
        ),
        (
            "- {name: h, kind: process.hots}\n",
            '1:13: process.hots "app:h": kind: "process.hots" is not known; did you mean '
            '"process.host"? Known: cluster, function.python, http.dashboard, http.endpoint, '
            "http.router, http.service, http.static, process.host, process.python, "
            "process.service, security.policy, security.token_store",
        ),
        (
            "- {name: 'a:b', kind: process.host}\n",
            '1:4: process.host: name: is "a:b"; it must be letters, digits, "_", "-" and ".", '
            'and start with a letter or "_"',
        ),
        (
            "- {name: h, kind: process.host}\n- {name: h, kind: process.host}\n",
            '2:4: process.host "app:h": name: "h" is taken by the entry at <text>:1:3; '
            "give it another name",
        ),
        (
            "- {name: h, kind: process.host, inbox.limt: 5}\n",
            '1:33: process.host "app:h": inbox.limt: unknown key; did you mean "inbox.limit"? '
            f"Known: {INBOX}, kind, max_processes, meta, name",
        ),
        (
            "- {name: h, kind: process.host, inbox: 5}\n",
            '1:33: process.host "app:h": inbox: is 5; it must be a map of limit, overflow, '
            "block_timeout",
        ),
        (
            "- {name: h, kind: process.host, meta: 5}\n",
            '1:33: process.host "app:h": meta: is 5; it must be a map',
        ),
        (
            "- {name: h, kind: process.host, inbox.limit: 5, inbox: {limit: 6}}\n",
            '1:57: process.host "app:h": inbox.limit: is given twice, dotted and nested; '
            "the first is at <text>:1:33",
        ),
        (
            "- {name: h, kind: process.host, inbox.limit: 0}\n",
            '1:33: process.host "app:h": inbox.limit: is 0; it must be at least 1',
        ),
        (
            "- {name: h, kind: process.host, max_processes: many}\n",
            '1:33: process.host "app:h": max_processes: is "many"; it must be a whole number',
        ),
        (
            "- {name: h, kind: process.host, inbox.overflow: drop}\n",
            '1:33: process.host "app:h": inbox.overflow: is "drop"; it must be one of refuse, '
            "drop_oldest, drop_newest, block",
        ),
        (
            "- {name: h, kind: process.host, inbox.block_timeout: soon}\n",
            "1:33: process.host \"app:h\": inbox.block_timeout: duration 'soon': it must be "
            'seconds or text such as "250ms", "30s", "1m30s", "2h"',
        ),
        (
            "- {name: h, kind: process.host, max_processes: '${env:NOBODY}'}\n",
            '1:48: process.host "app:h": max_processes: environment variable NOBODY is not set; '
            "set it or write ${env:NOBODY|default}",
        ),
        (
            "- {name: h, kind: process.host, meta: {a: ['${env:A B}']}}\n",
            '1:44: process.host "app:h": meta.a: "${env:A B}": write ${env:NAME} or '
            "${env:NAME|default}",
        ),
        (
            "- {name: h, kind: process.host, max_processes: '${env:NOBODY|${env:EMPTY}}'}\n",
            '1:48: process.host "app:h": max_processes: "${env:NOBODY|${env:EMPTY}}": a default is '
            "text, it cannot be another variable",
        ),
        (
            "- {name: h, kind: process.host, meta: {a: '${env:BYTES}'}}\n",
            '1:43: process.host "app:h": meta.a: environment variable BYTES is not UTF-8',
        ),
        (
            "- {name: h, kind: ''}\n",
            '1:13: entry "app:h": kind: "" is not known; known: cluster, function.python, '
            "http.dashboard, http.endpoint, http.router, http.service, http.static, process.host, "
            "process.python, process.service, security.policy, security.token_store",
        ),
        (
            "- {name: p, kind: process.python}\n",
            '1:3: process.python "app:p": source: is missing; it is required',
        ),
        (
            "- {name: f, kind: function.python, source: app.views}\n",
            '1:36: function.python "app:f": source: is "app.views"; it must look like '
            '"package.module:callable"',
        ),
        (
            f"- {{name: s, {SERVICE}, args: a}}\n",
            '1:62: process.service "app:s": args: is "a"; it must be a list',
        ),
        (
            f"- {{name: s, {SERVICE}, lifecycle.auto_start: yes}}\n",
            '1:62: process.service "app:s": lifecycle.auto_start: is "yes"; it must be true '
            "or false",
        ),
        (
            f"- {{name: s, {SERVICE}, lifecycle.restart.jitter: 2}}\n",
            '1:62: process.service "app:s": lifecycle.restart.jitter: is 2; it must be 0 to 1',
        ),
        (
            f"- {{name: s, {SERVICE}, lifecycle.restart.backoff_factor: .nan}}\n",
            '1:62: process.service "app:s": lifecycle.restart.backoff_factor: is NaN; it must '
            "be at least 1",
        ),
        (
            "- {name: g, kind: http.service}\n",
            '1:3: http.service "app:g": addr: is missing; it is required',
        ),
        (
            "- {name: g, kind: http.service, addr: localhost}\n",
            '1:33: http.service "app:g": addr: is "localhost"; it must look like ":8080", '
            '"127.0.0.1:0", "[::1]:8080" or "unix:/path"',
        ),
        (
            "- {name: g, kind: http.service, addr: ':1', limits.body_size: big}\n",
            "1:45: http.service \"app:g\": limits.body_size: size 'big': it must be bytes or "
            'text such as "64KiB", "1MiB", "500kB"',
        ),
        (
            "- {name: g, kind: http.service, addr: ':1', tls.cert: c}\n",
            '1:45: http.service "app:g": tls.cert: needs tls.key too; TLS has both or neither',
        ),
        (
            "- {name: g, kind: http.service, addr: ':1', tls.key: k}\n",
            '1:45: http.service "app:g": tls.key: needs tls.cert too; TLS has both or neither',
        ),
        (
            "- {name: r, kind: http.router}\n",
            '1:3: http.router "app:r": meta.server: is missing; it is required',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, prefix: ws}\n",
            '1:48: http.router "app:r": prefix: is "ws"; it must be text that starts with "/"',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, blueprint: app}\n",
            '1:48: http.router "app:r": blueprint: is "app"; it must look like '
            '"package.module:callable"',
        ),
        (
            GATEWAY + ROUTER + f"- {{name: e, {VIEW}, path: users}}\n",
            '3:70: http.endpoint "app:e": path: is "users"; it must be text that starts with "/"',
        ),
        (
            GATEWAY + ROUTER + f"- {{name: e, {VIEW}, path: /, method: [GET, FETCH]}}\n",
            '3:79: http.endpoint "app:e": method: is ["GET", "FETCH"]; it must be one or more '
            f"of {METHODS}",
        ),
    ],
)
def test_a_broken_entry_is_refused_at_its_place(text: str, problem: str) -> None:
    found = problems_of(text)

    assert found == (problem,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            GATEWAY + "- {name: r, kind: http.router, meta.server: gatway}\n",
            '2:32: http.router "app:r": meta.server: there is no http.service "app:gatway"; '
            'did you mean "app:gateway"? Known: app:gateway',
        ),
        (
            f"- {{name: e, {VIEW}, path: /}}\n",
            '1:34: http.endpoint "app:e": meta.router: there is no http.router "app:api"; '
            "none is known",
        ),
        (
            ROUTER + "- {name: e, kind: http.endpoint, meta.router: api, path: /, func: show}\n",
            f'2:61: http.endpoint "app:e": func: there is no {CODE} "app:show"; none is known',
        ),
        (
            ROUTER + "- {name: e, kind: http.endpoint, meta.router: api, path: /, func: 'a:b c'}\n",
            '2:61: http.endpoint "app:e": func: "a:b c" is no entry and does not look like '
            '"package.module:callable"',
        ),
        (
            ROUTER + "- {name: s, kind: process.service, process: 'app:api'}\n",
            '2:36: process.service "app:s": process: "app:api" is a http.router; it must be '
            f"{CODE}",
        ),
        (
            f"- {{name: s, {SERVICE}, host: here}}\n",
            '1:62: process.service "app:s": host: there is no process.host "app:here"; '
            "none is known",
        ),
        (
            f"- {{name: s, {SERVICE}, lifecycle: {{requires: [data]}}}}\n",
            '1:85: process.service "app:s": lifecycle.requires: there is no http.service or '
            'process.host or process.service "app:data"; known: app:s',
        ),
        (
            f"- {{name: a, {SERVICE}, lifecycle.requires: [a]}}\n",
            '1:83: process.service "app:a": lifecycle.requires: goes in a circle: app:a -> app:a',
        ),
        (
            f"- {{name: a, {SERVICE}, lifecycle.requires: b}}\n"
            f"- {{name: b, {SERVICE}, lifecycle.requires: c}}\n"
            f"- {{name: c, {SERVICE}, lifecycle.requires: a}}\n",
            '1:62: process.service "app:a": lifecycle.requires: goes in a circle: app:a -> app:b '
            "-> app:c -> app:a",
        ),
        (
            ROUTER + "- {name: b, kind: http.router, meta.server: 'app:gateway', prefix: /}\n",
            '2:60: http.router "app:b": prefix: "/" is taken by router "app:api" at <text>:1:3',
        ),
        (
            ROUTER + f"- {{name: e, {VIEW}, path: '/a/{{x}}'}}\n"
            f"- {{name: f, {VIEW}, path: '/a/{{y}}', method: get}}\n",
            '3:70: http.endpoint "app:f": path: GET /a/{y} clashes with GET /a/{x} of "app:e" '
            "at <text>:2:70",
        ),
        (
            ROUTER + f"- {{name: a.b, {VIEW}, path: /a}}\n- {{name: a_b, {VIEW}, path: /b}}\n",
            '3:4: http.endpoint "app:a_b": name: is a_b in Flask, and so is "app:a.b" at '
            "<text>:2:4; rename one of them",
        ),
        (
            ROUTER
            + f"- {{name: r.a, {ROUTER[14:-2]}, prefix: /1}}\n"
            + f"- {{name: r_a, {ROUTER[14:-2]}, prefix: /2}}\n",
            '3:4: http.router "app:r_a": name: is app_r_a in Flask, and so is "app:r.a" at '
            "<text>:2:4; rename one of them",
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, middleware: [corz]}\n",
            '1:61: http.router "app:r": middleware: "corz" is not registered; did you mean '
            '"cors"? Known: cors, metrics',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, post_middleware: [cors]}\n",
            '1:66: http.router "app:r": post_middleware: "cors" is pre-match middleware; '
            "list it in middleware",
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, middleware: 'cors, cors'}\n",
            '1:48: http.router "app:r": middleware: "cors" is listed twice; list it once',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, post_middleware: [websocket_relay],"
            " post_options: {wsrelay.allowed.origin: a}}\n",
            '1:99: http.router "app:r": post_options.wsrelay.allowed.origin: unknown option; '
            f'did you mean "wsrelay.allowed.origins"? Known: {RELAY_OPTIONS}',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, options: {cors.max.age: 1}}\n",
            '1:58: http.router "app:r": options.cors.max.age: unknown option; none is known',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, middleware: [metrics],"
            " options: {cors.max.age: 1}}\n",
            '1:81: http.router "app:r": options.cors.max.age: unknown option; none is known',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, post_middleware: [websocket_relay],"
            " post_options: {wsrelay: {ping: {interval: soon}}}}\n",
            "1:116: http.router \"app:r\": post_options.wsrelay.ping.interval: duration 'soon': "
            'it must be seconds or text such as "250ms", "30s", "1m30s", "2h"',
        ),
        (
            "- {name: r, kind: http.router, meta.server: g, middleware: [cors],"
            " options: {cors.allow.credentials: true}}\n",
            '1:3: http.router "app:r": options: cors: cors.allow.origins "*" does not go with '
            "cors.allow.credentials",
        ),
    ],
)
def test_a_broken_reference_is_refused_at_its_place(text: str, problem: str) -> None:
    found = problems_of(text)

    assert found == (problem,)


def test_routers_whose_prefixes_make_the_same_route_clash() -> None:
    text = (
        "- {name: a, kind: http.router, meta.server: g, prefix: /a}\n"
        "- {name: b, kind: http.router, meta.server: g, prefix: /a/b}\n"
        "- {name: e, kind: http.endpoint, meta.router: a, func: 'x:y', path: /b/c}\n"
        "- {name: f, kind: http.endpoint, meta.router: b, func: 'x:y', path: /c}\n"
    )

    found = problems_of(text)

    assert found == (
        '4:63: http.endpoint "app:f": path: GET /c clashes with GET /b/c of "app:e" at <text>:3:63',
    )


def test_two_circles_are_both_told() -> None:
    text = (
        f"- {{name: a, {SERVICE}, lifecycle.requires: a}}\n"
        f"- {{name: b, {SERVICE}, lifecycle.requires: b}}\n"
    )

    found = problems_of(text)

    assert [problem.partition(" process")[0] for problem in found] == ["1:62:", "2:62:"]


def test_a_broken_entry_is_no_missing_entry_for_those_that_name_it() -> None:
    text = (
        "- {name: gateway, kind: http.servce}\n"
        "- {name: other, kind: http.service, addr: ':1'}\n" + ROUTER
    )

    found = problems_of(text)

    assert len(found) == 1
    assert found[0].startswith('1:19: http.servce "app:gateway": kind: "http.servce" is not known')


def test_an_entry_without_a_name_is_checked_all_the_same() -> None:
    found = problems_of("- {kind: process.host, max_processes: 0}\n")

    assert found == (
        "1:3: process.host: name: is missing; every entry has one",
        "1:24: process.host: max_processes: is 0; it must be at least 1",
    )


def test_a_value_that_is_reported_is_not_reported_again() -> None:
    text = "- {name: '${env:A}', kind: '${env:B}', addr: 1}\n- !x y\n- {name: !x h, kind: !x k}\n"

    found = problems_of(text)

    assert [problem.rpartition(": ")[2].partition(";")[0] for problem in found] == [
        "environment variable A is not set",
        "environment variable B is not set",
        'tag "!x" is not allowed',
        'tag "!x" is not allowed',
        'tag "!x" is not allowed',
    ]


def test_an_unread_option_and_an_unread_map_are_left_alone() -> None:
    text = (
        "- {name: h, kind: process.host, max_processes: !x 1, inbox: !x 2, meta: !x 3}\n"
        "- {name: r, kind: http.router, meta.server: !x g, options.a: !x b}\n"
    )

    found = problems_of(text)

    assert len(found) == 5
    assert all('tag "!x" is not allowed' in problem for problem in found)


def test_problems_of_a_mapping_name_no_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load([{"name": "h", "kind": "process.host", "inbox": {"limit": {1}}, 5: 6}])

    assert caught.value.problems == (
        "<mapping>: [0].inbox.limit: is {1}; it must be text, a number, a boolean, None, a list "
        "or a mapping",
        "<mapping>: [0]: key 5 is not text; every key must be text",
    )


def test_a_file_whose_tags_are_refused_is_not_refused_for_its_shape_too() -> None:
    tag = 'tag "!x" is not allowed; write a plain value'

    assert problems_of("!x a\n") == (f"1:1: {tag}",)
    assert problems_of("entries: !x a\n") == (f"1:10: {tag}",)


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("hunter2${env:X", "write ${env:NAME} or ${env:NAME|default}"),
        ("${env:X|hunter2${env:Y}}", "a default is text, it cannot be another variable"),
    ],
)
def test_a_secret_that_cannot_be_read_is_neither_quoted_nor_missing(
    secret: str, fault: str
) -> None:
    text = f"- {{name: t, kind: security.token_store, type: signed, secret: '{secret}'}}\n"

    assert problems_of(text) == (f'1:63: security.token_store "app:t": secret: {fault}',)


def test_the_user_of_a_url_that_cannot_be_read_is_not_quoted() -> None:
    text = "- {name: h, kind: process.host, meta.url: 'redis://me:hunter2@host/${env:X'}\n"

    (found,) = problems_of(text)

    assert 'meta.url: "redis://***@host/${env:X": write' in found


def test_a_secret_that_is_not_there_is_missing_beside_another_problem() -> None:
    text = "- {name: t, kind: security.token_store, type: signed, public_key: '${env:X'}\n"

    found = problems_of(text)

    assert [problem.partition('"app:t": ')[2].split(":")[0] for problem in found] == [
        "secret",
        "public_key",
    ]


def test_a_key_twice_in_an_entry_is_told_at_the_second() -> None:
    text = "- name: h\n  kind: process.host\n  name: i\n"

    assert problems_of(text) == ("3:3: name: key is given twice; the first is at <text>:1:3",)


def test_a_tag_in_the_list_of_middleware_hides_no_other_problem() -> None:
    text = "- {name: r, kind: http.router, meta.server: g, middleware: [!x a, corz]}\n"

    found = problems_of(text)

    assert len(found) == 2
    assert '"corz" is not registered; did you mean "cors"?' in found[0] + found[1]


FILES: list[tuple[bytes, str]] = [
    (b"", ": is empty; it must hold a map with entries or a list of entries"),
    (b"# nothing\n", ": is empty; it must hold a map with entries or a list of entries"),
    (b"- {name: a,\n\tkind: b}\n", ":2:1: a tab indents this line; YAML indents with spaces only"),
    (b"- name: [a\n- b: c\n", ":2:4: is not YAML: "),
    (b"- name: 'a\n", ":2:1: is not YAML: "),
    (b"- name: \xff\n", ":1:9: byte 0xff is not UTF-8; save the file as UTF-8"),
    (b"a: b\x00\n", ":1:5: character U+0000 may not stand in YAML"),
    (b"x" * (1024 * 1024 + 1), ": is larger than 1048576 bytes; a configuration must be smaller"),
    (b"[" * 60 + b"]" * 60, ":1:51: is not YAML: maps and lists nested deeper than 50 levels"),
    (
        b"x-a: &a [" + b"1," * 99 + b"]\nx-b: &b [" + b"*a," * 99 + b"]\nx-c: [" + b"*b," * 99,
        ": is not YAML: ",
    ),
    (
        b"x-a: &a ["
        + b"1," * 99
        + b"]\nx-b: &b ["
        + b"*a," * 99
        + b"]\nx-c: ["
        + b"*b," * 99
        + b"]\nentries: []\n",
        ": aliases expand the file to more than 100000 values; use fewer",
    ),
    (b"x-a: &a [*a]\nentries: []\n", ":1:6: an alias stands inside the very value it names; "),
    (b"entries: *nobody\n", ":1:10: is not YAML: found undefined alias"),
    (b"entries: []\n---\nentries: []\n", ":2:1: is not YAML: expected a single document"),
    (b"? [a]\n: b\nentries: []\n", ":1:3: a list or map cannot be a key; write text"),
    (b"x-a: 1\n<<: 5\nentries: []\n", ":2:5: << merges a map or a list of maps"),
    (b"entries: !!int abc\n", ':1:10: "abc" is not !!int'),
]


@pytest.mark.parametrize(("content", "problem"), FILES)
def test_a_file_that_cannot_be_read_is_refused_at_its_place(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert caught.value.problems[0].startswith(str(path))
    assert problem in caught.value.problems[0]


BROKEN = [
    *(content for content, _ in FILES),
    *(
        text.encode()
        for test in (
            test_a_broken_file_is_refused_at_its_place,
            test_a_broken_entry_is_refused_at_its_place,
            test_a_broken_reference_is_refused_at_its_place,
        )
        for text, _ in vars(test)["pytestmark"][0].args[1]
    ),
]


def test_there_are_more_than_fifty_ways_to_break_a_configuration() -> None:
    assert len(set(BROKEN)) > 50


@pytest.mark.parametrize("content", BROKEN)
def test_the_command_refuses_each_with_its_place_and_status_2(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)

    # In this process: nothing in a check needs a patched one.
    done = CliRunner().invoke(check, [str(path)])

    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr
    assert all(line.startswith(str(path)) for line in done.stderr.splitlines())
