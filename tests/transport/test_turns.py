"""Who handles how much of what was read, and in which order."""

from __future__ import annotations

from time import monotonic
from typing import Any

import gevent
import pytest
from gevent import socket

from greenrelay.transport.turns import FRAMES, TURN, Turns
from greenrelay.websocket.client_protocol import masked
from greenrelay.websocket.frames import TEXT, encode
from tests.probe import assert_receive, wait_for
from tests.relaying import relaying

READABLE = 1


class Talker:
    """One that wants so many turns; ``log`` has whose turn it was."""

    def __init__(self, name: str, wants: int, log: list[str]) -> None:
        self.name = name
        self.wants = wants
        self.log = log

    def take_turn(self) -> bool:
        self.log.append(self.name)
        self.wants -= 1
        return self.wants > 0


class Failing(Talker):
    """One whose turn is an error."""

    def take_turn(self) -> bool:
        super().take_turn()
        raise RuntimeError("a turn that fails")


def test_those_that_wait_have_one_turn_each_before_any_has_another() -> None:
    turns = Turns()
    log: list[str] = []

    for name, wants in (("a", 3), ("b", 1), ("c", 2)):
        turns.add(Talker(name, wants, log))
    wait_for(lambda: len(log) == 6)

    assert log == ["a", "b", "c", "a", "c", "a"]


def test_nobody_has_a_turn_before_the_next_turn_of_the_loop() -> None:
    turns = Turns()
    log: list[str] = []

    turns.add(Talker("a", 1, log))

    assert log == []
    wait_for(lambda: log == ["a"])


def test_who_comes_while_others_have_turns_is_next_after_those_that_wait() -> None:
    turns = Turns()
    log: list[str] = []
    late = Talker("late", 2, log)

    class Inviting(Talker):
        def take_turn(self) -> bool:
            if self.wants == 3:
                turns.add(late)
            return super().take_turn()

    turns.add(Inviting("a", 3, log))
    turns.add(Talker("b", 2, log))
    wait_for(lambda: len(log) == 7)

    assert log == ["a", "b", "late", "a", "b", "late", "a"]


def test_sockets_are_looked_at_however_much_there_is_to_do() -> None:
    turns = Turns()
    log: list[str] = []
    ours, theirs = socket.socketpair()
    endless = Talker("a", 10**9, log)

    def stop() -> None:
        watcher.stop()
        endless.wants = 1

    watcher: Any = gevent.get_hub().loop.io(ours.fileno(), READABLE)
    with ours, theirs:
        watcher.start(stop)
        turns.add(endless)
        theirs.send(b"x")
        wait_for(lambda: endless.wants <= 0)
        watcher.close()

    assert endless.wants == 0


def test_fewer_have_a_turn_while_what_comes_of_it_takes_long() -> None:
    turns = Turns()
    log: list[str] = []
    had: list[int] = []
    loop = gevent.get_hub().loop

    def work() -> None:
        """Take as long as targets with much to do, once in each turn of the loop."""
        end = monotonic() + 3 * TURN
        while monotonic() < end:
            pass

    def count() -> None:
        had.append(len(log))
        log.clear()
        loop.run_callback(work)

    watcher: Any = loop.check()
    watcher.start(count)
    talkers = [Talker(name, 10**9, log) for name in ("a", "b", "c")]
    for talker in talkers:
        turns.add(talker)
    wait_for(lambda: len(had) > 20)
    most, least = max(had), min(had[10:])
    watcher.close()
    for talker in talkers:
        talker.wants = 1
    wait_for(lambda: not any(talker.wants for talker in talkers))

    assert 0 < least < most / 4


def test_one_whose_turn_fails_keeps_nobody_else_waiting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    turns = Turns()
    log: list[str] = []

    turns.add(Failing("bad", 1, log))
    turns.add(Talker("good", 2, log))
    wait_for(lambda: log == ["bad", "good", "good"])
    turns.add(Talker("later", 1, log))
    wait_for(lambda: log[-1] == "later")

    assert "a turn that fails" in capsys.readouterr().err


def test_what_was_read_goes_to_the_target_if_the_connection_ends_before_its_turn() -> None:
    count = FRAMES * 3
    flood = b"".join(encode(TEXT, str(number).encode()) for number in range(count))

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        connection = bench.connection(client_pid)

        # As the socket does, so that nobody has had a turn yet.
        connection.on_data(masked(flood, lambda: b"mask"))
        bench.node.terminate(client_pid)
        found = [assert_receive(bench.target, topic="ws.message").payload for _ in range(count)]
        leave = assert_receive(bench.target, topic="ws.leave").payload

        assert [payload["data"] for payload in found] == [str(number) for number in range(count)]
        assert leave["clean"] is False
        assert client.wait_closed() == (1006, "")
