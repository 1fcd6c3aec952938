"""The socket on which a program answers the command line. Source: Operations, "Command line"."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent.socket
import pytest
from flask import Flask

import greenrelay as gr
from greenrelay.admin.client import running
from greenrelay.admin.command import Program
from greenrelay.admin.endpoint import MAX_CLIENTS, Endpoint
from greenrelay.web import GreenRelay
from tests.probe import wait_for
from tests.transport.test_fork import child_of


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


HELLO = b'{"command": "hello"}\n'


def connect(folder: Path) -> gevent.socket.socket:
    (name,) = os.listdir(folder)
    client = gevent.socket.socket(gevent.socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(folder / name))
    return client


def say_hello(folder: Path) -> str:
    with connect(folder) as client:
        client.sendall(HELLO)
        return client.makefile().read()


def test_one_client_too_many_hears_why_it_is_refused(endpoint: Endpoint, folder: Path) -> None:
    endpoint.start()
    with ExitStack() as stack:
        for _ in range(MAX_CLIENTS):
            stack.enter_context(connect(folder))

        told = say_hello(folder)

    assert "16 commands are being answered; try again when one has ended" in told
    wait_for(lambda: '"result"' in say_hello(folder))
    endpoint.stop()


def test_a_forked_child_answers_nobody_and_leaves_the_path(
    endpoint: Endpoint, folder: Path
) -> None:
    endpoint.start()
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect(folder)) for _ in range(MAX_CLIENTS)]
        # Until all are being answered.
        wait_for(lambda: "try again" in say_hello(folder))

        with child_of(endpoint.stop):
            for each in waiting:
                each.sendall(HELLO)
            told = [each.makefile().read() for each in waiting]
            told += [say_hello(folder) for _ in range(20)]

    assert all(f'"pid": {os.getpid()}' in each for each in told)
    endpoint.stop()
