"""HTTP: "Security", and the rows token_auth, endpoint_firewall and resource_firewall."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest

from greenrelay.boot import read
from greenrelay.config.effective import settings
from greenrelay.errors import ConfigError
from greenrelay.extension import create_apps
from greenrelay.http.registry import SPECS
from greenrelay.http.state import state_of
from greenrelay.proving.clock import VirtualClock
from greenrelay.reload.apply import reload
from greenrelay.runtime.node import Node
from greenrelay.security.authority import authority_of
from greenrelay.web import actor_of, create_app, token_store
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait_for
from tests.security.site import ALLOW, SECRET, Entries, Site, bearer, entries, site
from tests.serving import Refused, WebSocketClient, connected, http, serving
from tests.streaming import EventClient

EXPIRED, REVOKED = "actor expired", "actor revoked"
STORES: list[Mapping[str, object]] = [
    {"type": "opaque"},
    {"type": "signed", "secret": SECRET},
    {"type": "jwt", "secret": SECRET},
]


def policy(name: str, **fields: object) -> Mapping[str, object]:
    given = {"actions": "*", "resources": "*", "effect": "allow", **fields}
    return {"name": name, "kind": "security.policy", **given}


def refusal(address: str, path: str, **options: Any) -> Refused:
    with pytest.raises(Refused) as found:
        WebSocketClient(address, path, **options)
    return found.value


# token_auth


@pytest.mark.parametrize("store", STORES, ids=lambda store: store["type"])
def test_a_token_of_each_sort_gives_the_request_its_actor(store: Mapping[str, object]) -> None:
    """security.token_store (opaque tokens, itsdangerous-signed or JWT …) give token_auth …"""
    with site(store) as found:
        _, _, body = found.get("/open/who", found.token("ada"))

        assert json.loads(body) == {"id": "ada"}


@pytest.mark.parametrize(
    "token", ["", "forged", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjllOX0."]
)
@pytest.mark.parametrize("store", STORES, ids=lambda store: store["type"])
def test_it_never_blocks(store: Mapping[str, object], token: str) -> None:
    """sets ``g.actor``; never blocks"""
    with site(store) as found:
        status, _, body = found.get("/open/who", token)

        assert (status, json.loads(body)) == (200, {"id": None})


def test_an_expired_token_and_a_revoked_one_make_no_actor() -> None:
    """expiry, revocation"""
    with site() as found:
        over, revoked = found.token(expires_in="1us"), found.token()
        found.tokens.revoke(revoked)

        assert json.loads(found.get("/open/who", over)[2]) == {"id": None}
        assert json.loads(found.get("/open/who", revoked)[2]) == {"id": None}


def test_a_token_may_be_in_each_place_and_the_first_counts() -> None:
    """``.header.name``, ``.header.prefix``, ``.query.param``, ``.cookie.name``"""
    with site() as found:
        ada, bob, cy = (found.token(name) for name in ("ada", "bob", "cy"))
        cookie = {"Cookie": f"x-auth-token={cy}"}
        query = f"/open/who?x-auth-token={bob}"

        def who(path: str, **headers: str) -> object:
            return json.loads(http(found.address, path, headers=headers)[2])["id"]

        assert who(query, **cookie, **bearer(ada)) == "ada"
        assert who(query, **cookie) == "bob"
        assert who("/open/who", **cookie) == "cy"
        assert who(query, Authorization="Basic YTpi") == "bob"
        assert who(query, Authorization=f"bearer  {ada}") == "ada"
        # The first token counts, good or not.
        assert who(query, **cookie, **bearer("forged")) is None


def test_the_actor_of_one_request_is_not_that_of_the_next() -> None:
    with site() as found:
        token = found.token()

        ids = [json.loads(found.get("/open/who", each)[2])["id"] for each in (token, "", token)]

        assert ids == ["ada", None, "ada"]


def test_a_jwt_for_another_audience_makes_no_actor() -> None:
    with site({"type": "jwt", "secret": SECRET, "audience": "app"}) as found:
        claims = {"sub": "ada", "exp": 9e9}
        other, mine = (jwt.encode({**claims, "aud": aud}, SECRET) for aud in ("other", "app"))

        assert json.loads(found.get("/open/who", other)[2]) == {"id": None}
        assert json.loads(found.get("/open/who", mine)[2]) == {"id": "ada"}


# The firewalls


def test_without_an_actor_it_is_401_without_permission_403() -> None:
    """401 without an actor, 403 without permission"""
    with site() as found:
        status, headers, body = found.get("/api/who")
        assert (status, json.loads(body)) == (401, {"error": "unauthorized"})
        assert headers["www-authenticate"] == "Bearer"
        assert headers["content-type"] == "application/json"

    with site(policies=()) as found:
        status, headers, body = found.get("/api/who", found.token())
        assert (status, json.loads(body)) == (403, {"error": "forbidden"})
        assert "www-authenticate" not in headers


def test_the_resource_of_the_endpoint_firewall_is_the_id_of_the_endpoint() -> None:
    """knows the endpoint (``namespace:name``)"""
    with site(policies=[policy("else", actions="access", resources="app:who.else")]) as found:
        token = found.token()

        assert found.get("/api/else", token)[0] == 200
        assert found.get("/api/who", token)[0] == 403


def test_any_deny_wins() -> None:
    """any deny wins"""
    banned = policy(
        "banned",
        effect="deny",
        conditions=[{"field": "actor.meta.banned", "operator": "eq", "value": True}],
    )
    with site(policies=[*ALLOW, banned]) as found:
        assert found.get("/api/who", found.token("ada"))[0] == 200
        assert found.get("/api/who", found.token("bob", meta={"banned": True}))[0] == 403


def test_conditions_see_the_request() -> None:
    """conditions"""
    own = policy(
        "own",
        actions="read.doc",
        resources="docs/*",
        conditions=[
            {"field": "meta.params.id", "operator": "eq", "value_from": "actor.id"},
            {"field": "meta.method", "operator": "in", "value": ["GET"]},
            {"field": "meta.path", "operator": "matches", "value": "^/docs/"},
            {"field": "meta.remote_addr", "operator": "exists"},
        ],
    )
    with site(policies=[own]) as found:
        token = found.token("ada")

        assert found.get("/docs/ada", token)[0] == 200
        assert found.get("/docs/bob", token)[0] == 403


def test_the_end_of_an_expression_is_the_end_of_the_value() -> None:
    """conditions"""
    public = policy(
        "public",
        conditions=[{"field": "meta.params.id", "operator": "matches", "value": "^public$"}],
    )
    with site(policies=[public]) as found:
        token = found.token()

        assert found.get("/docs/public", token)[0] == 200
        assert found.get("/docs/public%0A", token)[0] == 403


def test_groups_of_a_token_meet_groups_of_a_policy() -> None:
    with site(policies=[policy("admins", groups=["admins"])]) as found:
        assert found.get("/api/who", found.token(groups=["admins", "x"]))[0] == 200
        assert found.get("/api/who", found.token(groups=["x"]))[0] == 403


@pytest.mark.parametrize("path", ["/docs/a.b", "/docs/a%3Ab", "/docs/%2A", "/docs/..%2e"])
def test_a_value_of_the_path_stays_within_its_segment(path: str) -> None:
    """Patterns match whole segments."""
    deny = policy("deny", effect="deny", resources="docs/*")
    with site(policies=[policy("all"), deny]) as found:
        token = found.token()

        assert found.get(path, token)[0] == 403
        assert found.get("/files/a/b.pdf", token)[0] == 200


def test_a_tail_has_as_many_segments_as_it_has() -> None:
    only = policy("only", resources="files/public/**")
    with site(policies=[only]) as found:
        token = found.token()

        assert found.get("/files/public/a/b.pdf", token)[0] == 200
        assert found.get("/files/private/a", token)[0] == 403
        assert found.get("/files/public", token)[0] == 403


# Around the relays


@pytest.mark.parametrize("path", ["/ws/live", "/inside/live"])
def test_a_socket_is_refused_before_the_handshake(path: str) -> None:
    """must not break an upgrade"""
    with site() as found:
        assert refusal(found.address, path).status == 401
        assert_nothing(found.target)
    with site(policies=()) as found:
        refused = refusal(found.address, path, headers=bearer(found.token()))
        assert (refused.status, json.loads(refused.body)) == (403, {"error": "forbidden"})


@pytest.mark.parametrize("path", ["/ws/live", "/inside/live"])
def test_a_browser_opens_a_socket_with_a_token_in_the_query(path: str) -> None:
    with site() as found, connected(found.address, f"{path}?x-auth-token={found.token()}"):
        assert_receive(found.target, topic="ws.join")


@pytest.mark.parametrize("path", ["/events/live", "/inner/live"])
def test_a_stream_is_refused_or_opened(path: str) -> None:
    """… or a stream"""
    with site() as found:
        assert found.get(path)[0] == 401
        assert_nothing(found.target)

        client = EventClient(found.address, path, headers=bearer(found.token()))

        assert client.status == 200
        assert_receive(found.target, topic="sse.join")
        client.drop()


# An actor follows


def test_an_actor_follows_the_request_into_the_processes_it_spawns() -> None:
    """an actor follows the request into the processes it spawns"""
    with site() as found:
        _, _, body = found.get("/api/spawning", found.token("ada"))

        assert json.loads(body) == {"ids": ["ada", True, False] * 2}


def test_an_actor_follows_the_request_into_the_connection_it_opens() -> None:
    """… and the connection it opens"""
    with site() as found:
        headers = bearer(found.token("ada", meta={"role": "admin"}))
        with connected(found.address, "/ws/live", headers=headers) as client:
            join = assert_receive(found.target, topic="ws.join")
            client.send("hello")
            message = assert_receive(found.target, topic="ws.message")

            for each in (join, message):
                actor = actor_of(each)
                assert actor is not None
                assert (actor.id, actor.meta["role"]) == ("ada", "admin")
            connection = found.node.processes[join.payload["client_pid"]]
            assert connection.context["actor"] == actor_of(join)


def test_an_actor_follows_the_request_into_the_stream_it_opens() -> None:
    with site() as found:
        client = EventClient(found.address, "/events/live", headers=bearer(found.token()))

        actor = actor_of(assert_receive(found.target, topic="sse.join"))

        assert actor is not None
        assert actor.id == "ada"
        client.drop()


# Expiry


def opened(found: Site, token: str) -> WebSocketClient:
    client = WebSocketClient(found.address, "/ws/live", headers=bearer(token))
    assert_receive(found.target, topic="ws.join")
    return client


@pytest.mark.parametrize("store", STORES, ids=lambda store: store["type"])
def test_expiry_closes_the_connection_with_1008(store: Mapping[str, object]) -> None:
    """its expiry closes the connection with 1008"""
    with site(store) as found, VirtualClock(found.node) as clock:
        client = opened(found, found.token(expires_in="20s"))
        clock.advance("19s")
        client.send("still here")
        assert_receive(found.target, topic="ws.message")

        clock.advance("2s")

        assert client.wait_closed() == (1008, EXPIRED)
        leave = assert_receive(found.target, topic="ws.leave").payload
        assert (leave["code"], leave["reason"]) == (1008, EXPIRED)


def test_a_real_clock_closes_it_too() -> None:
    with site() as found:
        client = opened(found, found.token(expires_in="300ms"))

        assert client.wait_closed() == (1008, EXPIRED)


@pytest.mark.parametrize("store", STORES, ids=lambda store: store["type"])
def test_revoking_closes_the_connections_of_the_token(store: Mapping[str, object]) -> None:
    """revocation"""
    with site(store) as found:
        token, other = found.token("ada"), found.token("ada")
        clients = [opened(found, token), opened(found, token)]
        untouched = opened(found, other)

        found.tokens.revoke(token)

        assert [client.wait_closed() for client in clients] == [(1008, REVOKED)] * 2
        untouched.send("still here")
        assert_receive(found.target, topic="ws.message")
        untouched.drop()


def test_expiry_ends_a_stream_with_its_reason() -> None:
    with site() as found, VirtualClock(found.node) as clock:
        client = EventClient(
            found.address, "/events/live", headers=bearer(found.token(expires_in="20s"))
        )
        assert_receive(found.target, topic="sse.join")

        clock.advance("21s")

        last = client.rest()[-1]
        client.drop()
        assert (last.name, last.json()) == ("done", {"reason": EXPIRED})


def test_a_connection_that_has_ended_leaves_nothing_that_waits_for_its_end() -> None:
    with site() as found:
        token = found.token()
        actor = found.tokens.validate(token)
        assert actor is not None
        assert actor.lease is not None
        client = opened(found, token)
        assert len(actor.lease._watchers) == 1

        client.close()

        wait_for(lambda: not actor.lease or not actor.lease._watchers)
        settle(found.node)


# Configuration


def problem(change: Callable[[list[Any]], object]) -> str:
    given = entries()
    change(given)
    with Node() as node, pytest.raises(ConfigError) as found:
        create_app({"entries": given}, node=node)
    [text] = found.value.problems
    return text


def add(**fields: object) -> Callable[[list[Any]], object]:
    return lambda given: given.append(policy("typo", **fields))


def store_of(**fields: object) -> Callable[[list[Any]], object]:
    return lambda given: given[1].update(fields)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (add(effect="alow"), 'security.policy "app:typo": effect: is "alow"; it must be one of'),
        (add(actions="user*"), "actions: 'user*' is no pattern"),
        (add(resources=[]), "resources: is empty"),
        (add(action="read"), 'action: unknown key; did you mean "actions"?'),
        (
            add(conditions=[{"field": "actor.id", "operator": "equals", "value": 1}]),
            "conditions: item 1: operator 'equals' must be one of eq, ne",
        ),
        (
            add(conditions=[{"field": "user.id", "operator": "eq", "value": 1}]),
            "conditions: item 1: field 'user.id' must be actor.id, actor.meta.…",
        ),
        (
            add(conditions=[{"field": "action", "operator": "matches", "value": "(a+)+"}]),
            "conditions: item 1: value '(a+)+' repeats a group",
        ),
        (store_of(type="jwt"), "secret: is missing; HS256 needs 32 bytes"),
        (
            store_of(type="signed", secret="hunter2"),
            "secret: is 7 bytes long; type signed needs 32",
        ),
        (store_of(type="jwt", secret=SECRET, algorithms="none"), "algorithms: is 'none'; known:"),
        (
            store_of(type="jwt", public_key="no key", algorithms=["RS256"]),
            "type: public_key is no key for RS256",
        ),
        (
            lambda given: given[3]["options"].update({"token_auth.store": "tokns"}),
            'options.token_auth.store: there is no security.token_store "app:tokns"; did you mean '
            '"app:tokens"?',
        ),
        (
            lambda given: given[3]["options"].update({"token_auth.store": "gateway"}),
            '"app:gateway" is a http.service; it must be security.token_store',
        ),
        (
            lambda given: given[3]["options"].pop("token_auth.store"),
            "options: token_auth: token_auth.store is missing; it is required",
        ),
        (
            lambda given: next(e for e in given if e["name"] == "docs").update(
                post_options={"resource_firewall.target": "docs/*"}
            ),
            'resource_firewall.target: is "docs/*"; it must be a name',
        ),
    ],
)
def test_a_typo_is_a_problem_of_the_configuration(
    change: Callable[[list[Any]], object], text: str
) -> None:
    found = problem(change)

    assert text in found
    assert "hunter2" not in found


def test_all_that_is_wrong_in_a_list_is_told_at_once() -> None:
    """Errors come all at once"""
    conditions = [
        {"field": "actor.id", "operator": "equals", "value": 1},
        {"field": "actor.id", "operator": "eq", "value": 1},
        {"field": "user.id", "operator": "exists"},
    ]

    found = problem(add(actions=["user*", "read", "*x"])) + problem(add(conditions=conditions))

    for text in ("'user*' is no pattern", "'*x' is no pattern", "item 1: ", "item 3: "):
        assert text in found


def test_a_policy_with_a_typo_is_located(tmp_path: Any) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "- name: p\n  kind: security.policy\n  actions: '*'\n  resources: '*'\n  effect: permit\n"
    )

    with pytest.raises(ConfigError, match=r'bad.yaml:5:3: security.policy "app:p": effect'):
        create_app(str(file))


def test_apps_of_one_node_share_their_tokens() -> None:
    """in memory of the node"""
    router = {
        "kind": "http.router",
        "middleware": "token_auth",
        "options.token_auth.store": "tokens",
    }
    view = {"kind": "http.endpoint", "path": "/who", "func": "tests.security.site:who"}
    found = create_apps(
        [
            {"name": "tokens", "kind": "security.token_store"},
            *({"name": n, "kind": "http.service", "addr": "127.0.0.1:0"} for n in ("one", "two")),
            {**router, "name": "first", "meta.server": "one"},
            {**router, "name": "second", "meta.server": "two"},
            {**view, "name": "a", "meta.router": "first"},
            {**view, "name": "b", "meta.router": "second"},
        ]
    )
    one, two = found
    with one.app_context():
        token = token_store("tokens").create("ada")

    answers = [app.test_client().get("/who", headers=bearer(token)) for app in (one, two)]

    assert [answer.json for answer in answers] == [{"id": "ada"}] * 2
    state_of(one).node.shutdown(0.5)


def test_a_reload_puts_other_policies_in_force_and_keeps_the_tokens(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(entries()))
    app = create_app(str(file))
    with serving(app) as address, Probe(state_of(app).node, name="target"):
        store = authority_of(state_of(app).node).store("tokens")
        token = store.create("ada")
        before = http(address, "/api/who", headers=bearer(token))[0]
        file.write_text(json.dumps([*entries(policies=()), policy("no", effect="deny")]))

        reload(app)

        assert (before, http(address, "/api/who", headers=bearer(token))[0]) == (200, 403)
        assert store.validate(token) is not None
        assert authority_of(state_of(app).node).store("tokens") is store


def test_a_reload_with_a_key_that_is_none_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(entries()))
    app = create_app(str(file))
    node = state_of(app).node
    broken = {"type": "jwt", "algorithms": "RS256", "public_key": "no key"}
    file.write_text(json.dumps(entries(broken, policies=())))

    with pytest.raises(ConfigError, match="public_key is no key for RS256"):
        reload(app)

    assert authority_of(node).store("tokens").settings.type == "opaque"
    assert len(authority_of(node).policies) == 1
    node.shutdown(0.5)


def test_what_has_no_effect_on_a_store_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with site({"secret": SECRET, "expiration": "1h"}):
        assert "secret: has no effect on a store of type opaque" in caplog.text
        assert "expiration" not in caplog.text
        assert SECRET not in caplog.text


def test_secrets_are_masked() -> None:
    found = read({"entries": entries({"type": "jwt", "secret": SECRET})})
    store = found.entry("tokens")
    assert store is not None

    shown = {each.name: each.shown for each in settings(store, SPECS)}

    assert (shown["secret"], shown["type"]) == ("***", "jwt")
    assert SECRET not in repr(store.settings())  # type: ignore[attr-defined]


def test_the_policies_of_a_site_are_its_own() -> None:
    """nothing matched is deny"""
    nothing: Entries = ()
    with site() as open_site, site(policies=nothing) as closed_site:
        assert open_site.get("/api/who", open_site.token())[0] == 200
        assert closed_site.get("/api/who", closed_site.token())[0] == 403
