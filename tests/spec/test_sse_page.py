"""What docs/guide/sse.md shows works, and it leaves no option out."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from flask import Flask

from greenrelay.config.options import option_names
from greenrelay.http.middleware.sse_relay import StreamOptions
from tests.docs import DOCS, blocks
from tests.serving import http, serving
from tests.streaming import Event, EventClient


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page."""
    for block in blocks():
        if block.page == "guide/sse.md" and block.title is not None:
            (tmp_path / block.title).write_text(block.text)
    return tmp_path


def app_of(file: Path) -> Flask:
    app = runpy.run_path(str(file))["app"]
    assert isinstance(app, Flask)
    return app


def test_the_export_of_the_first_example_comes_to_its_end(folder: Path) -> None:
    with serving(app_of(folder / "progress.py")) as address:
        client = EventClient(address, "/export/3")

        events = client.rest()

        assert [event.name for event in events] == ["progress"] * 3 + ["done"]
        assert events[2].json() == {"row": 3, "of": 3}
        client.drop()


def test_who_comes_back_gets_what_it_has_missed(folder: Path) -> None:
    with serving(app_of(folder / "ticker.py")) as address:
        for text in ("one", "two", "three"):
            assert http(address, f"/news/{text}", method="POST")[0] == 204
        client = EventClient(address, "/news", headers={"Last-Event-ID": "1"})

        assert client.event() == Event("sse.message", "two", "2")
        assert client.event() == Event("sse.message", "three", "3")
        http(address, "/news/four", method="POST")
        assert client.event() == Event("sse.message", "four", "4")
        client.drop()


def test_every_option_is_on_the_page() -> None:
    page = (DOCS / "guide/sse.md").read_text()

    assert [name for name in option_names(StreamOptions) if f"`{name}`" not in page] == []
