"""WebSocket Relay: "Relay command (the header's JSON)", every field and every rule."""

import json
import logging
from typing import Any

import pytest
from flask import Flask

from greenrelay import InvalidRelayCommand, inbox, process, spawn
from greenrelay.web import relay
from tests.probe import assert_receive
from tests.relaying import Bench, raw_command, relaying


def answering(header: str) -> Any:
    return lambda bench: ("", 200, {"X-WS-Relay": header.replace("PID", bench.target.pid)})


NO_DURATION = "heartbeat_interval", "duration"
BAD_HEADERS = [
    ("{", "header", "must be JSON"),
    ("[]", "header", "must be a JSON object"),
    ('"PID"', "header", "must be a JSON object"),
    ('{"target_pid": "PID", "metadata": {"a": NaN}}', "header", "NaN"),
    ('{"target_pid": "PID", "target_pid": "PID"}', "target_pid", "must be given once only"),
    ("{}", "target_pid", "must be given"),
    ('{"target_pid": ""}', "target_pid", "must be the text of a PID or a registered name"),
    ('{"target_pid": 7}', "target_pid", "must be the text of a PID or a registered name"),
    ('{"target_pid": null}', "target_pid", "must be the text of a PID or a registered name"),
    ('{"target_pid": "PID", "message_topic": ""}', "message_topic", "not empty"),
    ('{"target_pid": "PID", "message_topic": 1}', "message_topic", "must be text"),
    ('{"target_pid": "PID", "message_topic": "@x"}', "message_topic", 'must not start with "@"'),
    ('{"target_pid": "PID", "message_topic": "ws.join"}', "message_topic", "relay's own"),
    ('{"target_pid": "PID", "message_topic": "ws.send"}', "message_topic", "relay's own"),
    ('{"target_pid": "PID", "heartbeat_interval": "soon"}', "heartbeat_interval", "duration"),
    ('{"target_pid": "PID", "heartbeat_interval": -1}', "heartbeat_interval", "duration"),
    ('{"target_pid": "PID", "heartbeat_interval": "-1s"}', "heartbeat_interval", "duration"),
    ('{"target_pid": "PID", "heartbeat_interval": true}', "heartbeat_interval", "duration"),
    ('{"target_pid": "PID", "heartbeat_interval": 1%s}' % ("0" * 400), *NO_DURATION),
    ('{"target_pid": "PID", "heartbeat_interval": "1%s"}' % ("0" * 400), *NO_DURATION),
    ('{"target_pid": "PID", "metadata": []}', "metadata", "must be an object"),
    ('{"target_pid": "PID", "subprotocols": "chat"}', "subprotocols", "must be a list"),
    ('{"target_pid": "PID", "subprotocols": ["a b"]}', "subprotocols", "must be a list"),
    ('{"target_pid": "PID", "targetpid": 1}', "targetpid", 'did you mean "target_pid"?'),
]


@pytest.mark.parametrize(("header", "field", "rule"), BAD_HEADERS)
def test_a_bad_header_is_a_500_and_the_log_names_view_field_and_rule(
    header: str, field: str, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    """header not JSON, unknown or wrong field: 500; the log names the view, the field, the rule"""
    with relaying(answering(header)) as bench:
        refused = bench.refusal()

        assert bench.connections() == []
    assert refused.status == 500
    assert field not in refused.body
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.getMessage().startswith(f"view ws: X-WS-Relay: {field} is ")
    assert rule in record.getMessage()


def test_in_debug_the_body_says_it_too() -> None:
    """In debug the body too."""
    app = Flask(__name__)
    app.debug = True

    with relaying(answering('{"target_pid": 7}'), app=app) as bench:
        refused = bench.refusal()

    assert refused.status == 500
    assert refused.body.startswith("X-WS-Relay: target_pid is 7; it must be")


def test_a_bad_header_of_a_plain_request_is_a_500_as_well() -> None:
    with relaying(answering('{"target_pid": 7}')) as bench:
        assert bench.get()[0] == 500


def wait_for_cancel() -> str:
    for _ in inbox():
        pass
    return "cancelled"


def test_a_bad_header_cancels_the_target_it_names_and_nobody_else() -> None:
    """… (426, a bad header, …), a target that this very request spawned … is cancelled"""
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.extend((spawn(wait_for_cancel), spawn(wait_for_cancel)))
        return "", raw_command(target_pid=spawned[0], heartbeat_interval="soon")

    with relaying(view) as bench:
        assert bench.refusal().status == 500

        bench.wait_gone(spawned[0])
        assert spawned[1] in bench.node.processes


def test_a_bad_header_leaves_a_target_alone_that_was_there_before() -> None:
    """… any other is left alone."""
    with relaying(answering('{"target_pid": "PID", "metadata": 1}')) as bench:
        assert bench.refusal().status == 500

        assert bench.target.pid in bench.node.processes


@pytest.mark.parametrize(
    "bad",
    [
        {"message_topic": "@x"},
        {"message_topic": "ws.leave"},
        {"heartbeat_interval": "soon"},
        {"heartbeat_interval": -1},
        {"metadata": {"a": object()}},
        {"metadata": {1: "one"}},
        {"subprotocols": ["a,b"]},
    ],
)
def test_relay_applies_the_same_rules_in_the_view(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidRelayCommand):
        relay("someone", **bad)


def test_a_registered_name_is_a_target() -> None:
    """``target_pid``: PID text or a registered name"""

    def view(bench: Bench) -> Any:
        return relay("the room")

    with relaying(view) as bench:
        bench.target.do(process.register, "the room")
        with bench.connect():
            client_pid = bench.joined()

            assert bench.connection(client_pid).session.target_pid == bench.target.pid


def test_messages_go_to_the_topic_that_was_asked_for() -> None:
    """``message_topic`` … default ``ws.message``"""
    with relaying(command={"message_topic": "chat.line"}) as bench, bench.connect() as client:
        bench.joined()
        client.send("hello")

        assert assert_receive(bench.target).topic == "chat.line"


@pytest.mark.parametrize("interval", [0, "0s", None])
def test_an_interval_of_0_is_off(interval: object) -> None:
    """``heartbeat_interval``: ``0`` is off; default none: off"""
    with relaying(command={"heartbeat_interval": interval}) as bench, bench.connect() as client:
        client_pid = bench.joined()

        assert bench.connection(client_pid)._pulse._heartbeat is None
        client.close()


def test_metadata_is_attached_to_every_message_the_relay_sends() -> None:
    """attached to every message the relay sends to the target"""
    metadata = {"user_id": 7, "rooms": ["a", "ü"]}
    command = {"metadata": metadata, "heartbeat_interval": 0.02}

    with relaying(command=command) as bench, bench.connect() as client:
        found = [assert_receive(bench.target, topic="ws.join")]
        client.send("hello")
        found.append(assert_receive(bench.target, topic="ws.message"))
        found.append(assert_receive(bench.target, topic="ws.heartbeat"))
        client.close()
        found.append(assert_receive(bench.target, topic="ws.leave"))

        assert [message.payload["metadata"] for message in found] == [metadata] * 4


@pytest.mark.parametrize(
    ("command", "option", "offered", "chosen"),
    [
        (["a", "b"], [], ["b", "a"], "a"),
        (["a", "b"], [], ["b"], "b"),
        (["a"], [], ["c"], None),
        (["a"], [], [], None),
        ([], ["c", "a"], ["a", "c"], "c"),
        (["a"], ["c"], ["a", "c"], "a"),
        ([], [], ["a"], None),
    ],
)
def test_the_first_subprotocol_the_client_also_offers_is_chosen(
    command: list[str], option: list[str], offered: list[str], chosen: str | None
) -> None:
    """``subprotocols``: the first one the client also offers is chosen"""
    with (
        relaying(command={"subprotocols": command}, subprotocols=option) as bench,
        bench.connect(subprotocols=offered) as client,
    ):
        join = assert_receive(bench.target, topic="ws.join")

        assert join.payload["subprotocol"] == chosen
        assert client.response.headers.get("Sec-WebSocket-Protocol") == chosen


@pytest.mark.parametrize("offer", [",,,", "a" * 4000, "chat\t, ;=", "chat v1"])
def test_a_strange_offer_of_subprotocols_chooses_none(offer: str) -> None:
    headers = {"Sec-WebSocket-Protocol": offer}
    with (
        relaying(command={"subprotocols": ["v1"]}) as bench,
        bench.connect(headers=headers) as client,
    ):
        bench.joined()

        assert "Sec-WebSocket-Protocol" not in client.response.headers


def test_the_header_relay_makes_is_what_the_page_says() -> None:
    """``greenrelay.web.relay(target_pid, …)`` builds the response from keyword arguments"""
    response = relay(
        "{n@h|1}",
        message_topic="chat",
        heartbeat_interval="30s",
        metadata={"user_id": 7},
        subprotocols=["v1"],
    )

    assert json.loads(response.headers["X-WS-Relay"]) == {
        "target_pid": "{n@h|1}",
        "message_topic": "chat",
        "heartbeat_interval": "30s",
        "metadata": {"user_id": 7},
        "subprotocols": ["v1"],
    }
