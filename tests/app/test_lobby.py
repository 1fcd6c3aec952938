from __future__ import annotations

from collections.abc import Callable

import pytest

from app import directory, lobby
from greenrelay import Exit, call, monitor, pid, receive, send, spawn, terminate
from tests.app.client import Scenario, join, next_frame, payload_of, say

Run = Callable[[Scenario], object]


def start_lobby() -> str:
    lobby_pid = spawn(lobby.run)
    # Its name is registered by the time it answers.
    call(lobby_pid, "lobby.open", "first")
    return lobby_pid


def open_room(name: str) -> str:
    return str(call(lobby.NAME, "lobby.open", name))


def await_exit(room: str) -> Exit:
    event = receive(timeout=30)
    while not isinstance(event, Exit):
        event = receive(timeout=30)
    assert event.pid == room
    return event


def await_count(name: str, people: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    while counts.get(name) != people:
        counts = {room["room"]: room["people"] for room in next_frame("rooms")["rooms"]}
    return counts


def test_a_room_is_started_once(run: Run) -> None:
    def scenario() -> None:
        start_lobby()

        assert open_room("tea") == open_room("tea")
        assert open_room("tea") != open_room("coffee")

    run(scenario)


def test_a_crashed_room_starts_anew_and_says_so(run: Run) -> None:
    def scenario() -> None:
        start_lobby()
        tea = open_room("tea")
        join(tea)
        monitor(tea)
        say(tea, {"type": "crash"})
        await_exit(tea)

        again = open_room("tea")

        assert again != tea
        join(again)
        assert "crashed once" in next_frame("welcome")["history"][0]["text"]

    run(scenario)


def test_a_room_that_ended_in_peace_has_not_crashed(run: Run) -> None:
    def scenario() -> None:
        start_lobby()
        tea = open_room("tea")
        monitor(tea)
        terminate(tea, reason="shutdown")
        await_exit(tea)

        join(open_room("tea"))

        assert next_frame("welcome")["history"] == []

    run(scenario)


def test_a_lobby_that_crashes_takes_its_rooms_along(run: Run) -> None:
    def scenario() -> None:
        lobby_pid = start_lobby()
        tea = open_room("tea")
        monitor(tea)

        send(lobby_pid, "lobby.move", "not a wish")

        assert await_exit(tea).result.error is not None

    run(scenario)


def test_a_move_hands_the_connection_to_the_other_room(run: Run) -> None:
    def scenario() -> None:
        start_lobby()

        send(lobby.NAME, "lobby.move", {"client_pid": pid(), "nick": "Ann", "room": "coffee"})

        assert payload_of("ws.control") == {
            "target_pid": open_room("coffee"),
            "metadata": {"nick": "Ann", "room": "coffee"},
        }

    run(scenario)


def test_a_move_that_failed_is_told_to_the_client(run: Run) -> None:
    def scenario() -> None:
        start_lobby()

        send(lobby.NAME, "ws.control.failed", {"reason": "noproc"})

        assert next_frame("error")["text"]

    run(scenario)


def test_there_is_an_end_to_the_number_of_rooms_with_people(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MAX_ROOMS", 2)

    def scenario() -> None:
        start_lobby()
        for name in ("first", "second"):
            join(open_room(name))
            await_count(name, 1)

        assert call(lobby.NAME, "lobby.open", "third") is None

        send(lobby.NAME, "lobby.move", {"client_pid": pid(), "nick": "Ann", "room": "third"})
        assert "too many" in next_frame("error")["text"]

    run(scenario)


def test_an_empty_room_makes_place_for_another(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "MAX_ROOMS", 2)

    def scenario() -> None:
        start_lobby()
        monitor(first := open_room("first"))
        open_room("second")

        assert open_room("third") == open_room("third")

        assert await_exit(first).result.error is None

    run(scenario)


def test_rooms_learn_how_full_the_others_are(run: Run) -> None:
    def scenario() -> None:
        start_lobby()
        open_room("coffee")

        join(open_room("tea"))

        assert await_count("tea", 1) == {"first": 0, "coffee": 0, "tea": 1}

    run(scenario)
