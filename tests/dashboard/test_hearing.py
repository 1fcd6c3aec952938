"""Source: Operations, "Dashboard" ("live tail") and "Command line" (``tail PID``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import greenrelay as gr
from greenrelay.core.fifo import Fifo
from greenrelay.dashboard.hearing import Heard, Hearing
from greenrelay.runtime.function_process import FunctionProcess
from tests.probe import Probe, assert_nothing, assert_receive, end, wait_for


def texts(hearing: Hearing) -> list[str]:
    return [seen.text for seen in hearing.tail.take()[0]]


def found(node: gr.Node, pid: str) -> FunctionProcess:
    process = node.find(pid)
    assert isinstance(process, FunctionProcess)
    return process


def test_what_a_process_is_sent_is_heard_with_who_has_sent_it(node: gr.Node, probe: Probe) -> None:
    hearing = Hearing(found(node, probe.pid))

    def speak() -> gr.Pid:
        gr.send(probe.pid, "say", {"text": "tea", "token": "hush"})
        return gr.pid()

    speaker = node.run(speak)

    (heard,) = hearing.tail.take()[0]
    assert isinstance(heard, Heard)
    assert (heard.topic, heard.direction, heard.peer) == ("say", "in", speaker)
    assert heard.text == "{'text': 'tea', 'token': '***'}"
    assert assert_receive(probe, topic="say").payload == {"text": "tea", "token": "hush"}
    hearing.stop()


def test_what_waits_already_is_no_news_and_stays_in_order(node: gr.Node, reader: gr.Pid) -> None:
    node.send(reader, "say", 1)

    hearing = Hearing(found(node, reader))
    node.send(reader, "say", 2)
    heard = texts(hearing)
    hearing.stop()
    node.send(reader, "say", 3)

    assert heard == ["2"]
    assert [node.run(ask, reader) for _ in range(3)] == [1, 2, 3]


def test_what_a_process_sends_is_heard_with_whom_it_is_for(node: gr.Node, probe: Probe) -> None:
    def speak() -> None:
        gr.receive("begin")
        gr.send(probe.pid, "say", 1)
        gr.send("probe", "say", 2)
        gr.join("room", probe.pid)
        gr.broadcast("room", "say", 3)
        gr.send_after("1ms", probe.pid, "say", 4)
        gr.call(gr.spawn(answer), "say", 5)

    probe.do(gr.register, "probe")
    pid = node.spawn(speak)
    hearing = Hearing(found(node, pid))
    node.send(pid, "begin")
    wait_for(lambda: pid not in node.processes)

    sent = [each for each in hearing.tail.take()[0] if each.direction == "out"]
    assert [each.text for each in sent] == ["1", "2", "3", "4", "5"]
    peers = [each.peer for each in sent if isinstance(each, Heard)]
    assert peers[:4] == [probe.pid, "probe", "room", probe.pid]
    hearing.stop()


def test_two_may_listen_and_each_looks_away_for_itself(node: gr.Node, probe: Probe) -> None:
    process = found(node, probe.pid)
    one, other = Hearing(process), Hearing(process)

    node.send(probe.pid, "say", "both")
    one.stop()
    one.stop()
    node.send(probe.pid, "say", "one")

    assert (texts(one), texts(other)) == (["both"], ["both", "one"])
    other.stop()
    node.send(probe.pid, "say", "none")
    assert texts(other) == []
    # Nobody pays any more.
    assert type(process.mailbox.messages) is Fifo


def test_a_channel_that_came_later_is_heard_after_a_refresh(node: gr.Node) -> None:
    def listener() -> None:
        gr.receive("begin")
        news = gr.listen("news")
        gr.reply(gr.receive("ready"))
        news.receive()

    pid = node.spawn(listener)
    hearing = Hearing(found(node, pid))
    node.send(pid, "begin")
    node.run(gr.call, pid, "ready")

    hearing.refresh()
    node.send(pid, "news", "rain")

    assert texts(hearing) == ["None", "None", "rain"]
    hearing.stop()


def test_in_debug_mode_a_payload_that_was_changed_is_still_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    payload = [1]
    with gr.Node(debug=True) as node:
        pid = node.spawn(reads)
        process = found(node, pid)
        hearing = Hearing(process)
        node.send(pid, "say", payload)
        payload.append(2)
        node.run(ask, pid)
        hearing.stop()
        node.send(pid, "say", payload)
        payload.append(3)
        node.run(ask, pid)

    changed = [each for each in caplog.messages if "was changed after it was sent" in each]
    assert len(changed) == 2


def test_an_ended_process_is_listened_to_in_vain(node: gr.Node, probe: Probe) -> None:
    hearing = Hearing(found(node, probe.pid))
    node.terminate(probe.pid)

    node.send(probe.pid, "say", "nobody")

    hearing.stop()
    assert texts(hearing) == []
    assert_nothing(probe)


def reads() -> None:
    """Hand out what was said, one at each call."""
    for message in iter(lambda: gr.receive("ask"), None):
        gr.reply(message, gr.receive("say").payload)


def answer() -> None:
    """Answer one call."""
    gr.reply(gr.receive("say"))


def ask(pid: gr.Pid) -> object:
    return gr.call(pid, "ask")


@pytest.fixture
def reader(node: gr.Node) -> Iterator[gr.Pid]:
    """A process that hands out what it was sent."""
    pid = node.spawn(reads)
    yield pid
    end(node, pid)
