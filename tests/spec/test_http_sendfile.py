"""HTTP, "Middleware", row sendfile, on a served router."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenrelay.config.options import option_names
from greenrelay.errors import ConfigError
from greenrelay.http.middleware.sendfile import SendfileOptions
from greenrelay.web import create_app
from tests.docs import DOCS
from tests.http.middleware.files import ask, site
from tests.http.middleware.routed import routed
from tests.serving import connected, serving
from tests.streaming import EventClient


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "ten.txt").write_text("0123456789")
    (tmp_path / "secret.txt").write_text("secret")
    return {"sendfile.directory": str(tmp_path / "files")}


def test_options() -> None:
    """`.directory`."""
    assert option_names(SendfileOptions) == ["sendfile.directory"]
    with pytest.raises(ConfigError, match="is missing; it is required"):
        create_app(site("sendfile", {}))


def test_x_sendfile_with_ranges(options: dict[str, object]) -> None:
    """`X-Sendfile` with ranges."""
    with serving(create_app(site("sendfile", options))) as address:
        path = "/answer?X-Sendfile=ten.txt"
        whole = ask(address, path)
        part = ask(address, path, headers={"Range": "bytes=2-4"})

    assert (whole.status, whole.body) == (200, b"0123456789")
    assert (part.status, part.body) == (206, b"234")
    assert "x-sendfile" not in whole.headers


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "%252e%252e/secret.txt"])
def test_never_outside_the_directory(options: dict[str, object], name: str) -> None:
    """Never outside the directory."""
    with serving(create_app(site("sendfile", options))) as address:
        assert ask(address, f"/answer?X-Sendfile={name}").status == 404


def test_the_relays_behind_it(options: dict[str, object]) -> None:
    """Any of them may stand around the relays and must not break an upgrade or a stream."""
    with routed("compress, sendfile", options) as bench:
        with connected(bench.address, "/ws/echo") as client:
            client.send("hello")
            assert client.recv() == "hello"
        events = EventClient(bench.address, "/sse/events")
        assert events.event().data == "127.0.0.1"
        events.drop()


def test_every_option_is_on_its_page() -> None:
    page = (DOCS / "middleware" / "sendfile.md").read_text()

    assert [name for name in option_names(SendfileOptions) if f"`{name}`" not in page] == []
