"""``token_auth`` as a decorator, its options, and logins of another sort."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, g, request

import greenrelay as gr
from greenrelay.errors import ConfigError, UnknownEntry
from greenrelay.http.state import state_of
from greenrelay.web import (
    Actor,
    act_as,
    actor_of,
    current_actor,
    is_allowed,
    relay,
    sse_relay,
    stream,
    token_auth,
    token_store,
    websocket_relay,
)
from tests.probe import Probe, assert_receive
from tests.serving import Refused, connected, http, relay_app, serving
from tests.streaming import EventClient

CONFIG = [
    {"name": "tokens", "kind": "security.token_store"},
    {"name": "keys", "kind": "security.token_store"},
    {
        "name": "all",
        "kind": "security.policy",
        "actions": "read",
        "resources": "docs/*",
        "effect": "allow",
        "conditions": [{"field": "meta.owner", "operator": "eq", "value_from": "actor.id"}],
    },
]


@pytest.fixture
def app() -> Iterator[Flask]:
    with relay_app("tests.token_auth", CONFIG) as app:
        yield app


def token(app: Flask, actor_id: str = "ada", store: str = "tokens") -> str:
    with app.app_context():
        return token_store(store).create(actor_id)


def who() -> dict[str, object]:
    return {"id": g.actor and g.actor.id}


def ask(app: Flask, path: str = "/", **headers: str) -> object:
    found: Any = app.test_client(use_cookies=False).get(path, headers=headers).json
    return found["id"]


def test_it_is_a_decorator_with_the_options_of_the_router(app: Flask) -> None:
    around = token_auth(
        store="app:tokens",
        header_name="X-Key",
        header_prefix="",
        query_param="key",
        cookie_name="key",
    )
    app.get("/")(around(who))
    ada, bob, cy = (token(app, name) for name in ("ada", "bob", "cy"))

    assert ask(app, "/", **{"X-Key": ada}) == "ada"
    assert ask(app, f"/?key={bob}") == "bob"
    assert ask(app, "/", Cookie=f"key={cy}") == "cy"
    assert ask(app, f"/?x-auth-token={bob}", Authorization=f"Bearer {ada}") is None


def test_an_empty_name_switches_a_place_off(app: Flask) -> None:
    options = {"header_name": "", "query_param": "", "cookie_name": ""}
    app.get("/")(token_auth(store="tokens", **options)(who))
    ada = token(app)

    headers = {"Authorization": f"Bearer {ada}", "Cookie": f"x-auth-token={ada}"}

    assert ask(app, f"/?x-auth-token={ada}", **headers) is None


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer\t", "Bearerx {}", "{}"])
def test_a_header_without_the_prefix_has_no_token(app: Flask, value: str) -> None:
    app.get("/")(token_auth(store="tokens")(who))

    assert ask(app, "/", Authorization=value.format(token(app))) is None


def test_one_that_knows_nobody_leaves_whom_another_has_recognised(app: Flask) -> None:
    app.get("/")(token_auth(store="tokens")(token_auth(store="keys")(who)))

    assert ask(app, "/", Authorization=f"Bearer {token(app)}") == "ada"
    assert ask(app, "/", Authorization=f"Bearer {token(app, 'bob', 'keys')}") == "bob"


def test_requests_that_share_an_application_context_share_no_actor(app: Flask) -> None:
    app.get("/")(token_auth(store="tokens")(who))
    app.get("/unguarded")(lambda: {"id": getattr(current_actor(), "id", None)})
    ada = token(app)

    with app.app_context():
        known = ask(app, "/", Authorization=f"Bearer {ada}")
        others = [ask(app, "/unguarded"), ask(app, "/")]

    assert known == "ada"
    assert others == [None, None]


@pytest.mark.parametrize("login", ["token", "other", "none"])
def test_a_request_inside_another_one_has_an_actor_of_its_own(app: Flask, login: str) -> None:
    inner = None if login == "none" else "bob"

    def whose() -> list[object]:
        return [getattr(actor, "id", None) for actor in (current_actor(), gr.exec(current_actor))]

    @app.get("/inner")
    @token_auth(store="tokens")
    def inside() -> list[object]:
        if login == "other":
            act_as(Actor("bob"))
        return whose()

    @app.get("/outer")
    @token_auth(store="tokens")
    def outside() -> dict[str, object]:
        before = whose()
        headers = {"Authorization": f"Bearer {token(app, 'bob')}"} if login == "token" else {}
        found = app.test_client().get("/inner", headers=headers).json
        return {"id": [before, found, whose(), g.actor.id]}

    with serving(app) as address:
        _, _, body = http(address, "/outer", headers={"Authorization": f"Bearer {token(app)}"})

    assert json.loads(body)["id"] == [["ada", "ada"], [inner, inner], ["ada", "ada"], "ada"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "token_auth.store is missing; it is required"),
        ({"store": "tokens", "header_name": "a b"}, "must be a name without spaces"),
        ({"store": "tokens", "stores": "x"}, "unknown option"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        token_auth(**options)


def test_the_parentheses_are_not_forgotten() -> None:
    with pytest.raises(TypeError, match=r"@token_auth\(\)"):
        token_auth(who)


def test_a_store_that_is_not_there_says_which_there_are(app: Flask) -> None:
    with app.app_context(), pytest.raises(UnknownEntry, match=r"'tokns'.*app:keys, app:tokens"):
        token_store("tokns")


def test_a_login_of_another_sort_makes_an_actor_that_goes_along(app: Flask) -> None:
    def view() -> Any:
        act_as(Actor("ada", {"by": "session"}))
        return relay("target")

    app.get("/ws")(websocket_relay()(view))
    node = state_of(app).node
    with serving(app) as address, Probe(node, name="target") as target, connected(address, "/ws"):
        actor = actor_of(assert_receive(target, topic="ws.join"))

        assert actor == Actor("ada", {"by": "session"})


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_who_has_ended_while_the_view_ran_is_not_kept(app: Flask, how: str) -> None:
    def end() -> None:
        if how == "revoked":
            token_store("tokens").revoke(request.args["x-auth-token"])
        else:
            act_as(Actor("ada", expires_at=1.0))

    @app.get("/ws")
    @token_auth(store="tokens")
    @websocket_relay()
    def socket() -> Any:
        end()
        return relay("target")

    @app.get("/events")
    @token_auth(store="tokens")
    @sse_relay()
    def events() -> Any:
        end()
        return stream("target")

    query = "?x-auth-token="
    with serving(app) as address, Probe(state_of(app).node, name="target") as target:
        # The close frame comes along with the 101, which this client takes for a refusal.
        with pytest.raises(Refused, match="101"), connected(address, f"/ws{query}{token(app)}"):
            pass
        leave = assert_receive(target, topic="ws.leave").payload
        assert (leave["code"], leave["reason"]) == (1008, f"actor {how}")
        listener = EventClient(address, f"/events{query}{token(app)}")
        assert listener.rest()[-1].json() == {"reason": f"actor {how}"}
        listener.drop()


def test_processes_and_their_messages_carry_the_actor(app: Flask) -> None:
    def view() -> dict[str, object]:
        act_as(Actor("ada"))
        gr.send("target", "from the view")
        gr.spawn(gr.send, "target", "from a process")
        found = current_actor()
        return {"id": found and found.id}

    app.get("/")(view)
    with serving(app) as address, Probe(state_of(app).node, name="target") as target:
        assert http(address, "/")[0] == 200

        for topic in ("from the view", "from a process"):
            assert actor_of(assert_receive(target, topic=topic)) == Actor("ada")


def test_nobody_is_the_actor_of_other_code(app: Flask) -> None:
    node = state_of(app).node

    assert current_actor() is None
    assert node.run(current_actor) is None
    assert not node.run(is_allowed, "read", "docs/1")


def test_what_is_put_into_g_by_others_is_no_actor(app: Flask) -> None:
    with app.test_request_context():
        g.actor = "ada"

        assert current_actor() is None


def test_is_allowed_asks_with_meta_and_for_somebody_else(app: Flask) -> None:
    with app.test_request_context():
        assert not is_allowed("read", "docs/1", meta={"owner": "ada"})
        act_as(Actor("ada"))

        assert is_allowed("read", "docs/1", meta={"owner": "ada"})
        assert not is_allowed("read", "docs/1", meta={"owner": "bob"})
        assert not is_allowed("read", "docs/1")
        assert not is_allowed("write", "docs/1", meta={"owner": "ada"})
        assert is_allowed("read", "docs/1", meta={"owner": "bob"}, actor=Actor("bob"))


def test_an_actor_who_has_expired_is_allowed_nothing(app: Flask) -> None:
    with app.test_request_context():
        act_as(Actor("ada", expires_at=1.0))

        assert not is_allowed("read", "docs/1", meta={"owner": "ada"})
