from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app import lobby, views
from greenrelay import receive, reply, spawn
from tests.app.client import Scenario
from tests.app.demo import Demo

Run = Callable[[Scenario], object]

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def get(demo: Demo, path: str, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(urlsplit(demo.url).netloc, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response, b"" if response.status == 101 else response.read()
    finally:
        connection.close()


def test_the_page_allows_nothing_from_elsewhere(demo: Demo) -> None:
    response, body = get(demo, "/", {})

    assert response.status == 200
    assert b"greenrelay chat" in body
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")


@pytest.mark.parametrize("name", ["main.js", "chat.css", "mark.svg"])
def test_the_files_of_the_page_are_served(demo: Demo, name: str) -> None:
    response, body = get(demo, f"/assets/{name}", {})

    assert response.status == 200
    assert body


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/..%2fviews.py", "/assets/"])
def test_nothing_else_is_served(demo: Demo, path: str) -> None:
    response, _ = get(demo, path, {})

    assert response.status == 404


def test_a_room_is_upgraded_to(demo: Demo) -> None:
    response, _ = get(demo, "/ws/chat?room=tea&nick=Ann", UPGRADE)

    assert response.status == 101
    assert response.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "query", ["room=tea", "nick=Ann", "room=T%20e&nick=Ann", f"room=tea&nick={'x' * 25}"]
)
def test_a_socket_with_a_bad_name_is_refused(demo: Demo, query: str) -> None:
    response, body = get(demo, f"/ws/chat?{query}", UPGRADE)

    assert response.status == 400
    assert json.loads(body)["error"] == "bad_request"


def test_a_page_from_elsewhere_gets_no_socket(demo: Demo) -> None:
    origin = {"Origin": "https://elsewhere.example"}

    response, _ = get(demo, "/ws/chat?room=tea&nick=Mal", UPGRADE | origin)

    assert response.status == 403


def test_without_a_lobby_there_is_no_socket(run: Run) -> None:
    run(lambda: assert_unavailable("no_lobby"))


def test_a_lobby_that_does_not_answer_is_not_waited_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LOBBY_TIMEOUT", 0.05)

    def scenario() -> None:
        spawn(receive, "never", name=lobby.NAME)

        assert_unavailable("no_lobby")

    run(scenario)


def test_a_full_lobby_has_no_socket_either(run: Run) -> None:
    def scenario() -> None:
        spawn(_refuse_once, name=lobby.NAME)

        assert_unavailable("full")

    run(scenario)


def _refuse_once() -> None:
    reply(receive("lobby.open"), None)


def assert_unavailable(error: str) -> None:
    app = Flask(__name__)
    with app.test_request_context("/ws/chat?room=tea&nick=Ann"):
        response = app.make_response(views.chat())
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.get_json()["error"] == error
