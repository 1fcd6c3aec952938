"""The relay command: the JSON of an ``X-WS-Relay`` header, and of a ``ws.control`` message.

Source: WebSocket Relay, "Relay command (the header's JSON)" and "Topics to the connection".
Outside text becomes a RelayCommand or a RelayControl here and is never read again.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from greenrelay.durations import parse_duration
from greenrelay.errors import InvalidDuration, InvalidRelayCommand

HEADER = "X-WS-Relay"
CONTROL = "ws.control"
DEFAULT_TOPIC = "ws.message"
MAX_HEADER_SIZE = 16 * 1024
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
    if len(header) > MAX_HEADER_SIZE:
        rule = f"must be at most {MAX_HEADER_SIZE} characters, not {len(header)}"
        raise InvalidRelayCommand("header", header, rule)
    fields = _load(header)
    if not isinstance(fields, dict):
        raise InvalidRelayCommand("header", fields, "must be a JSON object")
    return _command(fields)


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
    try:
        header = json.dumps(fields, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        rule = f"must be JSON-able: {error}"
        raise InvalidRelayCommand("metadata", command.metadata, rule) from error
    parse_command(header)
    return header


def parse_control(payload: object) -> RelayControl:
    """Return the change in a ``ws.control`` payload; raise InvalidRelayCommand if it is none."""
    if not isinstance(payload, dict):
        raise InvalidRelayCommand("payload", payload, "must be a dict", CONTROL)
    _refuse_unknown(payload, _CONTROL_FIELDS, CONTROL)
    if not payload:
        rule = f"must have at least one of {', '.join(_CONTROL_FIELDS)}"
        raise InvalidRelayCommand("payload", payload, rule, CONTROL)
    has = payload.__contains__
    heartbeat = payload.get("heartbeat_interval")
    return RelayControl(
        target_pid=_target(payload["target_pid"], CONTROL) if has("target_pid") else None,
        message_topic=_topic(payload["message_topic"], CONTROL) if has("message_topic") else None,
        heartbeat_interval=_heartbeat(heartbeat, CONTROL),
        has_heartbeat=has("heartbeat_interval"),
        metadata=_metadata(payload["metadata"], CONTROL) if has("metadata") else None,
    )


def _command(fields: Mapping[object, object]) -> RelayCommand:
    _refuse_unknown(fields, _COMMAND_FIELDS, HEADER)
    if "target_pid" not in fields:
        raise InvalidRelayCommand("target_pid", None, "must be given", HEADER)
    return RelayCommand(
        target_pid=_target(fields["target_pid"], HEADER),
        message_topic=_topic(fields.get("message_topic", DEFAULT_TOPIC), HEADER),
        heartbeat_interval=_heartbeat(fields.get("heartbeat_interval"), HEADER),
        metadata=_metadata(fields.get("metadata", {}), HEADER),
        subprotocols=_subprotocols(fields.get("subprotocols", ())),
    )


def _target(value: object, source: str) -> str:
    if not isinstance(value, str) or not value:
        rule = "must be the text of a PID or a registered name"
        raise InvalidRelayCommand("target_pid", value, rule, source)
    return value


def _topic(value: object, source: str) -> str:
    rule = ""
    if not isinstance(value, str) or not value:
        rule = "must be text and not empty"
    elif value.startswith("@"):
        rule = 'must not start with "@"'
    elif value in RESERVED_TOPICS:
        rule = "must not be a topic of the relay's own"
    else:
        return value
    raise InvalidRelayCommand("message_topic", value, rule, source)


def _heartbeat(value: object, source: str) -> float | None:
    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except InvalidDuration as error:
        rule = 'must be a duration such as "30s", or 0 for none'
        raise InvalidRelayCommand("heartbeat_interval", value, rule, source) from error
    return seconds or None


def _metadata(value: object, source: str) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        rule = "must be an object with text for keys"
        raise InvalidRelayCommand("metadata", value, rule, source)
    return dict(value)


def _subprotocols(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(
        isinstance(name, str) and _TOKEN.fullmatch(name) for name in value
    ):
        return tuple(value)
    rule = "must be a list of names without spaces, commas or other separators"
    raise InvalidRelayCommand("subprotocols", value, rule, HEADER)


def _refuse_unknown(fields: Mapping[object, object], known: Collection[str], source: str) -> None:
    for name, value in fields.items():
        if name in known:
            continue
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else "."
        rule = f"is not a field{hint} Known: {', '.join(known)}"
        raise InvalidRelayCommand(str(name), value, rule, source)


def _load(header: str) -> object:
    """Return the JSON value of ``header``, strictly: no doubled key, no NaN, no infinity."""
    try:
        return json.loads(
            header,
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except InvalidRelayCommand:
        raise
    except RecursionError as error:
        raise InvalidRelayCommand("header", header, "is nested too deeply") from error
    except ValueError as error:
        raise InvalidRelayCommand("header", header, f"must be JSON: {error}") from error


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise InvalidRelayCommand(name, fields[name], "must be given once only")
    return fields


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidRelayCommand("header", text, "must be JSON, which has no NaN and no infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidRelayCommand("header", text, "must not hold a number over the range of float")
    return number
