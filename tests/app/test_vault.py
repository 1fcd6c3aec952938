from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from app import vault
from greenrelay import pid, receive, send, spawn_monitored
from tests.app.client import Scenario
from tests.app.demo import Demo
from tests.serving import Refused, WebSocketClient

Run = Callable[[Scenario], object]


def test_a_vault_lets_nobody_stay_who_is_not_known(run: Run) -> None:
    def scenario() -> None:
        opened = spawn_monitored(vault.run)
        send(opened, "ws.join", {"client_pid": pid()})

        event: Any = receive(timeout=30)

        assert (event.pid, event.result.is_normal) == (opened, True)

    run(scenario)


def request(demo: Demo, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(demo.url).netloc, timeout=30)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def signed_in(demo: Demo, name: str = "Ada", seconds: int = 60) -> str:
    status, body = request(demo, "POST", "/vault/sign-in", {"name": name, "seconds": seconds})
    assert status == 201
    return str(json.loads(body)["token"])


def entered(demo: Demo, token: str) -> WebSocketClient:
    address = urlsplit(demo.url).netloc
    return WebSocketClient(address, f"/guarded/vault?x-auth-token={token}")


def test_the_page_is_served(demo: Demo) -> None:
    status, body = request(demo, "GET", "/vault")

    assert status == 200
    assert b"greenrelay vault" in body


@pytest.mark.parametrize(
    "body",
    [None, [], {"name": "Ada"}, {"name": "", "seconds": 5}]
    + [{"name": "Ada", "seconds": seconds} for seconds in (0, 61, 1.5, True, "5")],
)
def test_a_token_needs_a_name_and_seconds(demo: Demo, body: object) -> None:
    status, answer = request(demo, "POST", "/vault/sign-in", body)

    assert status == 400
    assert json.loads(answer)["error"] == "bad_request"


def test_a_visitor_is_known_in_the_vault_until_the_token_is_over(demo: Demo) -> None:
    client = entered(demo, signed_in(demo, "Ada", seconds=1))

    welcome = client.recv_json()

    assert (welcome["topic"], welcome["data"]["id"]) == ("vault.welcome", "Ada")
    assert client.wait_closed() == (1008, "actor expired")


def test_what_is_sent_is_kept(demo: Demo) -> None:
    client = entered(demo, signed_in(demo))
    client.recv_json()

    client.send("one")
    client.send("two")

    assert [client.recv_json()["data"] for _ in range(2)] == [["one"], ["two", "one"]]
    client.close()


def test_signing_out_closes_the_vault(demo: Demo) -> None:
    token = signed_in(demo)
    client = entered(demo, token)
    client.recv_json()

    assert request(demo, "POST", "/vault/sign-out", {"token": token})[0] == 204

    assert client.wait_closed() == (1008, "actor revoked")
    assert request(demo, "POST", "/vault/sign-out", {"token": token})[0] == 204
    assert request(demo, "POST", "/vault/sign-out", {})[0] == 400


@pytest.mark.parametrize(("name", "status"), [("", 401), ("mallory", 403)])
def test_the_vault_is_shut_to_others(demo: Demo, name: str, status: int) -> None:
    token = signed_in(demo, name) if name else "forged"

    with pytest.raises(Refused) as refused:
        entered(demo, token)

    assert refused.value.status == status
