"""The benches of transport and relay measure what they say: real runs, tiny, and never a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import relay, transport
from bench.child import Report
from bench.harness import ROOT, Results
from bench.load import program
from bench.load.program import LoadFailed
from bench.wire.bound import Bound, judge
from bench.wire.command import Bench
from bench.wire.load import Load, echo
from bench.wire.peer import BARE, CEILING, RAW, SERVER, Peer
from bench.wire.report import markdown
from bench.wire.server import RunningServer
from bench.workload import Size

TINY = echo("tiny", "echo, {crowd} clients", (CEILING, RAW, BARE), 4)


def results(metric: str, **rounds: list[float]) -> Results:
    found = Results()
    found.figures[metric] = dict(rounds)
    return found


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    program.build()


def run(server: RunningServer, **options: object) -> program.Measured:
    known = {"port": server.port, "server": server.pid, "protocol": server.peer.protocol}
    return program.run(None, {**known, "warm": 0.05, "seconds": 0.2, **options})


@pytest.mark.parametrize(
    ("bench", "loads"),
    [("transport", ["small_100", "hold"]), ("relay", ["flood_pings", "giant", "news_1000"])],
)
def test_a_quick_run_writes_figures_of_every_peer(
    bench: str, loads: list[str], tmp_path: Path
) -> None:
    peers = ["gevent_websocket", "bare" if bench == "transport" else "server"]
    command = [sys.executable, "-m", f"bench.{bench}", "--quick", "--output", str(tmp_path)]
    command += ["--peers", *peers]

    done = subprocess.run(
        [*command, "--only", *loads], cwd=ROOT, capture_output=True, text=True, check=True
    )

    found = json.loads((tmp_path / f"{bench}.json").read_text())
    for load in loads:
        assert sorted(found["counted"][load]) == sorted(peers)
    assert found["bounds"]
    assert (tmp_path / f"{bench}.md").read_text() in done.stdout


@pytest.mark.parametrize("peer", [CEILING, RAW, BARE, SERVER], ids=lambda peer: peer.name)
def test_every_client_is_served(peer: Peer) -> None:
    server = RunningServer(peer, "echo", None)
    try:
        found = run(server, connections=20, depth=4, size=1_000)
    finally:
        server.stop()

    assert found.served == 20
    assert found.counted > 0


def test_an_echo_that_comes_back_changed_is_no_figure() -> None:
    # Plain TCP answers the handshake with the request itself.
    server = RunningServer(RAW, "echo", None)
    try:
        with pytest.raises(LoadFailed, match="connection 0: the upgrade was answered GET /echo"):
            run(server, protocol="websocket")
    finally:
        server.stop()


def test_a_broadcast_is_over_when_all_have_it() -> None:
    server = RunningServer(SERVER, "news", None)
    try:
        found = run(server, mode="broadcast", connections=30, rounds=4, warm=0.5, seconds=20)
    finally:
        server.stop()

    assert found.counted == 30 * 4
    assert len(found.rounds_ms) == 4


def test_an_unknown_option_of_the_generator_is_refused() -> None:
    with pytest.raises(LoadFailed, match="load: clients is no option"):
        program.run(None, {"clients": 3})


def test_each_bound_with_figures_gets_a_verdict() -> None:
    found = results("tiny", raw=[10, 20], bare=[30, 30])
    bounds = [
        Bound("bare", "tiny", 2, 3, of="raw"),
        Bound("bare", "tiny", 20, 10, is_most=True),
        Bound("bare", "tiny", 1, 2, of="raw"),
        Bound("bare", "other", 1, 2),
    ]

    verdicts = judge(found, bounds)

    assert [(each.value, each.word) for each in verdicts] == [
        (2.25, "gate"),
        (30, "MISSED"),
        (2.25, "goal"),
    ]


def test_the_summary_says_what_holds_and_how_busy_the_generator_was() -> None:
    found = Results()
    for peer, count in ((CEILING, 5_000), (RAW, 1_000), (BARE, 2_000)):
        found.add(TINY, peer, Report(count, 1.0, {"tiny_load_cpu": 0.5}, 1.0))

    text = markdown(
        "Tiny",
        found,
        [(TINY, Size(1, 4))],
        [Bound("bare", "tiny", 1.1, 1.7, of="raw")],
        {"python": "3"},
    )

    words = [" ".join(line.replace("|", " ").split()) for line in text.splitlines()]
    assert (
        "greenrelay transport: echo, 4 clients raw gevent TCP 2.00 >= 1.10 >= 1.70 goal reached"
        in words
    )
    assert "echo, 4 clients 5.00 k/s 2.00 k/s, greenrelay transport 50%" in words


@pytest.mark.parametrize("bench", [transport.BENCH, relay.BENCH], ids=lambda bench: bench.name)
def test_every_bound_is_of_a_load_its_peers_have(bench: object) -> None:
    assert isinstance(bench, Bench)
    of: dict[str, Load] = {
        metric.name: load for load in bench.loads for metric in load.metrics(load.full)
    }

    for bound in bench.bounds:
        names = [peer.name for peer in of[bound.metric].peers]
        assert bound.peer in names
        assert not bound.of or bound.of in names
