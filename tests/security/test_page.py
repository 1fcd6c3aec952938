"""The example of the page on security does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenrelay.web import create_app
from tests.docs import blocks
from tests.security.site import bearer
from tests.serving import Refused, connected, serving

PAGE = "guide/security.md"


def test_the_office_lets_in_who_has_signed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for block in blocks():
        if block.page == PAGE and block.title:
            (tmp_path / block.title).write_text(block.text)
    app = create_app(str(tmp_path / "config.yaml"))

    token = app.test_client().post("/door/login", data={"name": "ada"}).get_json()["token"]

    with serving(app) as address:
        with pytest.raises(Refused, match="401"), connected(address, "/ws/live"):
            pass
        with connected(address, "/ws/live", headers=bearer(token)) as client:
            assert client.recv() == "hello ada"
