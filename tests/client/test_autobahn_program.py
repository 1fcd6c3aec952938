"""``make autobahn-client`` judges as ``make autobahn`` does, and lets nothing pass silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.autobahn import client as program
from bench.autobahn import suite
from bench.autobahn.suite import NoPython2
from tests.client.upstream import BINARY, PING, PONG, TEXT, Peer, close_frame, frame, upstream
from tests.probe import wait_for


def test_without_python_2_the_run_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no 2.7 is to be had, it says so and fails; it never passes silently."""
    monkeypatch.setattr(suite, "_candidates", lambda: iter(()))
    monkeypatch.setattr(program, "environment_folder", lambda: tmp_path / "autobahn")

    assert program.main(["--fast"]) == 1

    assert str(NoPython2()) in capsys.readouterr().err


def test_the_client_under_test_echoes_until_it_is_closed() -> None:
    got: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept(then=frame(TEXT, "a") + frame(BINARY, b"b") + frame(PING, b"c"))
        got.extend((peer.frame(), peer.frame(), peer.frame()))
        peer.write(close_frame(1000))
        got.append(peer.frame())

    with upstream(script) as url:
        program.echo(url)
        wait_for(lambda: len(got) == 4)

    assert sorted(got[:3]) == [(TEXT, b"a"), (BINARY, b"b"), (PONG, b"c")]
    assert got[3] == (8, b"\x03\xe8")
