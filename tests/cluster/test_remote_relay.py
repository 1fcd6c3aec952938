from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

import greenrelay as gr
from greenrelay.web import relay, stream
from tests.cluster.joined import Joined, Wire, counts
from tests.probe import Probe, assert_event, assert_receive, wait_for
from tests.relaying import Bench, relaying
from tests.serving import WebSocketClient, http
from tests.streaming import streaming


@pytest.fixture
def there(joined: Joined) -> Probe:
    """The target, on a node of its own."""
    return joined.probe(joined.add("two"))


@pytest.fixture
def bench(joined: Joined, there: Probe) -> Iterator[Bench]:
    """A served app whose view relays to the target on the other node."""
    with relaying(lambda bench: relay(there.pid, metadata={"room": 1})) as bench:
        bench.node.join_cluster(Wire(joined.bus))
        joined.nodes.append(bench.node)
        joined.see_each_other()
        yield bench
        joined.nodes.remove(bench.node)


def client_of(bench: Bench) -> AbstractContextManager[WebSocketClient]:
    return bench.connect()


def test_a_client_is_relayed_to_a_target_on_another_node(bench: Bench, there: Probe) -> None:
    """a relay's target may live on another node"""
    with client_of(bench) as client:
        join = assert_receive(there, topic="ws.join").payload
        client.send("hello")
        message = assert_receive(there, topic="ws.message").payload
        there.do(gr.send, join["client_pid"], "ws.send", "welcome")

        assert client.recv() == "welcome"
        assert (message["data"], message["metadata"]) == ("hello", {"room": 1})
    leave = assert_receive(there, topic="ws.leave").payload
    assert leave["client_pid"] == join["client_pid"]


def test_the_connection_closes_when_the_target_ends(bench: Bench, there: Probe) -> None:
    with client_of(bench) as client:
        assert_receive(there, topic="ws.join")

        there.close()

        assert client.wait_closed()[0] == 1000


def test_the_connection_closes_when_the_node_of_the_target_is_gone(
    joined: Joined, bench: Bench, there: Probe
) -> None:
    with client_of(bench) as client:
        assert_receive(there, topic="ws.join")

        joined.crash(there.node)

        assert client.wait_closed()[0] == 1011


def test_a_connection_is_transferred_to_another_node(
    joined: Joined, bench: Bench, there: Probe
) -> None:
    """a connection may be transferred to one"""
    three = joined.probe(joined.add("three"))
    with client_of(bench) as client:
        client_pid = assert_receive(there, topic="ws.join").payload["client_pid"]

        there.do(gr.send, client_pid, "ws.control", {"target_pid": three.pid})

        assert assert_receive(three, topic="ws.join").payload["client_pid"] == client_pid
        assert assert_receive(there, topic="ws.leave").payload["reason"] == "transfer"
        assert assert_receive(there, topic="ws.control.done").payload["target_pid"] == three.pid
        client.send("to three")
        assert assert_receive(three, topic="ws.message").payload["data"] == "to three"
        there.close()
        three.do(gr.send, client_pid, "ws.send", "still there")
        assert client.recv() == "still there"


UNSENDABLE = pytest.mark.parametrize("metadata", [{"n": 2**70}, {"text": "\ud800"}])


@UNSENDABLE
def test_metadata_that_cannot_travel_is_refused_by_the_header(
    joined: Joined, there: Probe, metadata: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """unknown or wrong field: 500; the log names the view, the field, the rule"""
    with relaying(lambda bench: relay(there.pid, metadata=metadata)) as bench:
        bench.node.join_cluster(Wire(joined.bus))
        joined.nodes.append(bench.node)
        joined.see_each_other()

        assert bench.refusal().status == 500

        joined.nodes.remove(bench.node)
    assert "it must be able to leave its node: payload" in caplog.text
    assert there.items == []


@UNSENDABLE
def test_metadata_that_cannot_travel_is_refused_for_a_stream_too(
    joined: Joined, there: Probe, metadata: dict[str, object]
) -> None:
    with streaming(lambda bench: stream(target_pid=there.pid, metadata=metadata)) as bench:
        bench.node.join_cluster(Wire(joined.bus))
        joined.nodes.append(bench.node)
        joined.see_each_other()

        assert http(bench.address, "/events")[0] == 500

        joined.nodes.remove(bench.node)


def test_metadata_that_cannot_travel_is_an_error_of_the_control(bench: Bench, there: Probe) -> None:
    """A bad payload is an error at the sender"""
    with client_of(bench) as client:
        client_pid = assert_receive(there, topic="ws.join").payload["client_pid"]

        with pytest.raises(gr.InvalidRelayCommand, match="metadata"):
            bench.target.do(gr.send, client_pid, "ws.control", {"metadata": {"o": object()}})

        client.send("still relayed")
        assert assert_receive(there, topic="ws.message").payload["metadata"] == {"room": 1}


def test_a_close_reason_that_is_no_text_is_an_error_at_the_sender(
    bench: Bench, there: Probe
) -> None:
    """A bad payload is an error at the sender"""
    with client_of(bench) as client:
        client_pid = assert_receive(there, topic="ws.join").payload["client_pid"]

        with pytest.raises(TypeError, match=r"reason of 'ws\.close'"):
            bench.target.do(gr.send, client_pid, "ws.close", {"code": 4000, "reason": "a\ud800"})

        there.do(gr.send, client_pid, "ws.close", {"code": 4000, "reason": "bye"})
        assert client.wait_closed() == (4000, "bye")
        assert assert_receive(there, topic="ws.leave").payload["reason"] == "bye"


def test_a_target_lets_a_client_of_another_node_join_its_room(bench: Bench, there: Probe) -> None:
    """Every function of process.md works on a remote PID"""
    with client_of(bench) as client:
        client_pid = assert_receive(there, topic="ws.join").payload["client_pid"]

        there.do(gr.join, "room", client_pid)

        assert there.do(gr.broadcast, "room", "ws.send", "to all") == 1
        assert client.recv() == "to all"


def test_the_target_can_monitor_its_client(bench: Bench, there: Probe) -> None:
    with client_of(bench) as client:
        client_pid = assert_receive(there, topic="ws.join").payload["client_pid"]
        there.do(gr.monitor, client_pid)
        client.close(1000, "bye")

    assert assert_event(there, kind="EXIT").pid == client_pid


def test_a_broadcast_reaches_clients_of_other_nodes(bench: Bench, there: Probe) -> None:
    with client_of(bench) as client:
        client_pid = assert_receive(there, topic="ws.join").payload["client_pid"]
        bench.target.do(gr.join, "room", client_pid)
        wait_for(lambda: there.do(gr.groups) == ("room",))

        assert there.do(gr.broadcast, "room", "ws.send", "to all") == 1

        assert client.recv() == "to all"


def test_a_stream_that_ends_with_the_node_that_follows_its_group_is_told_of(
    joined: Joined, there: Probe
) -> None:
    """exactly one EXIT ``noconnection`` per monitor"""
    with streaming(lambda bench: stream(target_pid=there.pid)) as bench:
        bench.node.join_cluster(Wire(joined.bus))
        joined.nodes.append(bench.node)
        joined.see_each_other()
        here = joined.probe(bench.node)
        with bench.listen():
            pid = assert_receive(there, topic="sse.join").payload["client_pid"]
            here.do(gr.join, "room", pid)
            here.do(gr.monitor, pid)
            here.do(gr.monitor, there.pid)
            wait_for(lambda: there.do(gr.members, "room") == (pid,))

            joined.crash(there.node)

            assert assert_event(here, kind="EXIT", pid=there.pid).result.reason == "noconnection"
            assert_event(here, kind="EXIT", pid=pid)
            assert here.do(gr.members, "room") == ()
            assert "failed" not in counts(bench.node)
        joined.nodes.remove(bench.node)


def test_nothing_is_left_on_the_node_of_the_target(bench: Bench, there: Probe) -> None:
    with client_of(bench):
        assert_receive(there, topic="ws.join")
    assert_receive(there, topic="ws.leave")

    wait_for(lambda: not len(there.node.topology))


def test_a_client_whose_target_cannot_be_told_more_is_not_read(bench: Bench, there: Probe) -> None:
    """Never an unbounded queue: what a full way to another node refuses waits at the client."""
    link = bench.node.cluster.links[there.node.id]  # type: ignore[union-attr]
    with client_of(bench) as client:
        assert_receive(there, topic="ws.join")
        wait_for(lambda: not len(link.session))
        link.session.max_frames = 2
        for number in range(300):
            client.send(str(number))

        got = [assert_receive(there, topic="ws.message").payload["data"] for _ in range(300)]

        assert got == [str(number) for number in range(300)]
