"""Source: Operations, "Dashboard"."""

from __future__ import annotations

from typing import Any

import pytest

from greenrelay.http.state import state_of
from tests.dashboard.page import PASSWORD, Page, dashboard, post, sign_in
from tests.probe import wait_for
from tests.serving import connected


def test_an_end_of_the_page_ends_its_desk() -> None:
    with dashboard() as (address, app):
        node = state_of(app).node
        page = Page(address)
        assert any(each.entry.endswith("Desk") for each in node.processes.values())

        page.socket.drop()

        wait_for(lambda: not any(each.entry.endswith("Desk") for each in node.processes.values()))


def test_nobody_pays_for_a_tail_that_nobody_looks_at() -> None:
    with dashboard() as (address, app), connected(address, "/chat"):
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]
        connection: Any = state_of(app).node.processes[pid]

        page.ask("socket", pid=pid, tail=True)
        assert connection.tap is not None
        page.ask("socket", pid=pid, tail=False)
        assert connection.tap is None
        page.ask("socket", pid=pid, tail=True)
        page.socket.drop()

        wait_for(lambda: connection.tap is None)


def test_a_dashboard_does_not_look_at_its_own_traffic() -> None:
    with dashboard() as (address, _):
        page = Page(address)

        for _ in range(3):
            found = page.ask("socket", pid=page.hello["you"], tail=True)

        assert found["seen"] == []


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"ask": "nothing"}, "ask: it must be one of overview, sockets"),
        ({"ask": "sockets", "with": {"limit": 5000}}, "limit: it must be a whole number"),
        ({"ask": "sockets", "with": 5}, "with: it must be a map"),
        ({"ask": "socket", "with": {}}, "pid: it must be text"),
        ({"do": "explode", "with": {}}, "do: it must be one of close, kill"),
        ({}, "ask: it must be one of"),
    ],
)
def test_a_bad_question_is_told_so(message: dict[str, Any], error: str) -> None:
    with dashboard() as (address, _):
        page = Page(address)

        assert page.request(**message)["error"].startswith(error)
        assert page.ask("services") == {"services": []}


def test_what_is_no_json_is_told_so() -> None:
    with dashboard() as (address, _):
        page = Page(address)

        page.socket.send("{")

        assert "error" in page.socket.recv_json()


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("kill", {"pid": "{a@b|1}"}, "there is no such process"),
        ("kill", {"pid": "nobody"}, "nobody"),
        ("close", {"pid": "room"}, "this socket is over"),
        ("post", {"pid": "room", "topic": "x", "payload": "{"}, "payload: it must be JSON"),
        ("post", {"pid": "room", "topic": "@x"}, "topic"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_told_so(
    name: str, fields: dict[str, Any], error: str
) -> None:
    with dashboard() as (address, _):
        assert error in Page(address).do(name, **fields)["error"]


def test_the_page_cannot_be_killed_by_itself() -> None:
    with dashboard() as (address, _):
        page = Page(address)

        assert "close the page" in page.do("kill", pid=page.hello["you"])["error"]


def test_a_bad_close_code_is_told_so() -> None:
    with dashboard() as (address, _), connected(address, "/chat"):
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]

        assert "1005" in page.do("close", pid=pid, code=1005)["error"]


def test_a_message_is_sent_to_a_process() -> None:
    with dashboard() as (address, app):
        page = Page(address)
        node = state_of(app).node

        page.do("post", pid="room", topic="end", payload='{"a": 1}')

        wait_for(lambda: node.names.owner("room") is None)


def test_sockets_are_filtered_and_come_in_windows() -> None:
    with dashboard() as (address, _):
        clients = [connected(address, "/chat") for _ in range(12)]
        opened = [each.__enter__() for each in clients]
        page = Page(address)

        assert page.ask("sockets", target="room")["total"] == 12
        assert page.ask("sockets", target="room", user="eve")["total"] == 0
        assert page.ask("sockets", text="<b>ada")["total"] == 12
        assert page.ask("sockets", queue=1)["total"] == 0
        assert page.ask("sockets", state="closing")["total"] == 0
        oldest = page.ask("sockets", path="/chat")
        window = page.ask("sockets", path="/chat", offset=5, limit=3)
        newest = page.ask("sockets", path="/chat", order="newest")
        assert [row["pid"] for row in window["rows"]] == [row["pid"] for row in oldest["rows"][5:8]]
        assert [row["pid"] for row in newest["rows"]] == [
            row["pid"] for row in oldest["rows"][::-1]
        ]
        for order in ("queue", "in", "out", "rtt", "last"):
            assert page.ask("sockets", order=order)["total"] == 13
        for each in opened:
            each.drop()


def test_when_the_last_message_was_is_known_without_a_look_before() -> None:
    with dashboard() as (address, app), connected(address, "/chat") as one:
        with connected(address, "/chat"):
            page = Page(address)
            first, other = (row["pid"] for row in page.ask("sockets", path="/chat")["rows"])
            rows = page.ask("sockets", path="/chat")["rows"]
            assert [(row["last_in"], row["last_out"]) for row in rows] == [(None, None)] * 2

            one.send("a message of the client")
            connection: Any = state_of(app).node.processes[first]
            wait_for(lambda: connection.session.message_count == 1)
            state_of(app).node.send(other, "ws.send", "a message to the other")
            newest, *_ = page.ask("sockets", path="/chat", order="last")["rows"]
            shown = page.ask("socket", pid=first)["socket"]
            again = page.ask("socket", pid=first)["socket"]

        # Of this very moment, and later by the time that has passed.
        assert newest["pid"] == other
        assert newest["last_in"] is None
        assert 0 <= newest["last_out"] < newest["age"]
        assert shown["last_out"] is None
        assert 0 < shown["last_in"] < again["last_in"] < again["age"]


def test_metadata_is_shown_without_its_secrets() -> None:
    with dashboard() as (address, _), connected(address, "/chat"):
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]

        metadata = page.ask("socket", pid=pid)["socket"]["metadata"]

        assert metadata == {"user_id": "ada", "token": "***", "nick": "<b>Ada</b>"}


def test_signing_out_closes_the_pages_of_the_session() -> None:
    with dashboard(password=PASSWORD) as (address, _):
        page = Page(address, cookie=sign_in(address)[1])

        post(address, "sign-out", cookie=page.cookie)

        assert page.socket.wait_closed() == (1008, "session over")


def test_a_wrong_password_may_not_be_tried_for_ever() -> None:
    with dashboard(password=PASSWORD) as (address, _):
        tries = [sign_in(address, "wrong password")[0] for _ in range(6)]

        assert tries == [401] * 5 + [429]
        assert sign_in(address)[0] == 429


def test_what_closes_already_can_only_be_killed() -> None:
    with dashboard() as (address, _), connected(address, "/chat") as client:
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]
        page.do("close", pid=pid, code=4001)

        # The client has not answered the close frame by now.
        assert page.ask("socket", pid=pid)["socket"]["state"] == "closing"
        assert page.do("close", pid=pid)["error"] == "it closes already; it can only be killed"
        assert page.do("kill", pid=pid)["data"]["said"] == "Killed."

        assert client.wait_closed()[0] == 4001


def test_draining_closes_every_socket() -> None:
    with dashboard() as (address, _), connected(address, "/chat") as client:
        page = Page(address)

        assert page.do("drain")["data"]["said"] == "Moving 2 sockets off this worker."

        assert client.wait_closed()[0] == 1012


def test_a_view_that_blocks_the_hub_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with dashboard() as (address, app):
        node = state_of(app).node
        assert node.watchdog is not None
        assert node.watchdog.is_running
        node.watchdog._report(node._thread, 0.25)
        page = Page(address)

        found = page.ask("reports", kind="hub")["reports"][0]

        assert "has kept the hub busy for 0.250 s" in found["text"]
        assert page.ask("overview")["hub_reports"] >= 1
