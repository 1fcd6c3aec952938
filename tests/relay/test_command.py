from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from greenrelay.core.pid import Pid
from greenrelay.errors import InvalidRelayCommand
from greenrelay.relay.command import (
    RESERVED_TOPICS,
    RelayCommand,
    RelayControl,
    command_header,
    parse_command,
    parse_control,
)

TARGET = "{n1@app:processes|7}"


def command(**fields: object) -> RelayCommand:
    return parse_command(json.dumps({"target_pid": TARGET, **fields}))


def refused(parse: Callable[[], object]) -> InvalidRelayCommand:
    with pytest.raises(InvalidRelayCommand) as caught:
        parse()
    return caught.value


def test_only_the_target_is_required() -> None:
    assert parse_command('{"target_pid": "chat"}') == RelayCommand(
        target_pid="chat",
        message_topic="ws.message",
        heartbeat_interval=None,
        metadata={},
        subprotocols=(),
    )


def test_all_fields_are_read() -> None:
    found = command(
        message_topic="chat.line",
        heartbeat_interval="30s",
        metadata={"user_id": 7, "tags": ["a"]},
        subprotocols=["v2", "v1"],
    )

    assert found == RelayCommand(
        TARGET, "chat.line", 30.0, {"user_id": 7, "tags": ["a"]}, ("v2", "v1")
    )


def test_a_command_is_a_value() -> None:
    found = command()

    with pytest.raises(FrozenInstanceError):
        found.target_pid = "other"  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("given", "seconds"), [("1m30s", 90.0), (15, 15.0), (0.5, 0.5), ("250ms", 0.25)]
)
def test_a_heartbeat_is_a_duration(given: object, seconds: float) -> None:
    assert command(heartbeat_interval=given).heartbeat_interval == seconds


@pytest.mark.parametrize("given", [0, 0.0, "0", "0s", "0ms", None])
def test_a_heartbeat_of_zero_is_off(given: object) -> None:
    """`0` is off"""
    assert command(heartbeat_interval=given).heartbeat_interval is None


BEYOND_A_FLOAT = [10**400, "9" * 400, "9" * 400 + "s"]


@pytest.mark.parametrize(
    "given", [-1, "-30s", "soon", "", "30 parsecs", True, [], {}, *BEYOND_A_FLOAT]
)
def test_a_negative_or_unreadable_heartbeat_is_an_error(given: object) -> None:
    """negative or unreadable is an error"""
    error = refused(lambda: command(heartbeat_interval=given))

    assert (error.field, error.value) == ("heartbeat_interval", given)
    assert error.rule == 'must be a duration such as "30s", or 0 for none'


@pytest.mark.parametrize("given", [None, 7, "", [], {}])
def test_a_target_that_is_not_text_is_an_error(given: object) -> None:
    error = refused(lambda: command(target_pid=given))

    assert (error.field, error.value) == ("target_pid", given)


def test_a_missing_target_is_an_error() -> None:
    error = refused(lambda: parse_command("{}"))

    assert str(error) == "X-WS-Relay: target_pid is None; it must be given"


@pytest.mark.parametrize("given", [None, 7, "", "@exit", *sorted(RESERVED_TOPICS)])
def test_a_topic_that_may_not_be_is_an_error(given: object) -> None:
    """not empty, not `@…`, not another reserved `ws.` topic"""
    error = refused(lambda: command(message_topic=given))

    assert (error.field, error.value) == ("message_topic", given)


@pytest.mark.parametrize("given", ["ws.message", "ws.mine", "chat", "a@b"])
def test_other_topics_are_taken(given: str) -> None:
    assert command(message_topic=given).message_topic == given


@pytest.mark.parametrize("given", [None, 7, "x", [], True])
def test_metadata_that_is_not_an_object_is_an_error(given: object) -> None:
    assert refused(lambda: command(metadata=given)).field == "metadata"


@pytest.mark.parametrize(
    "given", [None, "v1", {"v1": 1}, [1], [""], ["a b"], ["a,b"], ["a\n"], ["é"]]
)
def test_subprotocols_that_are_no_list_of_tokens_are_an_error(given: object) -> None:
    assert refused(lambda: command(subprotocols=given)).field == "subprotocols"


def test_an_unknown_field_is_an_error_that_suggests_the_right_one() -> None:
    error = refused(lambda: command(heartbeat_intervall="30s"))

    assert str(error) == (
        "X-WS-Relay: heartbeat_intervall is '30s'; it is not a field; "
        'did you mean "heartbeat_interval"? Known: target_pid, message_topic, '
        "heartbeat_interval, metadata, subprotocols"
    )


def test_an_unknown_field_like_no_other_gets_no_suggestion() -> None:
    assert "did you mean" not in str(refused(lambda: command(zzz=1)))


@pytest.mark.parametrize("header", ["", "chat", "{", "{'target_pid': 'x'}", '{"a": 1} x', "\ud800"])
def test_a_header_that_is_not_json_is_an_error(header: str) -> None:
    """header not JSON, unknown or wrong field | 500"""
    error = refused(lambda: parse_command(header))

    assert error.field == "header"
    assert error.value == header
    assert error.rule.startswith("must be JSON: ")


@pytest.mark.parametrize("header", ["[]", '"chat"', "7", "null"])
def test_json_that_is_not_an_object_is_an_error(header: str) -> None:
    assert refused(lambda: parse_command(header)).rule == "must be a JSON object"


@pytest.mark.parametrize(
    "header",
    ['{"target_pid": "a", "target_pid": "b"}', '{"target_pid": "a", "metadata": {"x": 1, "x": 1}}'],
)
def test_a_key_given_twice_is_an_error(header: str) -> None:
    assert refused(lambda: parse_command(header)).rule == "must be given once only"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_an_error(number: str) -> None:
    header = f'{{"target_pid": "a", "metadata": {{"x": {number}}}}}'

    assert refused(lambda: parse_command(header)).value == number


def test_a_header_nested_too_deeply_is_an_error() -> None:
    error = refused(lambda: parse_command("[" * 16000))

    assert error.rule == "is nested too deeply"


def test_a_number_of_too_many_digits_is_an_error() -> None:
    header = f'{{"target_pid": "a", "metadata": {{"x": {"9" * 5000}}}}}'

    assert refused(lambda: parse_command(header)).field == "header"


def test_a_header_over_16_kib_is_an_error() -> None:
    header = json.dumps({"target_pid": TARGET, "metadata": {"x": "y" * 16384}})

    error = refused(lambda: parse_command(header))

    assert error.rule == f"must be at most 16384 characters, not {len(header)}"
    assert len(str(error)) < 400


def test_a_header_is_built_from_keyword_arguments() -> None:
    header = command_header(
        Pid.parse(TARGET),
        message_topic="chat.line",
        heartbeat_interval="30s",
        metadata={"user": "日本\n"},
        subprotocols=["v2", "v1"],
    )

    assert header.isascii()
    assert "\n" not in header
    assert parse_command(header) == RelayCommand(
        TARGET, "chat.line", 30.0, {"user": "日本\n"}, ("v2", "v1")
    )


def test_a_header_leaves_out_what_is_default() -> None:
    assert command_header(TARGET, heartbeat_interval=0) == f'{{"target_pid": "{TARGET}"}}'


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: command_header(""), "target_pid"),
        (lambda: command_header(TARGET, message_topic="@x"), "message_topic"),
        (lambda: command_header(TARGET, heartbeat_interval=-1), "heartbeat_interval"),
        (lambda: command_header(TARGET, metadata={"x": object()}), "metadata"),
        (lambda: command_header(TARGET, metadata={"x": float("nan")}), "metadata"),
        (lambda: command_header(TARGET, metadata={1: "x"}), "metadata"),  # type: ignore[dict-item]
        (lambda: command_header(TARGET, metadata={"x": "y" * 16384}), "header"),
        (lambda: command_header(TARGET, subprotocols="v1"), "subprotocols"),
        (lambda: command_header(TARGET, subprotocols=["a b"]), "subprotocols"),
    ],
)
def test_a_mistake_shows_where_the_header_is_built(build: Callable[[], str], field: str) -> None:
    assert refused(build).field == field


def test_a_control_may_change_any_of_its_fields() -> None:
    """any of `target_pid`, `message_topic`, `heartbeat_interval`, `metadata`"""
    control = parse_control(
        {
            "target_pid": Pid.parse(TARGET),
            "message_topic": "chat",
            "heartbeat_interval": "5s",
            "metadata": {"room": 1},
        }
    )

    assert control == RelayControl(TARGET, "chat", 5.0, True, {"room": 1})


@pytest.mark.parametrize(
    ("payload", "control"),
    [
        ({"target_pid": "chat"}, RelayControl(target_pid="chat")),
        ({"message_topic": "chat"}, RelayControl(message_topic="chat")),
        ({"metadata": {}}, RelayControl(metadata={})),
        ({"heartbeat_interval": 5}, RelayControl(heartbeat_interval=5.0, has_heartbeat=True)),
        ({"heartbeat_interval": "0s"}, RelayControl(has_heartbeat=True)),
        ({"heartbeat_interval": None}, RelayControl(has_heartbeat=True)),
    ],
)
def test_a_control_leaves_the_other_fields_alone(
    payload: dict[str, object], control: RelayControl
) -> None:
    assert parse_control(payload) == control


def test_the_metadata_of_a_control_is_not_shared_with_its_sender() -> None:
    metadata: dict[str, object] = {"room": 1}
    control = parse_control({"metadata": metadata})

    metadata["room"] = 2

    assert control.metadata == {"room": 1}


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (None, "payload"),
        ("chat", "payload"),
        ([], "payload"),
        ({}, "payload"),
        ({"target": "chat"}, "target"),
        ({7: "chat"}, "7"),
        ({"subprotocols": ["v1"]}, "subprotocols"),
        ({"target_pid": None}, "target_pid"),
        ({"message_topic": "ws.join"}, "message_topic"),
        ({"message_topic": None}, "message_topic"),
        ({"heartbeat_interval": -1}, "heartbeat_interval"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {1: 2}}, "metadata"),
    ],
)
def test_a_control_follows_the_same_rules(payload: object, field: str) -> None:
    error = refused(lambda: parse_control(payload))

    assert (error.source, error.field) == ("ws.control", field)


def test_an_unknown_field_of_a_control_gets_a_suggestion() -> None:
    error = refused(lambda: parse_control({"target": "chat"}))

    assert 'did you mean "target_pid"?' in str(error)
