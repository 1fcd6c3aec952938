"""HTTP, "Middleware", row compress, on a served router."""

from __future__ import annotations

import gzip

import pytest

from greenrelay.config.options import option_names
from greenrelay.http.middleware.compress import CompressOptions
from greenrelay.web import create_app
from tests.docs import DOCS
from tests.http.middleware.files import TEXT, ask, site
from tests.http.middleware.routed import routed
from tests.serving import connected, serving
from tests.streaming import EventClient

GZIP = {"Accept-Encoding": "gzip"}
EVERYTHING = {"compress.min.length": 0}


def test_options_and_defaults() -> None:
    """`.level` default, `.min.length` 1024."""
    options = CompressOptions()

    assert option_names(CompressOptions) == ["compress.level", "compress.min.length"]
    assert (options.level, options.min_length) == ("default", 1024)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_codings(coding: str) -> None:
    """Gzip (and br, zstd where installed)."""
    with serving(create_app(site("compress", {}))) as address:
        found = ask(address, "/answer", headers={"Accept-Encoding": coding})

    assert found.headers["content-encoding"] == coding
    assert len(found.body) < len(TEXT)


def test_never_a_stream() -> None:
    """Never a stream or an upgrade: a stream flows event by event."""
    with routed("compress", EVERYTHING) as bench:
        client = EventClient(bench.address, "/sse/events", headers=GZIP)

        assert client.event().data == "127.0.0.1"
        assert "content-encoding" not in client.headers
        client.drop()


def test_never_an_upgrade() -> None:
    """Never a stream or an upgrade: a WebSocket echoes."""
    with (
        routed("compress", EVERYTHING) as bench,
        connected(bench.address, "/ws/echo", headers=GZIP) as client,
    ):
        client.send(TEXT)

        assert client.recv() == TEXT
        assert "content-encoding" not in client.response.headers


def test_pre_match() -> None:
    """Pre-match sees every request under the prefix, unmatched ones too."""
    app = create_app(site("compress", EVERYTHING))
    app.register_error_handler(404, lambda error: (TEXT, 404))

    with serving(app) as address:
        found = ask(address, "/nowhere", headers=GZIP)

    assert (found.status, gzip.decompress(found.body).decode()) == (404, TEXT)


def test_the_answer_to_a_crash_is_compressed_too() -> None:
    """Pre-match sees every request under the prefix."""
    app = create_app(site("compress", EVERYTHING))
    app.register_error_handler(500, lambda error: (TEXT, 500))

    with serving(app) as address:
        found = ask(address, "/crash", headers=GZIP)

    assert (found.status, gzip.decompress(found.body).decode()) == (500, TEXT)


def test_every_option_is_on_its_page() -> None:
    page = (DOCS / "middleware" / "compress.md").read_text()

    assert [name for name in option_names(CompressOptions) if f"`{name}`" not in page] == []
