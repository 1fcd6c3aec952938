"""HTTP, "Entries", row http.static."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenrelay.config.entries import HttpStatic
from greenrelay.config.options import option_names
from greenrelay.config.resolve import load
from greenrelay.errors import ConfigError
from greenrelay.web import create_app
from tests.docs import DOCS
from tests.http.middleware.files import ask
from tests.serving import serving

NAMES = ["meta.server", "path", "directory", "spa", "index", "cache"]


@pytest.fixture
def entry(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "app.js").write_text("js")
    return {
        "name": "site",
        "kind": "http.static",
        "meta.server": "gateway",
        "path": "/",
        "directory": str(tmp_path),
    }


def test_fields_and_defaults(entry: dict[str, object]) -> None:
    """`http.static`: `meta.server`, `path`, `directory`, `spa`, `index`, `cache`."""
    found = load([entry]).statics[0]

    assert option_names(HttpStatic) == NAMES
    assert (found.spa, found.index, found.cache) == (False, "index.html", None)


def test_files_of_a_directory(entry: dict[str, object]) -> None:
    with serving(create_app([entry])) as address:
        assert ask(address, "/app.js").body == b"js"
        assert ask(address, "/").body == b"home"
        assert ask(address, "/users/5").status == 404


def test_spa(entry: dict[str, object]) -> None:
    with serving(create_app([{**entry, "spa": True, "cache": "1h"}])) as address:
        page, file = ask(address, "/users/5"), ask(address, "/app.js")

    assert (page.status, page.body, page.headers["cache-control"]) == (200, b"home", "no-cache")
    assert file.headers["cache-control"] == "public, max-age=3600"


def test_clashes_are_configuration_errors(entry: dict[str, object]) -> None:
    """Two routes that clash, a duplicate prefix, an unknown middleware: configuration errors."""
    with pytest.raises(ConfigError, match='path: "/" is taken by'):
        create_app([entry, {**entry, "name": "again"}])


def test_every_field_is_on_its_page() -> None:
    page = (DOCS / "guide" / "static-files.md").read_text()

    assert [name for name in NAMES if f"`{name}`" not in page] == []
