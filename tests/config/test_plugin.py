"""Source: Configuration, the item "Kinds" ("whatever a plug-in registers"); HTTP, "Middleware"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from greenrelay.boot import SetsUp
from greenrelay.config.plugin import known_kinds
from greenrelay.config.resolve import load
from greenrelay.config.schema import schema
from greenrelay.errors import ConfigError
from greenrelay.extension import create_app
from tests.serving import http, serving

CODE = """
from dataclasses import dataclass
from typing import ClassVar
from greenrelay.config.entries import Entry
from greenrelay.config.options import option
from greenrelay.config.read import integer_from
from greenrelay.web import Middleware

@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Entry):
    kind: ClassVar[str] = "acme.queue"
    length: int = option("length", integer_from(1), 10)

    def set_up(self, app):
        app.config["ACME"] = self.length

class Plain(Entry):
    kind = "acme.plain"

@dataclass(frozen=True, slots=True)
class Options:
    word: str = option("acme.word", str, "hello")

def audit(options):
    def wrap(handler):
        def handle():
            response = handler()
            response.headers["X-Acme"] = options.word
            return response
        return handle
    return wrap

AUDIT = Middleware(audit, "pre", Options)
"""
SITE = """
- {name: gateway, kind: http.service, addr: ":0"}
- {name: api, kind: http.router, meta.server: gateway, middleware: [acme.audit],
   options: {acme.word: good day}}
"""
Install = Callable[[str], str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with the entry points that are given; return the name of its module."""
    # Another name for each test: Python imports a module once.
    module = f"acme_{tmp_path.name.replace('-', '_')}"

    def install_it(points: str) -> str:
        (tmp_path / f"{module}.py").write_text(CODE)
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points.replace("MODULE", module))
        monkeypatch.syspath_prepend(str(tmp_path))
        return module

    return install_it


def test_a_plug_in_brings_a_kind(install: Install) -> None:
    install("[greenrelay.kinds]\nacme.queue = MODULE:Queue\n")

    found = load("- {name: q, kind: acme.queue, length: 5}\n")

    (entry,) = found.others
    assert (entry.id, entry.kind) == ("app:q", "acme.queue")
    assert isinstance(entry, SetsUp)


def test_an_entry_of_a_plug_in_sets_up_the_app(install: Install) -> None:
    install("[greenrelay.kinds]\nacme.queue = MODULE:Queue\n")

    app = create_app("- {name: q, kind: acme.queue, length: 5}\n")

    with serving(app):
        assert app.config["ACME"] == 5


def test_fields_of_a_kind_of_a_plug_in_are_checked_as_all_others(install: Install) -> None:
    install("[greenrelay.kinds]\nacme.queue = MODULE:Queue\n")

    with pytest.raises(ConfigError) as caught:
        load("- {name: q, kind: acme.queue, length: 0, lenght: 1}\n- {name: r, kind: acme.queu}\n")

    first, second, third = caught.value.problems
    assert first == '<text>:1:31: acme.queue "app:q": length: is 0; it must be at least 1'
    assert 'lenght: unknown key; did you mean "length"?' in second
    assert 'did you mean "acme.queue"?' in third


def test_the_schema_knows_the_kinds_of_plug_ins(install: Install) -> None:
    install("[greenrelay.kinds]\nacme.queue = MODULE:Queue\n")

    definitions = schema(known_kinds([]), {})["$defs"]

    assert isinstance(definitions, dict)
    assert "length" in definitions["acme.queue"]["properties"]


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ("acme.queue = nowhere_at_all:Queue", "nowhere_at_all:Queue cannot be loaded: "),
        ("acme.queue = MODULE:Nobody", "cannot be loaded: AttributeError: "),
        ("acme.queue = MODULE:option", "it must be a class derived from Entry"),
        ("acme.plain = MODULE:Plain", "Plain must be a frozen dataclass"),
        ("acme.other = MODULE:Queue", "Queue.kind is 'acme.queue'; it must be 'acme.other'"),
        ("process.host = MODULE:Queue", "process.host is a kind of greenrelay itself; "),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_a_problem(
    install: Install, point: str, problem: str
) -> None:
    install(f"[greenrelay.kinds]\n{point}\n")

    with pytest.raises(ConfigError) as caught:
        load("[]\n")

    (found,) = caught.value.problems
    assert found.startswith(f"plug-in {point.partition(' ')[0]} of acme: ")
    assert problem in found


def test_no_plug_in_is_known_where_none_is_installed() -> None:
    assert "acme.queue" not in known_kinds([])


def test_a_plug_in_brings_a_middleware_with_typed_options(install: Install) -> None:
    install("[greenrelay.middleware]\nacme.audit = MODULE:AUDIT\n")

    app = create_app(SITE)

    with serving(app) as address:
        assert http(address, "/")[1]["x-acme"] == "good day"


def test_options_of_a_middleware_of_a_plug_in_are_checked(install: Install) -> None:
    install("[greenrelay.middleware]\nacme.audit = MODULE:AUDIT\n")

    with pytest.raises(ConfigError) as caught:
        create_app(SITE.replace("acme.word", "acme.wrd"))

    (problem,) = caught.value.problems
    assert 'options.acme.wrd: unknown option; did you mean "acme.word"?' in problem


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ("acme.audit = MODULE:audit", "it must be a Middleware"),
        ("websocket_relay = MODULE:AUDIT", "websocket_relay is taken by another middleware"),
        ("acme.audit = MODULE:Nobody", "cannot be loaded: AttributeError: "),
    ],
)
def test_a_middleware_of_a_plug_in_that_cannot_be_used_is_a_problem(
    install: Install, point: str, problem: str
) -> None:
    install(f"[greenrelay.middleware]\n{point}\n")

    with pytest.raises(ConfigError) as caught:
        create_app("- {name: gateway, kind: http.service, addr: ':0'}\n")

    (found,) = caught.value.problems
    assert found.startswith(f"plug-in {point.partition(' ')[0]} of acme: ")
    assert problem in found
