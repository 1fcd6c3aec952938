"""Operations, "Dashboard": a page at ``/_greenrelay/``, an ``http.dashboard`` entry."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from greenrelay.dashboard.page import FOLDER
from greenrelay.errors import ConfigError
from greenrelay.http.state import state_of
from greenrelay.process import Server
from greenrelay.security.authority import authority_of
from greenrelay.web import GreenRelay
from tests.dashboard.page import (
    PASSWORD,
    PATH,
    Page,
    cookie_of,
    dashboard,
    entries,
    open_socket,
    post,
    sign_in,
)
from tests.serving import Refused, connected, http

FORWARDED = {"X-Forwarded-For": "203.0.113.5"}


class Other(Server):
    """Somebody else to be handed to."""


def test_it_is_a_page() -> None:
    """A page at `/_greenrelay/` (an `http.dashboard` entry)."""
    with dashboard() as (address, _):
        status, headers, body = http(address, f"{PATH}/")

        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<title>greenrelay dashboard</title>" in body


def test_it_is_a_client_of_the_relay() -> None:
    """It is itself a client of the relay."""
    with dashboard() as (address, _):
        page = Page(address)

        rows = page.ask("sockets", path=f"{PATH}/socket")["rows"]
        assert [row["pid"] for row in rows] == [page.hello["you"]]


def test_every_view_is_answered() -> None:
    """Overview, the live process tree, sockets, groups and names, services, closes, refusals."""
    with dashboard() as (address, _), connected(address, "/chat"):
        page = Page(address)

        overview = page.ask("overview")
        assert (overview["sockets"], overview["refusals"]) == (2, [])
        assert page.ask("processes", text="room")["rows"][0]["names"] == ["room"]
        assert page.ask("groups")["names"][0]["name"] == "room"
        assert page.ask("services") == {"services": []}
        assert page.ask("closes")["total"] == 0
        assert isinstance(page.ask("reports")["reports"], list)


def test_refusals_are_counted_by_cause() -> None:
    """Closes by code, refusals by cause."""
    with dashboard() as (address, _):
        with pytest.raises(Refused), connected(address, "/chat", origin="https://evil.example"):
            pass
        with connected(address, "/chat") as client:
            client.close(4001)

        overview = Page(address).ask("overview")

        assert overview["closes"] == [{"code": "4001", "side": "client", "count": 1}]
        assert overview["refusals"] == [
            {"kind": "websocket", "route": "/chat", "cause": "origin", "count": 1}
        ]


def test_one_process() -> None:
    """One process (inbox, context, links, monitors, names, groups, stack)."""
    with dashboard() as (address, _), connected(address, "/chat"):
        page = Page(address)
        pid = page.ask("processes", text="room")["rows"][0]["pid"]

        process = page.ask("process", pid=pid)["process"]

        assert (process["names"], process["depth"], process["unread"]) == (["room"], 0, [])
        assert [each["entry"] for each in process["monitored_by"]] == ["websocket"]
        assert "in room" in process["stack"]


def test_one_socket_and_its_traffic() -> None:
    """One socket (handshake, metadata, rtt, queue, live tail)."""
    with dashboard() as (address, _), connected(address, "/chat") as client:
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]
        client.send("before")
        found = page.ask("socket", pid=pid, tail=True)
        assert (found["socket"]["path"], found["seen"]) == ("/chat", [])

        page.do("send", pid=pid, text="hello")

        assert client.recv() == "hello"
        seen = page.ask("socket", pid=pid, tail=True)["seen"][-1]
        assert (seen["direction"], seen["topic"], seen["text"]) == ("out", "ws.send", "hello")


def test_why_a_socket_has_closed() -> None:
    """Closes by code; what ended a socket stays to be seen."""
    with dashboard() as (address, _), connected(address, "/chat") as client:
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]

        page.do("close", pid=pid, code=4001, reason="out")

        assert client.wait_closed() == (4001, "out")
        closed = page.ask("socket", pid=pid)["closed"]
        assert (closed["code"], closed["reason"], closed["user"]) == (4001, "out", "ada")
        assert page.ask("closes", code="4001")["rows"] == [closed]


def test_a_socket_is_transferred_and_killed() -> None:
    """One socket: send, close, transfer, kill."""
    with dashboard() as (address, app), connected(address, "/chat") as client:
        page = Page(address)
        other = state_of(app).node.spawn(Other, name="other")
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]

        page.do("transfer", pid=pid, target="other")
        assert page.ask("socket", pid=pid)["socket"]["target"] == other
        page.do("kill", pid=pid)

        assert client.wait_closed()[0] == 1006


def test_the_configuration_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration with provenance; secrets are masked."""
    monkeypatch.setenv("OF_TESTS", PASSWORD)
    with dashboard(password="${env:OF_TESTS}") as (address, _):
        page = Page(address, cookie=sign_in(address)[1])

        found = {each["name"]: each for each in page.ask("settings")["settings"]}

        assert found["password"]["value"] == "***"
        assert "environment OF_TESTS" in found["password"]["origin"]
        assert found["role"]["origin"] == "default"
        assert PASSWORD not in json.dumps(page.ask("settings"))


@pytest.mark.parametrize(
    "headers", [FORWARDED, {"Host": "evil.example"}, {"Via": "1.1 proxy"}, {"X-Real-IP": "1.2.3.4"}]
)
@pytest.mark.parametrize("path", ["/", "/assets/main.js", "/socket"])
def test_it_is_for_loopback_only(headers: dict[str, str], path: str) -> None:
    """Loopback only unless a password or a policy is set."""
    with dashboard() as (address, _):
        assert http(address, PATH + path, headers=headers)[0] == 403


def test_with_a_password_it_is_for_whoever_knows_it() -> None:
    """Loopback only unless a password … is set."""
    with dashboard(password=PASSWORD) as (address, _):
        assert http(address, f"{PATH}/", headers=FORWARDED)[0] == 401
        assert sign_in(address, "another password") == (401, "")

        status, cookie = sign_in(address)

        assert status == 303
        asked = {**FORWARDED, "Cookie": cookie}
        assert http(address, f"{PATH}/", headers=asked)[0] == 200


def test_with_an_action_it_is_for_whoever_may() -> None:
    """Loopback only unless … a policy is set."""
    more: list[dict[str, object]] = [
        {"name": "staff", "kind": "security.token_store", "type": "signed", "secret": "s" * 32},
        {
            "name": "observers",
            "kind": "security.policy",
            "actions": "observe",
            "resources": "app:dashboard",
            "effect": "allow",
            "groups": "operators",
        },
        {
            "name": "around",
            "kind": "http.router",
            "meta.server": "gateway",
            "prefix": PATH,
            "middleware": ["token_auth"],
            "options.token_auth.store": "staff",
        },
    ]
    with dashboard(*more, action="observe") as (address, app):
        node = state_of(app).node

        assert http(address, f"{PATH}/")[0] == 401
        for group, status in (("operators", 200), ("guests", 403)):
            token = {"Authorization": f"Bearer {_token(node, group)}", **FORWARDED}
            assert http(address, f"{PATH}/", headers=token)[0] == status


def _token(node: object, group: str) -> str:
    return authority_of(node).store("staff").create("ada", groups=(group,))


def test_read_only_cannot_act() -> None:
    """Read-only role."""
    with dashboard(role="readonly") as (address, _), connected(address, "/chat"):
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]

        answers = [page.do(name, pid=pid)["error"] for name in ("kill", "close", "drain")]

        assert answers == ["this dashboard is read-only"] * 3
        assert "socket" in page.ask("socket", pid=pid)


def test_an_action_needs_the_token_of_the_page() -> None:
    """CSRF-safe."""
    with dashboard() as (address, _), connected(address, "/chat"):
        page = Page(address)
        pid = page.ask("sockets", user="ada")["rows"][0]["pid"]

        answer = page.request(do="kill", token="0" * 64, **{"with": {"pid": pid}})

        assert answer["error"].startswith("token: it is not the one of this page")
        assert "socket" in page.ask("socket", pid=pid)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_only_its_own_page_opens_the_socket(origin: str) -> None:
    """CSRF-safe."""
    with dashboard() as (address, _):
        cookie = cookie_of(http(address, f"{PATH}/")[1])

        with pytest.raises(Refused, match="403"):
            open_socket(address, cookie, origin=origin)


def test_the_socket_needs_the_cookie_of_the_page() -> None:
    """CSRF-safe."""
    with dashboard() as (address, _), pytest.raises(Refused, match="401"):
        open_socket(address, "")


def test_the_cookie_is_for_this_site_only() -> None:
    """CSRF-safe."""
    with dashboard() as (address, _):
        cookie = http(address, f"{PATH}/")[1]["set-cookie"]

        assert {"HttpOnly", "SameSite=Strict", f"Path={PATH}/"} <= set(cookie.split("; "))


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_form_of_another_site_is_refused(origin: str) -> None:
    """CSRF-safe."""
    with dashboard(password=PASSWORD) as (address, _):
        status, headers, _ = post(address, "sign-in", "password=x", origin=origin)

        assert (status, "set-cookie" in headers) == (403, False)


def test_no_asset_comes_from_elsewhere() -> None:
    """No external asset."""
    with dashboard() as (address, _):
        policy = http(address, f"{PATH}/")[1]["content-security-policy"]

        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        for file in FOLDER.iterdir():
            text = file.read_text().replace("http://www.w3.org/", "")
            assert "//cdn" not in text
            assert "https://" not in text
            assert "http://" not in text
            # Nothing that is shown is parsed as HTML.
            assert "innerHTML" not in text
            assert "insertAdjacentHTML" not in text


def test_what_is_wrong_with_the_entry_is_told_at_the_start() -> None:
    """Configuration: errors come all at once, and quote no secret."""
    with pytest.raises(ConfigError) as caught:
        GreenRelay(Flask("x"), entries(password="short", role="king", path="/"))

    text = str(caught.value)
    assert "password: it must be text of at least 8 characters" in text
    assert 'role: is "king"; it must be one of full, readonly' in text
    assert 'path: is "/"; it must be a path of its own' in text
    assert "short" not in text
