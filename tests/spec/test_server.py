"""Processes, "Servers: processes that cost nothing while idle"."""

from collections.abc import Callable
from typing import Any

import pytest
from greenlet import getcurrent

import greenrelay as gr
from greenrelay.runtime.server import REPLY_LATER, RelayTarget, Server, stop
from tests.probe import Probe, assert_receive, wait_for


class Adder(Server):
    def init(self, start: int = 0) -> None:
        self.total = start
        self.events: list[gr.Event] = []

    def handle_message(self, message: gr.Message) -> object:
        if message.topic == "stop":
            return stop(str(message.payload))
        if message.topic == "crash":
            raise RuntimeError("on purpose")
        assert isinstance(message.payload, int)
        self.total += message.payload
        return None

    def handle_call(self, message: gr.Message) -> object:
        if message.topic == "worker":
            return id(getcurrent())
        if message.topic == "finish":
            return stop(reply=self.total)
        return self.total


def greenlet_of(node: gr.Node, pid: str) -> object:
    return node.processes[pid].greenlet


def test_spawn_of_a_class_runs_a_server_with_a_pid_like_any_other(node: gr.Node) -> None:
    """`spawn(Room, …)` runs one; PID, inbox, links, monitors and everything else are the same."""

    def main() -> tuple[int, str]:
        pid = gr.spawn_monitored(Adder, 40, name="adder")
        gr.send("adder", "add", 2)
        total = gr.call(pid, "total")
        gr.cancel(pid)
        event = gr.receive(timeout=1)
        assert isinstance(event, gr.Exit)
        return total, event.result.reason

    assert node.run(main) == (42, "shutdown")


def test_a_server_has_a_greenlet_only_while_its_inbox_holds_something(node: gr.Node) -> None:
    """… that borrows a greenlet from a pool only while its inbox holds something"""
    pid = node.spawn(Adder)

    node.run(gr.call, pid, "total")

    assert greenlet_of(node, pid) is None
    node.terminate(pid)


def test_handlers_may_block_and_others_go_on(node: gr.Node, probe: Probe) -> None:
    """handlers may block"""

    class Slow(Server):
        def handle_message(self, message: gr.Message) -> None:
            reply = gr.call(probe.pid, "question", timeout=1)
            gr.send(probe.pid, "got", reply)

    slow = node.spawn(Slow)
    other = node.spawn(Adder, 1)
    node.send(slow, "go")
    question = assert_receive(probe, topic="question")

    assert node.run(gr.call, other, "total") == 1
    assert greenlet_of(node, slow) is not None
    probe.do(gr.reply, question, "answer")
    assert assert_receive(probe, topic="got").payload == "answer"
    node.terminate(slow)
    node.terminate(other)


@pytest.mark.parametrize(
    ("reason", "is_normal"), [("normal", True), ("shutdown", True), ("bored", False)]
)
def test_a_handler_returns_stop_to_end_its_server(
    node: gr.Node, probe: Probe, reason: str, is_normal: bool
) -> None:
    """… return `stop(reason)`"""
    pid = probe.do(gr.spawn_monitored, Adder)
    node.send(pid, "stop", reason)

    result = assert_receive(probe, kind="EXIT").result
    assert (result.reason, result.is_normal) == (reason, is_normal)


def test_stop_can_carry_the_reply_of_a_call(node: gr.Node) -> None:
    pid = node.spawn(Adder, 5)

    assert node.run(gr.call, pid, "finish") == 5


def test_a_handler_may_leave_a_reply_for_later(node: gr.Node, probe: Probe) -> None:
    """… or leave a reply for later"""

    class Desk(Server):
        def init(self) -> None:
            self.waiting: list[gr.Message] = []

        def handle_call(self, message: gr.Message) -> object:
            self.waiting.append(message)
            return REPLY_LATER

        def handle_message(self, message: gr.Message) -> object:
            for waiting in self.waiting:
                gr.reply(waiting, message.payload)
            return stop()

    pid = node.spawn(Desk)

    def ask() -> object:
        gr.send_after(0.01, pid, "open", "at last")
        return gr.call(pid, "may I?")

    assert node.run(ask) == "at last"


def test_a_handler_that_raises_ends_its_server_and_the_caller_hears_of_it(
    node: gr.Node, probe: Probe
) -> None:
    class Fragile(Server):
        def handle_call(self, message: gr.Message) -> object:
            raise RuntimeError("on purpose")

    pid = probe.do(gr.spawn_monitored, Fragile)

    with pytest.raises(gr.ProcessDown, match="RuntimeError: on purpose"):
        node.run(gr.call, pid, "anything")
    error = assert_receive(probe, kind="EXIT").result.error
    assert error is not None
    assert (error.type, error.message) == ("RuntimeError", "on purpose")


def test_a_failing_init_is_a_crash(node: gr.Node, probe: Probe) -> None:
    pid = probe.do(gr.spawn_monitored, Adder, "one", "too many")

    result = assert_receive(probe, kind="EXIT").result
    assert result.error is not None
    assert result.error.type == "TypeError"
    assert node.send(pid, "add", 1) is False


def test_events_have_a_handler_and_a_link_ends_a_server_that_does_not_trap(
    node: gr.Node, probe: Probe
) -> None:
    class Watcher(Server):
        def init(self, trap_links: bool, peer: str) -> None:
            gr.set_options(trap_links=trap_links)
            gr.link(peer)

        def handle_event(self, event: gr.Event) -> object:
            gr.send(probe.pid, "noted", event.kind)
            return super().handle_event(event)

    peer = node.spawn(Adder)
    trapping = probe.do(gr.spawn_monitored, Watcher, True, peer)
    plain = probe.do(gr.spawn_monitored, Watcher, False, peer)
    node.run(gr.call, peer, "total")
    node.send(peer, "crash")

    assert assert_receive(probe, topic="noted").payload == "LINK_DOWN"
    assert assert_receive(probe, kind="EXIT").pid == plain
    assert trapping in node.processes
    node.terminate(trapping)


@pytest.mark.parametrize("how", ["stop", "crash", "kill while idle", "kill at work", "cancel"])
def test_terminate_is_called_last_however_it_ends(node: gr.Node, probe: Probe, how: str) -> None:
    noted: list[str] = []

    class Careful(Adder):
        def handle_message(self, message: gr.Message) -> object:
            if message.topic == "work":
                gr.receive("never")
            return super().handle_message(message)

        def terminate(self, reason: str) -> None:
            noted.append(reason)

    def kill_at_work() -> None:
        node.send(pid, "work")
        wait_for(lambda: greenlet_of(node, pid) is not None)
        node.terminate(pid)

    pid = probe.do(gr.spawn_monitored, Careful)
    node.run(gr.call, pid, "total")
    ways: dict[str, Callable[[], object]] = {
        "stop": lambda: node.send(pid, "stop", "normal"),
        "crash": lambda: node.send(pid, "crash"),
        "kill while idle": lambda: node.terminate(pid),
        "kill at work": kill_at_work,
        "cancel": lambda: node.run(gr.cancel, pid),
    }
    ways[how]()

    result = assert_receive(probe, kind="EXIT").result
    assert noted == [result.reason]


def test_a_killed_idle_server_ends_at_once_and_takes_no_message(node: gr.Node) -> None:
    pid = node.spawn(Adder)
    node.run(gr.call, pid, "total")

    node.terminate(pid)

    assert node.send(pid, "add", 1) is False
    assert pid not in node.processes


def test_a_server_killed_before_its_first_line_never_begins(node: gr.Node, probe: Probe) -> None:
    begun: list[int] = []

    class Late(Server):
        def init(self) -> None:
            begun.append(1)

    def start_and_kill() -> None:
        gr.terminate(gr.spawn_monitored(Late))

    probe.do(start_and_kill)

    assert assert_receive(probe, kind="EXIT").result.reason == "killed"
    assert begun == []


def test_messages_come_in_order_and_a_busy_server_lets_others_go_first(node: gr.Node) -> None:
    class Recorder(Server):
        def init(self) -> None:
            self.seen: list[object] = []

        def handle_message(self, message: gr.Message) -> None:
            self.seen.append(message.payload)

        def handle_call(self, message: gr.Message) -> object:
            return self.seen

    def main() -> object:
        pid = gr.spawn(Recorder)
        for number in range(1_000):
            gr.send(pid, "note", number)
        seen = gr.call(pid, "all")
        gr.terminate(pid)
        return seen

    assert node.run(main) == list(range(1_000))


def test_relay_target_names_the_relay_s_topics(node: gr.Node) -> None:
    """`RelayTarget(Server)` names the relay's topics: `on_join`, `on_message`, `on_heartbeat`,
    `on_leave`."""
    noted: list[tuple[str, Any]] = []

    class Room(RelayTarget):
        message_topic = "chat.line"

        def on_join(self, payload: dict[str, Any]) -> None:
            noted.append(("join", payload))

        def on_message(self, payload: dict[str, Any]) -> None:
            noted.append(("message", payload))

        def on_heartbeat(self, payload: dict[str, Any]) -> None:
            noted.append(("heartbeat", payload))

        def on_other(self, message: gr.Message) -> None:
            noted.append(("other", message.topic))

        def on_leave(self, payload: dict[str, Any]) -> object:
            noted.append(("leave", payload))
            return stop()

    def main() -> None:
        room = gr.spawn_monitored(Room)
        for topic in ("ws.join", "chat.line", "ws.heartbeat", "lobby.news", "ws.leave"):
            gr.send(room, topic, {"client_pid": "x"})
        gr.receive(timeout=1)

    node.run(main)
    payload = {"client_pid": "x"}
    assert noted == [
        ("join", payload),
        ("message", payload),
        ("heartbeat", payload),
        ("other", "lobby.news"),
        ("leave", payload),
    ]


def test_ten_thousand_idle_servers_end_with_the_node(node: gr.Node) -> None:
    for _ in range(10_000):
        node.spawn(Adder)
    last = node.spawn(Adder)
    node.run(gr.call, last, "total")

    node.shutdown()

    assert not node.processes
