"""The stream command: the JSON of an ``X-SSE-Relay`` header, and of a ``sse.control`` message.

Source: Server-sent Events Relay, first paragraph. Outside text becomes a StreamCommand or a
StreamControl here and is never read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from greenrelay.errors import InvalidRelayCommand
from greenrelay.relay.field import (
    control_fields,
    dump_header,
    load_header,
    read_interval,
    read_metadata,
    read_target,
    read_topic,
    refuse_unknown,
)

HEADER = "X-SSE-Relay"
CONTROL = "sse.control"
DEFAULT_TOPIC = "sse.message"
# As message_topic: whatever topic comes.
ANY_TOPIC = "*"
# What the relay itself says to targets and streams: no topic of messages.
RESERVED_TOPICS = frozenset(
    {
        "sse.join",
        "sse.leave",
        "sse.heartbeat",
        "sse.close",
        "sse.control",
        "sse.control.done",
        "sse.control.failed",
    }
)
# What the relay itself says to clients, by the name of the event.
READY, DONE = "ready", "done"
OWN_EVENTS = frozenset({READY, DONE})

_TIMES = ("heartbeat_interval", "idle_timeout", "hard_timeout")
_COMMAND_FIELDS = ("target_pid", "message_topic", *_TIMES, "metadata")
_CONTROL_FIELDS = (*_COMMAND_FIELDS, "next_id")


@dataclass(frozen=True, slots=True)
class StreamCommand:
    """What a handler asks for; times in seconds, None is off; no ``target_pid``: detached."""

    target_pid: str | None = None
    message_topic: str = DEFAULT_TOPIC
    heartbeat_interval: float | None = None
    idle_timeout: float | None = None
    hard_timeout: float | None = None
    metadata: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamControl:
    """What a ``sse.control`` changes: the fields whose names are in ``given``.

    A ``target_pid`` of None detaches the stream; ``next_id`` is the ``id:`` of the next event.
    """

    given: frozenset[str]
    target_pid: str | None = None
    message_topic: str = DEFAULT_TOPIC
    heartbeat_interval: float | None = None
    idle_timeout: float | None = None
    hard_timeout: float | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    next_id: int = 1


def parse_stream_command(header: str) -> StreamCommand:
    """Return the command in an ``X-SSE-Relay`` header; raise InvalidRelayCommand if it is none."""
    return _command(load_header(header, HEADER))


def stream_header(
    target_pid: str | None = None,
    *,
    message_topic: str = DEFAULT_TOPIC,
    heartbeat_interval: object = None,
    idle_timeout: object = None,
    hard_timeout: object = None,
    metadata: Mapping[str, object] | None = None,
) -> str:
    """Return the ``X-SSE-Relay`` value for these fields: JSON in ASCII, without line breaks.

    Times are durations, seconds or text such as ``"30s"``. Raises InvalidRelayCommand by the
    rules the relay will apply, so a mistake shows at the caller.
    """
    given: dict[str, object] = {
        "target_pid": target_pid,
        "message_topic": message_topic,
        "heartbeat_interval": heartbeat_interval,
        "idle_timeout": idle_timeout,
        "hard_timeout": hard_timeout,
        "metadata": metadata,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    command = _command(dict(fields.items()))
    if message_topic == DEFAULT_TOPIC:
        del fields["message_topic"]
    if metadata is not None:
        fields["metadata"] = command.metadata
    header = dump_header(fields, HEADER)
    parse_stream_command(header)
    return header


def parse_stream_control(payload: object) -> StreamControl:
    """Return the change in a ``sse.control`` payload; raise InvalidRelayCommand if it is none."""
    fields = control_fields(payload, _CONTROL_FIELDS, CONTROL)
    return StreamControl(
        given=frozenset(str(name) for name in fields),
        target_pid=_target(fields, CONTROL),
        message_topic=_topic(fields, CONTROL),
        **_times(fields, CONTROL),
        metadata=read_metadata(fields.get("metadata", {}), CONTROL),
        next_id=_next_id(fields.get("next_id", 1)),
    )


def _command(fields: Mapping[object, object]) -> StreamCommand:
    refuse_unknown(fields, _COMMAND_FIELDS, HEADER)
    return StreamCommand(
        target_pid=_target(fields, HEADER),
        message_topic=_topic(fields, HEADER),
        **_times(fields, HEADER),
        metadata=read_metadata(fields.get("metadata", {}), HEADER),
    )


def _target(fields: Mapping[object, object], source: str) -> str | None:
    value = fields.get("target_pid")
    return None if value is None else read_target(value, source)


def _topic(fields: Mapping[object, object], source: str) -> str:
    reserved = RESERVED_TOPICS | OWN_EVENTS
    topic = read_topic(fields.get("message_topic", DEFAULT_TOPIC), reserved, source)
    if "\n" in topic or "\r" in topic:
        rule = "must not have a line break in it: it is the name of an event"
        raise InvalidRelayCommand("message_topic", topic, rule, source)
    return topic


def _times(fields: Mapping[object, object], source: str) -> dict[str, float | None]:
    return {name: read_interval(name, fields, source) for name in _TIMES}


def _next_id(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise InvalidRelayCommand("next_id", value, "must be a whole number above 0", CONTROL)
