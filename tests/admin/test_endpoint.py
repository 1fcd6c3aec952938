"""The socket on which a program answers the command line. Source: Operations, "Command line"."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gevent.socket
import pytest
from flask import Flask

import greenrelay as gr
from greenrelay.admin.client import running
from greenrelay.admin.command import Program
from greenrelay.admin.endpoint import Endpoint
from greenrelay.web import GreenRelay


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


@pytest.fixture
def endpoint(folder: Path) -> Iterator[Endpoint]:
    app = Flask(__name__)
    with gr.Node() as node:
        GreenRelay(app, node=node)
        yield Endpoint(Program([app]))


def test_who_looks_while_it_starts_does_not_take_it_for_a_dead_one(
    endpoint: Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen = gevent.socket.socket.listen

    def be_looked_for(listener: gevent.socket.socket, backlog: int) -> None:
        assert running() == []
        listen(listener, backlog)

    monkeypatch.setattr(gevent.socket.socket, "listen", be_looked_for)

    endpoint.start()

    assert [found.pid for found in running()] == [os.getpid()]
    endpoint.stop()
    assert os.listdir(folder) == []


def test_what_a_dead_program_of_the_same_process_id_has_left_is_replaced(
    endpoint: Endpoint, folder: Path
) -> None:
    folder.mkdir(mode=0o700)
    for name in ("sock", "new"):
        with gevent.socket.socket(gevent.socket.AF_UNIX) as dead:
            dead.bind(str(folder / f"{os.getpid()}.1.{name}"))

    endpoint.start()

    assert [found.pid for found in running()] == [os.getpid()]
    endpoint.stop()
    assert os.listdir(folder) == []
