"""The fields that the commands of both relays have, read from outside values.

Source: WebSocket Relay, "Relay command (the header's JSON)"; Server-sent Events Relay. Each
function returns the typed value or raises InvalidRelayCommand; ``source`` is where the value was
found, such as ``X-WS-Relay`` or ``ws.control``.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Collection, Mapping
from functools import partial
from typing import NoReturn

from greenrelay.durations import parse_duration
from greenrelay.errors import InvalidDuration, InvalidRelayCommand

MAX_HEADER_SIZE = 16 * 1024


def load_header(header: str, source: str) -> dict[object, object]:
    """Return the JSON object in a relay header, strictly: no doubled key, no NaN, no infinity."""
    if len(header) > MAX_HEADER_SIZE:
        rule = f"must be at most {MAX_HEADER_SIZE} characters, not {len(header)}"
        raise InvalidRelayCommand("header", header, rule, source)
    fields = _load(header, source)
    if not isinstance(fields, dict):
        raise InvalidRelayCommand("header", fields, "must be a JSON object", source)
    return fields


def dump_header(fields: Mapping[str, object], source: str) -> str:
    """Return the fields as the JSON of a relay header: in ASCII, without line breaks."""
    try:
        return json.dumps(fields, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        rule = f"must be JSON-able: {error}"
        raise InvalidRelayCommand("metadata", fields.get("metadata"), rule, source) from error


def control_fields(payload: object, known: Collection[str], source: str) -> dict[object, object]:
    """Return a control's payload as the dict it must be, with at least one known field."""
    if not isinstance(payload, dict):
        raise InvalidRelayCommand("payload", payload, "must be a dict", source)
    refuse_unknown(payload, known, source)
    if not payload:
        rule = f"must have at least one of {', '.join(known)}"
        raise InvalidRelayCommand("payload", payload, rule, source)
    return payload


def read_target(value: object, source: str) -> str:
    """Return a ``target_pid``."""
    if not isinstance(value, str) or not value:
        rule = "must be the text of a PID or a registered name"
        raise InvalidRelayCommand("target_pid", value, rule, source)
    return value


def read_topic(value: object, reserved: Collection[str], source: str) -> str:
    """Return a ``message_topic`` that is none of the relay's own."""
    rule = ""
    if not isinstance(value, str) or not value:
        rule = "must be text and not empty"
    elif value.startswith("@"):
        rule = 'must not start with "@"'
    elif value in reserved:
        rule = "must not be a topic of the relay's own"
    else:
        return value
    raise InvalidRelayCommand("message_topic", value, rule, source)


def read_interval(name: str, fields: Mapping[object, object], source: str) -> float | None:
    """Return the seconds of the duration in field ``name``; None for none and for 0."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except InvalidDuration as error:
        rule = 'must be a duration such as "30s", or 0 for none'
        raise InvalidRelayCommand(name, value, rule, source) from error
    return seconds or None


def read_metadata(value: object, source: str) -> dict[str, object]:
    """Return the ``metadata``."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        rule = "must be an object with text for keys"
        raise InvalidRelayCommand("metadata", value, rule, source)
    return dict(value)


def refuse_unknown(fields: Mapping[object, object], known: Collection[str], source: str) -> None:
    """Raise for the first field that is not known, with the nearest that is."""
    for name, value in fields.items():
        if name in known:
            continue
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else "."
        rule = f"is not a field{hint} Known: {', '.join(known)}"
        raise InvalidRelayCommand(str(name), value, rule, source)


def _load(header: str, source: str) -> object:
    try:
        return json.loads(
            header,
            object_pairs_hook=partial(_without_doubles, source),
            parse_constant=partial(_refuse_constant, source),
            parse_float=partial(_finite, source),
        )
    except InvalidRelayCommand:
        raise
    except RecursionError as error:
        raise InvalidRelayCommand("header", header, "is nested too deeply", source) from error
    except ValueError as error:
        raise InvalidRelayCommand("header", header, f"must be JSON: {error}", source) from error


def _without_doubles(source: str, pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise InvalidRelayCommand(name, fields[name], "must be given once only", source)
    return fields


def _refuse_constant(source: str, text: str) -> NoReturn:
    rule = "must be JSON, which has no NaN and no infinity"
    raise InvalidRelayCommand("header", text, rule, source)


def _finite(source: str, text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        rule = "must not hold a number over the range of float"
        raise InvalidRelayCommand("header", text, rule, source)
    return number
