"""The stream command and the stream control. Source: Server-sent Events Relay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from greenrelay.errors import InvalidRelayCommand
from greenrelay.relay.sse_command import (
    StreamCommand,
    StreamControl,
    parse_stream_command,
    parse_stream_control,
    stream_header,
)

PID = "{n1@app|1}"


def test_an_empty_command_is_a_detached_stream() -> None:
    assert parse_stream_command("{}") == StreamCommand(None, "sse.message", None, None, None, {})


def test_all_fields_of_a_command_are_read() -> None:
    header = json.dumps(
        {
            "target_pid": PID,
            "message_topic": "*",
            "heartbeat_interval": "15s",
            "idle_timeout": "1m",
            "hard_timeout": 3600,
            "metadata": {"user_id": 7},
        }
    )

    assert parse_stream_command(header) == StreamCommand(PID, "*", 15, 60, 3600, {"user_id": 7})


def test_null_and_0_are_off() -> None:
    command = parse_stream_command('{"heartbeat_interval": 0, "idle_timeout": null}')

    assert (command.heartbeat_interval, command.idle_timeout) == (None, None)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("", "header"),
        ("[]", "header"),
        ("{" * 9999, "header"),
        ("x" * 20_000, "header"),
        ('{"hard_timeout": 1e999}', "header"),
        ('{"hard_timeout": NaN}', "header"),
        ('{"target_pid": ""}', "target_pid"),
        ('{"target_pid": 7}', "target_pid"),
        ('{"target_pid": "a", "target_pid": "b"}', "target_pid"),
        ('{"message_topic": ""}', "message_topic"),
        ('{"message_topic": null}', "message_topic"),
        ('{"message_topic": "@a"}', "message_topic"),
        ('{"message_topic": "sse.join"}', "message_topic"),
        ('{"message_topic": "done"}', "message_topic"),
        (r'{"message_topic": "a\nb"}', "message_topic"),
        (r'{"message_topic": "a\rb"}', "message_topic"),
        ('{"heartbeat_interval": "-1s"}', "heartbeat_interval"),
        ('{"idle_timeout": "soon"}', "idle_timeout"),
        ('{"hard_timeout": true}', "hard_timeout"),
        ('{"metadata": []}', "metadata"),
        ('{"next_id": 1}', "next_id"),
        ('{"subprotocols": []}', "subprotocols"),
    ],
)
def test_a_bad_command_names_its_field(header: str, field: str) -> None:
    with pytest.raises(InvalidRelayCommand, match=r"^X-SSE-Relay: ") as caught:
        parse_stream_command(header)

    assert caught.value.field == field


def test_a_misspelt_field_is_told_its_neighbour() -> None:
    with pytest.raises(InvalidRelayCommand, match='did you mean "idle_timeout"'):
        parse_stream_command('{"idle_timout": "1s"}')


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({}, {}),
        ({"message_topic": "sse.message"}, {}),
        (
            {"target_pid": PID, "metadata": {"ü": "\n"}},
            {"target_pid": PID, "metadata": {"ü": "\n"}},
        ),
        (
            {
                "message_topic": "*",
                "heartbeat_interval": "15s",
                "idle_timeout": 1,
                "hard_timeout": 2,
            },
            {
                "message_topic": "*",
                "heartbeat_interval": "15s",
                "idle_timeout": 1,
                "hard_timeout": 2,
            },
        ),
    ],
)
def test_a_header_holds_what_was_given(
    arguments: dict[str, Any], fields: dict[str, object]
) -> None:
    header = stream_header(**arguments)

    assert json.loads(header) == fields
    assert header.isascii()
    assert header.isprintable()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"target_pid": ""}, "target_pid"),
        ({"message_topic": "ready"}, "message_topic"),
        ({"metadata": {"a": object()}}, "metadata"),
        ({"metadata": {"a": "x" * 20_000}}, "header"),
        ({"idle_timeout": "x"}, "idle_timeout"),
    ],
)
def test_a_mistake_shows_at_the_caller(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRelayCommand) as caught:
        stream_header(**arguments)

    assert caught.value.field == field


def test_a_control_says_what_was_given() -> None:
    wanted = parse_stream_control({"target_pid": None, "next_id": 8, "idle_timeout": "1s"})

    assert wanted == StreamControl(
        frozenset({"target_pid", "next_id", "idle_timeout"}), None, idle_timeout=1.0, next_id=8
    )


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (None, "payload"),
        ({}, "payload"),
        ({"target": PID}, "target"),
        ({"target_pid": 7}, "target_pid"),
        ({"message_topic": "sse.close"}, "message_topic"),
        ({"hard_timeout": "x"}, "hard_timeout"),
        ({"metadata": None}, "metadata"),
        ({"next_id": 0}, "next_id"),
        ({"next_id": True}, "next_id"),
        ({"next_id": "8"}, "next_id"),
    ],
)
def test_a_bad_control_names_its_field(payload: object, field: str) -> None:
    with pytest.raises(InvalidRelayCommand, match=r"^sse\.control: ") as caught:
        parse_stream_control(payload)

    assert caught.value.field == field
