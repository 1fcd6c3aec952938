"""What happens when nodes and the server die, freeze and come back, with real signals."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.connector import Patience
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.nats.keeper import Keeper, clock
from greenrelay.cluster.nats.membership import Timing
from greenrelay.cluster.nats.outbox import MAX_SIZE
from greenrelay.cluster.nats.owner import NobodyAnswers
from greenrelay.cluster.nats.subject import token_of
from greenrelay.cluster.nats.subjects import Subjects
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError
from tests.cluster.child import Child
from tests.cluster.conftest import joining
from tests.cluster.recorder import Join, Node, Recorder, meet, owning
from tests.cluster.test_nats_client import Owner
from tests.probe import wait_for

# A server of another account's system, so without news of connections.
SILENT = """
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
log_file: "{folder}/log"
jetstream: {{ store_dir: "{folder}/jetstream" }}
authorization: {{ user: "{user}", password: "{password}" }}
"""


class Restarted:
    """A server that may be killed and started again on its port; ``url`` stays the same."""

    def __init__(self) -> None:
        self.server = DevelopmentServer()
        self.url = self.server.url

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server = DevelopmentServer(port=self.server.port, password=self.server.password)


@pytest.fixture
def broken() -> Iterator[Restarted]:
    """A server for tests that do it harm."""
    restarted = Restarted()
    yield restarted
    restarted.server.stop()


@pytest.fixture
def join_broken(broken: Restarted, app: str) -> Iterator[Join]:
    address = parse_address(broken.url)
    yield from joining(lambda: NatsEngine(address, app))


def keeper_of(node: Node) -> Keeper:
    """Return what keeps the names of a node."""
    assert isinstance(node.engine, NatsEngine)
    return node.engine._names.keeper


def test_a_killed_node_is_known_from_the_server(
    nats_server: DevelopmentServer, join_nats: Join, app: str, tmp_path: Path
) -> None:
    a = join_nats("a")
    with Child(tmp_path, nats_server.url + "?lease=2s", app, "k", "n") as child:
        child.wait_for("ready")
        wait_for(lambda: ("n", "k") in a.sink.names)

        child.signal(signal.SIGKILL)

        a.sink.wait_told("down", "k", "i1", "disconnected", timeout=1.5)
    assert a.engine.nodes() == ()
    wait_for(lambda: ("n", None) in a.sink.names)
    assert a.engine.claim("n", "a") == "a"


def test_a_killed_node_is_known_from_its_silence_where_the_server_tells_nothing(
    app: str, tmp_path: Path
) -> None:
    with DevelopmentServer(configuration=SILENT) as server:
        sink, engine = Recorder(), NatsEngine(parse_address(server.url), app)
        engine.start(Member("a", "i1"), sink)
        with Child(tmp_path, server.url, app, "k") as child:
            child.wait_for("ready")
            sink.wait_told("up", "k", "i1")

            child.signal(signal.SIGKILL)

            sink.wait_told("down", "k", "i1", "silent")
        engine.stop()


def test_a_frozen_node_is_gone_and_comes_back_as_another_without_its_names(
    nats_server: DevelopmentServer, join_nats: Join, app: str, tmp_path: Path
) -> None:
    a = join_nats("a")
    with Child(tmp_path, nats_server.url + "?lease=2s", app, "f", "n") as child:
        child.wait_for("ready")
        a.sink.wait_told("up", "f", "i1")

        child.signal(signal.SIGSTOP)
        a.sink.wait_told("down", "f", "i1", "silent")
        wait_for(lambda: ("n", None) in a.sink.names)
        assert a.engine.claim("n", "pa") == "pa"
        child.signal(signal.SIGCONT)

        child.wait_for("does not hold n")
        child.wait_for("down a i1 unreachable")
        a.sink.wait_told("up", "f", "i1-1")
        child.wait_for("name n pa")
        wait_for(lambda: child.output.count("up a i1") == 2)
    assert a.engine.holds("n", "pa")
    assert [told for told in a.sink.told if told[:3] == ("down", "f", "i1")] == [
        ("down", "f", "i1", "silent")
    ]


def test_a_server_that_restarts_takes_no_node_and_no_name_away(
    broken: Restarted, join_broken: Join
) -> None:
    a, b = join_broken("a"), join_broken("b")
    meet(a, b)
    b.engine.join("topic")
    for number in range(20):
        a.engine.claim(f"n{number}", "pa")
    wait_for(lambda: len(b.sink.names) == 20)

    broken.kill()
    a.sink.wait_told("engine", False)
    b.sink.wait_told("engine", False)
    # The rule is about a second without the server, on the clocks of two programs.
    gevent.sleep(1)
    broken.start()

    a.sink.wait_told("engine", True)
    b.sink.wait_told("engine", True)
    # The server has lost all it knew of names, and nobody has made their bucket anew yet.
    assert b.engine.lookup("n3") == "pa"
    a.sink.wait_told("gap", "b")
    b.sink.wait_told("gap", "a")
    assert b.engine.lookup("n3") == "pa"
    assert b.engine.claim("n7", "pb") == "pa"
    assert all(a.engine.holds(f"n{number}", "pa") for number in range(20))
    wait_for(lambda: a.engine.send("b", b"on the new one") and b.sink.frames)
    a.engine.publish("topic", b"topic too")
    wait_for(lambda: ("a", b"topic too", "topic") in b.sink.frames)
    for node, other in ((a, "b"), (b, "a")):
        kinds = [told[:2] for told in node.sink.told if told[0] in ("up", "down", "engine")]
        assert kinds == [("up", other), ("engine", False), ("engine", True)]
    assert [name for name in b.sink.names if name[1] is None] == []


def test_a_lookup_waits_for_the_rows_of_a_server_that_is_back_without_them(
    broken: Restarted, join_broken: Join
) -> None:
    a, b = owning(join_broken)
    keepers = [keeper_of(each) for each in (a, b)]
    for keeper in keepers:
        # As after a restart, when the connection is up and nobody has looked for the rows yet.
        keeper._feed.break_off()
    bucket = keepers[0].bucket
    assert bucket.call(f"STREAM.DELETE.{bucket.stream}", b"").error is None

    looking = gevent.spawn(b.engine.lookup, "n")
    looking.join(0.1)
    assert not looking.ready()
    for keeper in keepers:
        keeper.on_connection()

    assert looking.get(timeout=30) == "pa"


def test_who_is_back_first_takes_no_name_of_one_that_is_about_to_bring_it_back(
    broken: Restarted, join_broken: Join
) -> None:
    a, b = owning(join_broken)
    bucket = keeper_of(a).bucket
    # Of a cluster whose servers were all started anew the bucket is there, but empty.
    assert bucket.call(f"STREAM.PURGE.{bucket.stream}", b"").error is None

    keeper_of(b).on_connection()
    claiming = gevent.spawn(b.engine.claim, "n", "pb")
    looking = gevent.spawn(b.engine.lookup, "n")
    claiming.join(0.1)
    assert not claiming.ready()
    keeper_of(a).on_connection()

    assert claiming.get(timeout=30) == "pa"
    assert looking.get(timeout=30) == "pa"
    assert a.engine.holds("n", "pa")
    assert ("n", None) not in a.sink.names


def test_a_stream_whose_leader_is_not_there_yet_is_waited_for_at_the_start(
    broken: Restarted, join_broken: Join
) -> None:
    keeper = keeper_of(join_broken("a"))
    assert keeper.bucket.call(f"STREAM.DELETE.{keeper.bucket.stream}", b"").error is None
    keeper.lease.renew_at = 0.0

    error = keeper._try_step(time.monotonic() - 20)

    assert isinstance(error, NobodyAnswers)


def test_a_row_that_was_brought_back_by_a_try_that_failed_is_kept(
    broken: Restarted, join_broken: Join
) -> None:
    a = join_broken("a")
    a.engine.claim("n", "pa")
    keeper = keeper_of(a)
    before = keeper.lease.claims["n"].revision

    keeper._lose_rows()
    keeper.on_connection()
    wait_for(lambda: not keeper._is_lost)

    assert a.engine.holds("n", "pa")
    assert keeper.lease.claims["n"].revision > before
    assert ("n", None) not in a.sink.names


def test_a_node_without_the_server_for_long_counts_all_as_gone_and_begins_anew(
    broken: Restarted, join_broken: Join
) -> None:
    a, b = owning(join_broken)

    broken.kill()
    a.sink.wait_told("down", "b", "i1", "unreachable")
    b.sink.wait_told("down", "a", "i1", "unreachable")

    assert a.sink.names == [("n", "pa"), ("n", None)]
    assert not a.engine.holds("n", "pa")
    assert a.engine.nodes() == ()
    assert a.engine.me == Member("a", "i1-1")
    broken.start()
    a.sink.wait_told("up", "b", "i1-1")
    b.sink.wait_told("up", "a", "i1-1")
    assert a.sink.told[-2:] == [("engine", True), ("up", "b", "i1-1")]
    assert b.engine.claim("n", "pb") == "pb"
    assert a.engine.send("b", b"of a new life")
    wait_for(lambda: b.sink.frames)


def test_a_server_that_stands_still_lets_nothing_grow(broken: Restarted, join_broken: Join) -> None:
    a, b = join_broken("a"), join_broken("b")
    meet(a, b)
    frame = b"x" * 100_000

    os.kill(broken.server.pid, signal.SIGSTOP)
    taken = 0
    while a.engine.send("b", frame):
        taken += 1
        gevent.sleep(0)

    assert 0 < taken * len(frame) <= MAX_SIZE * 2
    assert a.engine.counters["outbox full"] == 1
    with pytest.raises(EngineError):
        a.engine.claim("n", "pa")
    a.sink.wait_told("engine", False)
    a.sink.wait_told("down", "b", "i1", "unreachable")
    os.kill(broken.server.pid, signal.SIGCONT)
    a.sink.wait_told("engine", True, timeout=30)
    assert a.engine.claim("n", "pa") == "pa"


def test_a_node_that_does_not_read_keeps_nothing_from_the_others(
    nats_server: DevelopmentServer, join_nats: Join, app: str, tmp_path: Path
) -> None:
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    with Child(tmp_path, nats_server.url, app, "slow") as child:
        child.wait_for("ready")
        a.sink.wait_told("up", "slow", "i1")
        child.signal(signal.SIGSTOP)

        sent = 0
        while ("down", "slow", "i1", "silent") not in a.sink.told:
            if a.engine.send("slow", b"x" * 20_000) and a.engine.send("b", b"%d" % sent):
                sent += 1
            gevent.sleep(0.001)

        wait_for(lambda: len(b.sink.frames) == sent)
    assert b.sink.data() == [b"%d" % number for number in range(sent)]
    assert ("down", "b", "i1", "silent") not in a.sink.told


def test_hostile_messages_are_counted_and_nothing_is_raised(
    nats_server: DevelopmentServer,
    join_nats: Join,
    app: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    hostile = Client(parse_address(nats_server.url), Owner())
    hostile.start()
    chance = random.Random(7)
    own = Subjects(app, Member("a", "i1"))
    heads = [own.own + b".c.", own.own + b".f.", own.own + b".r.", own.own + b".k."]
    heads += [own.prefix + b"b.", b"$SYS.ACCOUNT.", f"$KV.gr_{token_of(app)}_names.n.".encode()]
    words = [b"b.i1", b"=.=", b"x", b"a.i1", b"=FF.1", b"X.DISCONNECT", b"z"]

    for _ in range(20_000):
        subject = chance.choice(heads) + chance.choice(words)
        data = chance.choice((b"", b"hello", b"back", b"{}", b"[[", chance.randbytes(20)))
        while not hostile.publish(subject, data):
            gevent.sleep(0.001)
    hostile.flush(10)
    hostile.stop()

    assert a.engine.send("b", b"still here")
    wait_for(lambda: ("a", b"still here", None) in b.sink.frames)
    assert a.engine.claim("fine", "pa") == "pa"
    wait_for(lambda: b.engine.lookup("fine") == "pa")
    assert "Traceback" not in caplog.text
    assert a.engine.counters["foreign subject"] > 1000
    assert a.engine.counters["unknown word"] > 100
    assert a.engine.counters["handler failed"] == 0


def test_a_node_that_was_taken_for_dead_begins_anew(join_nats: Join, app: str) -> None:
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    a.engine.claim("n", "pa")
    assert isinstance(b.engine, NatsEngine)
    membership = b.engine._membership

    membership._take(membership.roster.end(Member("a", "i1"), "silent"))

    b.sink.wait_told("up", "a", "i1-1")
    a.sink.wait_told("down", "b", "i1", "unreachable")
    wait_for(lambda: Member("b", "i1") in a.engine.nodes())
    assert not a.engine.holds("n", "pa")
    assert a.sink.names[-1] == ("n", None)


def test_a_name_that_nobody_answers_for_is_swept(join_nats: Join) -> None:
    a, b = owning(join_nats)
    assert isinstance(a.engine, NatsEngine)

    # As if the answer to the claim had been lost.
    a.engine._names.keeper.lease.claims.clear()

    wait_for(lambda: b.sink.names == [("n", "pa"), ("n", None)])
    assert b.engine.claim("n", "pb") == "pb"


def test_a_hole_in_the_changes_of_names_is_noticed_and_filled(join_nats: Join) -> None:
    a, b = join_nats("a"), join_nats("b")
    assert isinstance(b.engine, NatsEngine)
    feed = b.engine._names.keeper._feed

    # As if a change had been lost on its way.
    feed._seen -= 1
    a.engine.claim("n", "pa")

    wait_for(lambda: b.sink.names == [("n", "pa")])
    assert b.engine.counters["names: holes"] == 1


def test_many_names_come_to_who_joins_late(join_nats: Join) -> None:
    a = join_nats("a")
    names, owner = [f"n{number}" for number in range(1500)], "p" * 2000

    def claim(part: list[str]) -> None:
        for name in part:
            a.engine.claim(name, owner)

    gevent.joinall([gevent.spawn(claim, names[start::50]) for start in range(50)])
    b = join_nats("b")

    wait_for(lambda: len(b.sink.names) == len(names))
    assert {name for name, _ in b.sink.names} == set(names)


def test_two_processes_of_one_name_are_told_apart(
    join_nats: Join, caplog: pytest.LogCaptureFixture
) -> None:
    first = join_nats("a", "one")
    join_nats("a", "two")

    wait_for(lambda: first.engine.counters["name clash"])

    assert "another process is node 'a' too; give each a name of its own" in caplog.text


def test_an_engine_cannot_start_without_its_server(broken: Restarted, app: str) -> None:
    broken.kill()

    with pytest.raises(EngineError, match=r"cluster engine nats://greenrelay:\*\*\*@127.0.0.1:"):
        NatsEngine(parse_address(broken.url), app).start(Member("a", "i1"), Recorder())


@pytest.fixture
def join_patient(nats_server: DevelopmentServer, app: str) -> Iterator[Join]:
    """Start an engine that waits for a node to come back as long as a busy machine may take."""
    address, timing = parse_address(nats_server.url), Timing(suspicion=3.0)
    yield from joining(lambda: NatsEngine(address, app, timing=timing))


def test_a_connection_that_is_back_in_time_is_no_death(join_patient: Join) -> None:
    a, b = join_patient("a"), join_patient("b")
    meet(a, b)
    assert isinstance(b.engine, NatsEngine)
    assert b.engine.claim("n", "pb") == "pb"

    client = b.engine._client
    for _ in range(5):
        # The other one hears of the new connection before this one knows that it is there.
        wait_for(lambda: client.is_connected)
        client.reconnect("of a test")
        a.sink.wait_told("gap", "b")
        a.sink.told.remove(("gap", "b"))

    assert [each for each in a.sink.told if each[0] == "down"] == []
    assert b.engine.holds("n", "pb")
    # The first try comes long before the news of the closed connection count.
    assert Patience().first_backoff < Timing().suspicion / 10


@pytest.mark.parametrize("kill", [gevent.GreenletExit, gevent.Timeout], ids=["kill", "timeout"])
def test_names_whose_claims_are_broken_off_are_free_at_once(
    join_nats: Join, kill: type[BaseException]
) -> None:
    """a name goes with its process"""
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    keeper = keeper_of(a)
    # It would find the rows, too, if a while later.
    assert keeper._greenlet is not None
    keeper._greenlet.kill()
    names = [f"n{number}" for number in range(50)]

    for name in names:
        broken_off(a, name, kill)

    # The rows were there: what had been sent when it was broken off has arrived.
    wait_for(lambda: len(b.sink.names) == 2 * len(names))
    assert set(b.sink.names) == {(name, who) for name in names for who in ("pa", None)}
    assert {b.engine.claim(name, "pb") for name in names} == {"pb"}
    # They were not given up with all that this node has.
    assert keeper.lease.is_valid(clock())
    assert not keeper.claiming


def test_what_is_claimed_again_at_once_is_not_taken_away_with_a_claim_that_was_broken_off(
    join_nats: Join,
) -> None:
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    names = [f"n{number}" for number in range(50)]

    for name in names:
        broken_off(a, name, gevent.GreenletExit)
        assert a.engine.claim(name, "next") == "next"

    wait_until_answered(a)
    assert all(a.engine.holds(name, "next") for name in names)
    assert {b.engine.lookup(name) for name in names} == {"next"}


def test_a_claim_that_is_broken_off_takes_nothing_from_the_one_that_was_first(
    join_nats: Join,
) -> None:
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    names = [f"n{number}" for number in range(50)]

    for name in names:
        first = gevent.spawn(a.engine.claim, name, "first")
        gevent.sleep(0)
        broken_off(a, name, gevent.GreenletExit)
        assert first.get(timeout=30) == "first"

    wait_until_answered(a)
    assert all(a.engine.holds(name, "first") for name in names)
    assert {b.engine.lookup(name) for name in names} == {"first"}


def test_a_claim_that_is_broken_off_takes_nothing_from_another_node(join_nats: Join) -> None:
    a, b = owning(join_nats)

    for _ in range(20):
        broken_off(b, "n", gevent.GreenletExit)

    wait_until_answered(b)
    assert a.engine.holds("n", "pa")
    assert b.engine.claim("n", "pb") == "pa"


def test_an_engine_that_stops_does_no_more_for_a_claim_that_was_broken_off(
    join_nats: Join,
) -> None:
    """no greenlet outlives its process"""
    a, b = join_nats("a"), join_nats("b")
    meet(a, b)
    broken_off(a, "n", gevent.GreenletExit)

    a.engine.stop()

    assert b.engine.claim("n", "pb") == "pb"


def test_nothing_is_done_for_a_claim_that_is_broken_off_while_the_server_is_away(
    broken: Restarted, join_broken: Join
) -> None:
    """no greenlet outlives its process"""
    a = join_broken("a")
    broken.kill()
    a.sink.wait_told("engine", False)

    broken_off(a, "n", gevent.GreenletExit)
    a.engine.stop()

    assert not keeper_of(a).claiming


def test_a_name_that_cannot_be_told_is_refused_and_leaves_nothing_to_do(
    join_nats: Join, capfd: pytest.CaptureFixture[str]
) -> None:
    a = join_nats("a")

    with pytest.raises(ValueError, match="surrogates"):
        a.engine.claim("\ud800", "pa")

    wait_until_answered(a)
    assert "Traceback" not in capfd.readouterr().err


def broken_off(node: Node, name: str, kill: type[BaseException]) -> None:
    """Claim a name in a greenlet that is ended while it waits for the server's answer."""
    claiming = gevent.spawn(node.engine.claim, name, "pa")
    before = keeper_of(node).claiming[name]
    # It runs until it waits, and no answer has been read meanwhile.
    gevent.sleep(0)
    assert keeper_of(node).claiming[name] == before + 1
    claiming.kill(kill)
    assert isinstance(claiming.exception or claiming.value, kill)


def wait_until_answered(node: Node) -> None:
    """Wait until the server has answered all that a node has asked, and what came of that."""
    requests = keeper_of(node).bucket.client._requests
    for number in range(2):
        wait_for(lambda: not len(requests))
        node.engine.claim(f"answered {number}", "pa")
