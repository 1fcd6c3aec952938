"""The relay command: the JSON of an ``X-WS-Relay`` header, and of a ``ws.control`` message.

Source: WebSocket Relay, "Relay command (the header's JSON)" and "Topics to the connection".
Outside text becomes a RelayCommand or a RelayControl here and is never read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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

HEADER = "X-WS-Relay"
CONTROL = "ws.control"
DEFAULT_TOPIC = "ws.message"
RESERVED_TOPICS = frozenset(
    {
        "ws.join",
        "ws.leave",
        "ws.heartbeat",
        "ws.send",
        "ws.close",
        "ws.control",
        "ws.control.done",
        "ws.control.failed",
    }
)

_CONTROL_FIELDS = ("target_pid", "message_topic", "heartbeat_interval", "metadata")
_COMMAND_FIELDS = (*_CONTROL_FIELDS, "subprotocols")
# RFC 6455, section 4.1: a subprotocol's name is an HTTP token.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class RelayCommand:
    """What a handler asks for; ``heartbeat_interval`` is in seconds, None is off."""

    target_pid: str
    message_topic: str = DEFAULT_TOPIC
    heartbeat_interval: float | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelayControl:
    """What a ``ws.control`` changes; None leaves a field as it is.

    ``heartbeat_interval`` of None switches heartbeats off when ``has_heartbeat``.
    """

    target_pid: str | None = None
    message_topic: str | None = None
    heartbeat_interval: float | None = None
    has_heartbeat: bool = False
    metadata: dict[str, object] | None = None


def parse_command(header: str) -> RelayCommand:
    """Return the command in an ``X-WS-Relay`` header; raise InvalidRelayCommand if it is none."""
    return _command(load_header(header, HEADER))


def command_header(
    target_pid: str,
    *,
    message_topic: str = DEFAULT_TOPIC,
    heartbeat_interval: object = None,
    metadata: Mapping[str, object] | None = None,
    subprotocols: Sequence[str] = (),
) -> str:
    """Return the ``X-WS-Relay`` value for these fields: JSON in ASCII, without line breaks.

    ``heartbeat_interval`` is a duration, seconds or text such as ``"30s"``. Raises
    InvalidRelayCommand by the rules the relay will apply, so a mistake shows at the caller.
    """
    command = _command(
        {
            "target_pid": target_pid,
            "message_topic": message_topic,
            "heartbeat_interval": heartbeat_interval,
            "metadata": {} if metadata is None else metadata,
            "subprotocols": subprotocols,
        }
    )
    fields: dict[str, object] = {"target_pid": command.target_pid}
    if command.message_topic != DEFAULT_TOPIC:
        fields["message_topic"] = command.message_topic
    if command.heartbeat_interval is not None:
        fields["heartbeat_interval"] = heartbeat_interval
    if command.metadata:
        fields["metadata"] = command.metadata
    if command.subprotocols:
        fields["subprotocols"] = command.subprotocols
    header = dump_header(fields, HEADER)
    parse_command(header)
    return header


def parse_control(payload: object) -> RelayControl:
    """Return the change in a ``ws.control`` payload; raise InvalidRelayCommand if it is none."""
    fields = control_fields(payload, _CONTROL_FIELDS, CONTROL)
    has = fields.__contains__
    topic = fields.get("message_topic")
    return RelayControl(
        target_pid=read_target(fields["target_pid"], CONTROL) if has("target_pid") else None,
        message_topic=_topic(topic, CONTROL) if has("message_topic") else None,
        heartbeat_interval=read_interval("heartbeat_interval", fields, CONTROL),
        has_heartbeat=has("heartbeat_interval"),
        metadata=read_metadata(fields["metadata"], CONTROL) if has("metadata") else None,
    )


def _command(fields: Mapping[object, object]) -> RelayCommand:
    refuse_unknown(fields, _COMMAND_FIELDS, HEADER)
    if "target_pid" not in fields:
        raise InvalidRelayCommand("target_pid", None, "must be given", HEADER)
    return RelayCommand(
        target_pid=read_target(fields["target_pid"], HEADER),
        message_topic=_topic(fields.get("message_topic", DEFAULT_TOPIC), HEADER),
        heartbeat_interval=read_interval("heartbeat_interval", fields, HEADER),
        metadata=read_metadata(fields.get("metadata", {}), HEADER),
        subprotocols=_subprotocols(fields.get("subprotocols", ())),
    )


def _topic(value: object, source: str) -> str:
    return read_topic(value, RESERVED_TOPICS, source)


def _subprotocols(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(
        isinstance(name, str) and _TOKEN.fullmatch(name) for name in value
    ):
        return tuple(value)
    rule = "must be a list of names without spaces, commas or other separators"
    raise InvalidRelayCommand("subprotocols", value, rule, HEADER)
