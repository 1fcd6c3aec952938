"""One room on several workers, which are nodes of one OS process here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app import lobby, report, report_board
from greenrelay import Node, call, lookup, members, send, whereis
from greenrelay.cluster.local import Bus, LocalEngine
from greenrelay.core.message import Message
from tests.app.client import join, say
from tests.probe import Probe, assert_receive, wait_for

JPEG = b"\xff\xd8\xff"


class Client:
    """Somebody whose connection is on one worker; ``room`` is the process that has it."""

    def __init__(self, node: Node, nick: str, room: str) -> None:
        self.probe = Probe(node)
        self.room = open_room(self.probe, room)
        self.probe.do(join, self.room, nick)
        self.welcome = self.frame("welcome")
        self.people = names(self.welcome)

    def says(self, data: object, kind: str = "text") -> None:
        """Send a frame, as a browser does."""
        self.probe.do(say, self.room, data, kind)

    def frame(self, kind: str, holds: Callable[[Any], object] = lambda frame: True) -> Any:
        """Wait for a frame of that type, and of what it holds; return it."""

        def is_it(item: object) -> bool:
            frame = read(item)
            return frame["type"] == kind and bool(holds(frame))

        found = self.probe.take(is_it, "3s")
        assert found is not None, f"no {kind}\n{self.probe.describe()}"
        return read(found)

    def sees(self, *nicks: str) -> None:
        """Wait until these are the people of the room."""
        while sorted(self.people) != sorted(nicks):
            self.people = names(self.frame("people"))


def read(item: object) -> Any:
    if not isinstance(item, Message) or item.topic != "ws.send":
        return {"type": ""}
    payload: Any = item.payload
    return json.loads(payload["data"]) if payload["type"] == "text" else {"type": "binary"}


def names(frame: Any) -> list[str]:
    return [each["nick"] for each in frame["people"]]


def open_room(probe: Probe, name: str) -> str:
    return str(probe.do(call, lobby.NAME, "lobby.open", name))


class System:
    """Workers that are one system, each with a lobby."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.nodes: list[Node] = []
        self.clients: list[Client] = []

    def add_node(self) -> Node:
        """Start one more worker."""
        node = Node(cluster=LocalEngine(self.bus))
        self.nodes.append(node)
        node.spawn(lobby.run)
        wait_for(lambda: all(node.run(whereis, lobby.NAME) for node in self.nodes))
        return node

    def client(self, node: Node, nick: str, room: str = "tea") -> Client:
        """Let somebody come in."""
        client = Client(node, nick, room)
        self.clients.append(client)
        return client

    def close(self) -> None:
        """End all."""
        for client in self.clients:
            client.probe.close()
        for node in self.nodes:
            node.shutdown(1.0)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """No worker yet."""
    monkeypatch.setattr(lobby, "HOST", None)
    system = System()
    yield system
    system.close()


@pytest.fixture
def ann(system: System) -> Client:
    """Somebody on one worker."""
    return system.client(system.add_node(), "Ann")


@pytest.fixture
def ben(system: System, ann: Client) -> Client:
    """Somebody on another worker; both have seen each other."""
    ben = system.client(system.add_node(), "Ben")
    ann.sees("Ann", "Ben")
    ben.sees("Ann", "Ben")
    return ben


def test_a_room_is_a_process_on_each_worker(ann: Client, ben: Client) -> None:
    assert ann.room.partition("@")[0] != ben.room.partition("@")[0]
    assert ann.room == ann.welcome["room_pid"]
    assert ben.room == ben.welcome["room_pid"]


def test_what_is_said_on_one_worker_is_heard_on_another(ann: Client, ben: Client) -> None:
    ben.says({"type": "say", "text": "hello"})

    assert ann.frame("message")["message"]["nick"] == "Ben"
    assert ben.frame("message")["message"]["text"] == "hello"


def test_a_picture_crosses_with_its_bytes(ann: Client, ben: Client) -> None:
    header = json.dumps({"mime": "image/jpeg", "caption": "hills"}).encode()

    ben.says(len(header).to_bytes(2, "big") + header + JPEG, "binary")

    assert ann.frame("message")["message"]["text"] == "hills"
    ann.frame("binary")


def test_who_writes_is_shown_on_the_other_worker(ann: Client, ben: Client) -> None:
    ben.says({"type": "typing"})

    assert ann.frame("typing")["nick"] == "Ben"


def test_who_leaves_is_gone_on_the_other_worker(ann: Client, ben: Client) -> None:
    ben.probe.do(send, ben.room, "ws.leave", {"client_pid": ben.probe.pid, "reason": "closed"})

    ann.sees("Ann")
    ann.frame("notice", lambda frame: frame["text"] == "Ben left")


def test_the_people_of_a_dead_worker_are_gone(system: System, ann: Client, ben: Client) -> None:
    system.bus.crash(system.nodes[1].id)

    ann.sees("Ann")
    ann.frame("notice", lambda frame: frame["text"] == "Ben: lost, with a whole worker")


def test_workers_that_had_lost_each_other_meet_again(
    system: System, ann: Client, ben: Client
) -> None:
    away = system.nodes[1].id
    system.bus.cut(away)
    ann.sees("Ann")
    ben.sees("Ben")

    system.bus.mend(away)

    ann.sees("Ann", "Ben")
    ben.sees("Ann", "Ben")


def test_workers_tell_each_other_what_was_said_before_they_met(
    system: System, ann: Client, ben: Client
) -> None:
    away = system.nodes[1].id
    system.bus.cut(away)
    ann.sees("Ann")
    ben.sees("Ben")
    ann.says({"type": "say", "text": "one"})
    ann.frame("message")
    ben.says({"type": "say", "text": "two"})
    ben.frame("message")

    system.bus.mend(away)

    for client in (ann, ben):
        told = client.frame("welcome", lambda frame: len(frame["history"]) == 2)
        assert [each["text"] for each in told["history"]] == ["one", "two"]


def test_who_comes_late_is_told_what_was_said(system: System, ann: Client) -> None:
    ann.says({"type": "say", "text": "early"})
    ann.frame("message")

    cleo = system.client(system.add_node(), "Cleo")

    told = cleo.welcome
    if not told["history"]:
        # The lobbies had not met yet when she came.
        told = cleo.frame("welcome")
    assert [each["text"] for each in told["history"]] == ["early"]


def test_a_name_is_taken_on_all_workers(system: System, ann: Client, ben: Client) -> None:
    other = system.client(system.nodes[1], "Ann")

    assert other.welcome["nick"] == "Ann 2"


def test_a_crash_ends_the_room_on_all_workers_and_counts_once(
    system: System, ann: Client, ben: Client
) -> None:
    ann.says({"type": "crash"})

    wait_for(lambda: not is_alive(system, ann.room) and not is_alive(system, ben.room))
    for node in system.nodes:
        again = system.client(node, "Cleo").welcome
        assert [each["text"].partition(" and ")[0] for each in again["history"]] == [
            "This room has crashed once"
        ]


def test_the_lobby_counts_the_people_of_all_workers(ann: Client, ben: Client) -> None:
    for client in (ann, ben):
        client.frame("rooms", lambda frame: frame["rooms"] == [{"room": "tea", "people": 2}])


def test_a_lobby_that_is_started_again_finds_the_others(
    system: System, ann: Client, ben: Client
) -> None:
    node = system.nodes[1]
    node.terminate(node.run(lookup, lobby.NAME))
    ann.sees("Ann")

    node.spawn(lobby.run)
    wait_for(lambda: node.run(whereis, lobby.NAME))

    system.client(node, "Cleo").sees("Ann", "Cleo")


def test_a_board_shows_the_reports_of_all_workers(system: System, ann: Client, ben: Client) -> None:
    here, there = system.nodes
    board = here.spawn(report_board.run)
    ann.probe.do(send, board, "sse.join", {"client_pid": ann.probe.pid})
    wait_for(lambda: there.run(members, report.BOARD))
    job = there.spawn(report.run, "Far away")
    ben.probe.do(send, job, "sse.join", {"client_pid": ben.probe.pid})
    wait_for_report(ann, "running")

    system.bus.crash(there.id)

    wait_for_report(ann, "cancelled")


def wait_for_report(client: Client, state: str) -> None:
    while True:
        lines = assert_receive(client.probe, topic="reports", timeout="3s").payload
        if [(line["title"], line["state"]) for line in lines] == [("Far away", state)]:
            return


def is_alive(system: System, room: str) -> bool:
    return any(room in node.processes for node in system.nodes)
