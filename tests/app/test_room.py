from __future__ import annotations

from collections.abc import Callable

import pytest

from app import room
from greenrelay import Exit, monitor, pid, receive, register, send, send_after, spawn
from tests.app.client import Scenario, join, next_frame, payload_of, say

Run = Callable[[Scenario], object]
JPEG = b"\xff\xd8\xff"


def test_a_newcomer_is_welcomed_with_what_was_said(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)
        say(tea, {"type": "say", "text": "hello"})
        next_frame("message")

        join(tea)

        assert [entry["text"] for entry in next_frame("welcome")["history"]] == ["hello"]

    run(scenario)


def test_a_newcomer_gets_the_pictures_after_the_welcome(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)
        header = b'{"mime": "image/jpeg"}'
        say(tea, len(header).to_bytes(2, "big") + header + JPEG, "binary")
        next_frame("message")
        next_frame("binary")

        join(tea)

        assert next_frame("welcome")["history"][0]["lost"] is False
        assert payload_of("ws.send")["data"].endswith(JPEG)

    run(scenario)


@pytest.mark.parametrize(
    ("data", "kind"),
    [("nonsense", "text"), ('"\\ud800"', "text"), ("[" * 9999, "text"), (b"\x00", "binary")],
)
def test_nonsense_is_answered_and_harms_nobody(run: Run, data: object, kind: str) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)

        say(tea, data, kind)

        assert next_frame("error")["text"]
        say(tea, {"type": "say", "text": "still here"})
        assert next_frame("message")["message"]["text"] == "still here"

    run(scenario)


def test_who_is_not_in_the_room_is_not_heard(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        say(tea, {"type": "crash"})

        join(tea)

        assert next_frame("welcome")["history"] == []

    run(scenario)


def test_a_kick_closes_with_4001_and_the_name_of_who_did_it(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)

        say(tea, {"type": "kick", "pid": str(pid())})

        assert payload_of("ws.close") == {"code": 4001, "reason": "kicked by Ann"}

    run(scenario)


def test_nobody_outside_the_room_is_kicked(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)

        say(tea, {"type": "kick", "pid": str(tea)})

        assert "PID" in next_frame("error")["text"]

    run(scenario)


def test_a_move_is_asked_of_the_lobby(run: Run) -> None:
    def scenario() -> None:
        register("lobby")
        tea = spawn(room.run, "tea")
        join(tea)

        say(tea, {"type": "move", "room": "coffee"})

        wish = {"client_pid": str(pid()), "nick": "Ann", "room": "coffee"}
        assert payload_of("lobby.move") == wish

    run(scenario)


def test_a_move_without_a_lobby_is_an_error_of_the_mover_only(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)

        say(tea, {"type": "move", "room": "coffee"})

        assert "lobby" in next_frame("error")["text"]

    run(scenario)


def test_who_leaves_is_no_longer_listed(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)
        next_frame("welcome")
        ben = spawn(lambda: join(tea, "Ben"))
        assert next_frame("notice")["text"] == "Ben came in"

        send(tea, "ws.leave", {"client_pid": ben, "reason": "closed"})

        assert [person["nick"] for person in next_frame("people")["people"]] == ["Ann"]
        assert next_frame("notice")["text"] == "Ben left"

    run(scenario)


def test_a_crash_is_a_crash(run: Run) -> None:
    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)
        next_frame("welcome")
        monitor(tea)

        say(tea, {"type": "crash"})

        match receive(timeout=30):
            case Exit(result=result):
                assert result.error is not None
                assert result.error.type == "CrashedOnPurpose"
            case other:
                pytest.fail(f"{other} is not the room's EXIT")

    run(scenario)


def test_an_empty_room_ends_after_a_while(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EMPTY_FOR", "10ms")

    def scenario() -> None:
        monitor(spawn(room.run, "tea"))

        event = receive(timeout=30)

        assert isinstance(event, Exit)
        assert event.result.error is None

    run(scenario)


def test_a_room_with_somebody_in_it_stays(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EMPTY_FOR", "10ms")

    def scenario() -> None:
        tea = spawn(room.run, "tea")
        join(tea)
        next_frame("welcome")
        monitor(tea)
        send_after("100ms", tea, "ws.message", {"client_pid": pid(), "type": "text", "data": ""})

        assert next_frame("error")

    run(scenario)
