"""One relayed connection as its target sees it, and what other processes may send to it.

Source: WebSocket Relay, "Topics from the relay to the target", "Topics to the connection" and
"Endings and close codes". Nothing here knows a socket or the wire: the connection around it does.
"""

from __future__ import annotations

import base64
import json

from greenrelay.errors import InvalidCloseCode

# The opcodes of RFC 6455, section 11.8; the room of the protocol has the same and a test says so.
TEXT = 1
BINARY = 2

# A tuple: a union would be built anew for each message.
_BYTES = (bytes, bytearray, memoryview)
_CLOSE_KEYS = frozenset({"code", "reason"})


TARGET_EXITED = 1000, "target exited"
TARGET_FAILED = 1011, "target failed"


class Session:
    """What the relay tells the target of one client: a join, its messages, a leave.

    ``target_pid``, ``message_topic`` and ``metadata`` change with a transfer; ``metadata`` is
    attached to every message by reference.
    """

    __slots__ = (
        "client_pid",
        "message_count",
        "message_topic",
        "metadata",
        "path",
        "remote_addr",
        "subprotocol",
        "target_pid",
    )

    def __init__(
        self,
        client_pid: str,
        target_pid: str,
        *,
        message_topic: str = "ws.message",
        metadata: dict[str, object] | None = None,
        subprotocol: str | None = None,
        path: str = "/",
        remote_addr: str = "",
        message_count: int = 0,
    ) -> None:
        self.client_pid = client_pid
        self.target_pid = target_pid
        self.message_topic = message_topic
        self.metadata = {} if metadata is None else metadata
        self.subprotocol = subprotocol
        self.path = path
        self.remote_addr = remote_addr
        self.message_count = message_count

    def join(self, reason: str = "connect") -> dict[str, object]:
        """Return the ``ws.join`` payload; ``reason`` is connect, transfer or resume."""
        return {
            "client_pid": self.client_pid,
            "metadata": self.metadata,
            "subprotocol": self.subprotocol,
            "path": self.path,
            "remote_addr": self.remote_addr,
            "reason": reason,
        }

    def message(self, is_text: bool, data: str | bytes) -> dict[str, object]:
        """Count a client message and return its payload, to be sent on ``message_topic``."""
        self.message_count += 1
        return {
            "client_pid": self.client_pid,
            "type": "text" if is_text else "binary",
            "data": data,
            "metadata": self.metadata,
        }

    def leave(self, reason: str, code: int | None, clean: bool) -> dict[str, object]:
        """Return the ``ws.leave`` payload; take it before a transfer changes the metadata."""
        return {
            "client_pid": self.client_pid,
            "reason": reason,
            "code": code,
            "clean": clean,
            "metadata": self.metadata,
        }


def outgoing(topic: str, payload: object) -> tuple[int, bytes]:
    """Return the opcode and payload of the one frame that ``payload`` sent on ``topic`` becomes.

    On ``ws.send``: {"type": "text", "data": str}, {"type": "binary", "data": bytes}, {"type":
    "json", "data": …}, a bare str or bytes. On any other topic a text frame of the JSON
    {"topic": …, "data": …}. Bytes inside JSON are base64. Raises TypeError for all else.
    """
    if topic != "ws.send":
        return TEXT, json_text({"topic": topic, "data": payload}, f"payload of {topic!r}")
    if isinstance(payload, str):
        return TEXT, utf8(payload, "payload of 'ws.send'")
    if isinstance(payload, _BYTES):
        return BINARY, bytes(payload)
    if not isinstance(payload, dict):
        raise TypeError(
            f"ws.send: the payload is {type(payload).__name__}; it must be str, bytes or "
            '{"type": "text", "binary" or "json", "data": …}'
        )
    if len(payload) != 2 or "type" not in payload or "data" not in payload:
        raise TypeError(f"ws.send: the keys are {_listed(payload)}; they must be 'type' and 'data'")
    return _typed(payload["type"], payload["data"])


def closing(payload: object) -> tuple[int, str]:
    """Return code and reason of a ``ws.close`` payload; 1000 and "" are what it leaves out.

    The payload is {"code": int, "reason": str} with either or both, a reason, or None. Raises
    InvalidCloseCode for a code that may not be sent and TypeError for all else.
    """
    if payload is None:
        return 1000, ""
    if isinstance(payload, str):
        payload = {"reason": payload}
    if not isinstance(payload, dict):
        raise TypeError(
            f"ws.close: the payload is {type(payload).__name__}; it must be "
            '{"code": int, "reason": str}, a reason or None'
        )
    if not payload.keys() <= _CLOSE_KEYS:
        raise TypeError(f"ws.close: the keys are {_listed(payload)}; known are 'code' and 'reason'")
    code = payload.get("code", 1000)
    if not _is_sendable_code(code):
        raise InvalidCloseCode(code)
    reason = payload.get("reason", "")
    if not isinstance(reason, str):
        raise TypeError(f"ws.close: reason is {type(reason).__name__}; it must be str")
    utf8(reason, "reason of 'ws.close'")
    return code, reason


def target_ended(is_normal: bool) -> tuple[int, str]:
    """Return the code and reason for the client when the target has ended."""
    return TARGET_EXITED if is_normal else TARGET_FAILED


def _typed(kind: object, data: object) -> tuple[int, bytes]:
    if kind == "text":
        if isinstance(data, str):
            return TEXT, utf8(data, "data of 'ws.send'")
        raise TypeError(f"ws.send: data of type text is {type(data).__name__}; it must be str")
    if kind == "binary":
        if isinstance(data, _BYTES):
            return BINARY, bytes(data)
        raise TypeError(f"ws.send: data of type binary is {type(data).__name__}; it must be bytes")
    if kind == "json":
        return TEXT, json_text(data, "data of 'ws.send'")
    raise TypeError(f"ws.send: type is {kind!r}; it must be 'text', 'binary' or 'json'")


def utf8(text: str, what: str) -> bytes:
    """Return ``text`` as it goes over the wire; ``what`` it is, for the TypeError."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        where = error.start
        raise TypeError(f"{what}: {text[where]!r} at {where} cannot be sent as UTF-8") from error


def base64_text(value: object) -> str:
    """Return bytes as text; raises TypeError for all else."""
    if isinstance(value, _BYTES):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


# Made once: json.dumps with options builds a new encoder for every call.
_encode_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=base64_text
).encode


def json_text(value: object, what: str) -> bytes:
    """Return compact JSON in UTF-8, with bytes as base64; ``what`` it is, for the TypeError."""
    try:
        text = _encode_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{what}: {error}") from error
    return utf8(text, what)


def _is_sendable_code(code: object) -> bool:
    """Say what ``websocket.frames.is_sendable_code`` says; this room needs no protocol to."""
    if not isinstance(code, int) or isinstance(code, bool):
        return False
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def _listed(fields: dict[object, object]) -> str:
    return ", ".join(repr(key) for key in fields) or "none"
