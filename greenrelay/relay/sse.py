"""One stream of server-sent events: what its client reads and what its target hears.

Source: Server-sent Events Relay; the format is that of the HTML standard, "Server-sent events",
"Parsing an event stream". Nothing here knows a socket: the stream around it does.

Theory of the format. A line ends with CR LF, LF or CR, whichever comes, so no field may have one
in it: those of the data begin a ``data:`` line of their own each, and the client puts a LF between
them; the name of an event has none. One space after the colon is the client's to throw away,
which is why there always is one. An event without data would never be dispatched, so there is at
least one ``data:`` line. ``id:`` is a number, and only what comes from processes has one: what the
relay itself says leaves the client's last event ID as it is.
"""

from __future__ import annotations

import re

from greenrelay.errors import InvalidEventName
from greenrelay.relay.session import base64_text, json_text, utf8
from greenrelay.relay.sse_command import (
    ANY_TOPIC,
    DEFAULT_TOPIC,
    DONE,
    OWN_EVENTS,
    READY,
    RESERVED_TOPICS,
)

PING = b": ping\n\n"
HEARTBEAT = b": heartbeat\n\n"
CLOSED = "closed by server"
TARGET_EXITED = "target exited"
TARGET_FAILED = "target failed"

_LINE_END = re.compile(r"\r\n|\r|\n")
_CLOSE_KEYS = frozenset({"reason"})


class StreamSession:
    """What the relay tells the target of one stream: a join and a leave, in the WebSocket's shape.

    Of that shape ``subprotocol``, ``code`` and ``rtt`` are None: a stream has none of them. All
    but ``client_pid``, ``path``, ``remote_addr`` and ``last_event_id`` change with a control;
    ``target_pid`` is None as long as the stream is detached.
    """

    __slots__ = (
        "client_pid",
        "last_event_id",
        "message_topic",
        "metadata",
        "next_id",
        "path",
        "remote_addr",
        "target_pid",
    )

    def __init__(
        self,
        client_pid: str,
        target_pid: str | None,
        *,
        message_topic: str = DEFAULT_TOPIC,
        metadata: dict[str, object] | None = None,
        path: str = "/",
        remote_addr: str = "",
        last_event_id: str | None = None,
    ) -> None:
        self.client_pid = client_pid
        self.target_pid = target_pid
        self.message_topic = message_topic
        self.metadata = {} if metadata is None else metadata
        self.path = path
        self.remote_addr = remote_addr
        self.last_event_id = last_event_id
        self.next_id = 1

    def carries(self, topic: str) -> bool:
        """Whether a message on ``topic`` becomes an event."""
        if topic == self.message_topic:
            return True
        return self.message_topic == ANY_TOPIC and topic not in RESERVED_TOPICS

    def join(self, reason: str = "") -> dict[str, object]:
        """Return the ``sse.join`` payload.

        Where no reason is given it is connect, or resume for a client that was here before.
        """
        how = "connect" if self.last_event_id is None else "resume"
        return {
            "client_pid": self.client_pid,
            "metadata": self.metadata,
            "subprotocol": None,
            "path": self.path,
            "remote_addr": self.remote_addr,
            "reason": reason or how,
            "last_event_id": self.last_event_id,
        }

    def leave(self, reason: str, clean: bool) -> dict[str, object]:
        """Return the ``sse.leave`` payload; take it before a transfer changes the metadata."""
        return {
            "client_pid": self.client_pid,
            "reason": reason,
            "code": None,
            "clean": clean,
            "metadata": self.metadata,
        }

    def ready(self) -> bytes:
        """Return the first event of a detached stream."""
        fields = {"stream_pid": self.client_pid, "message_topic": self.message_topic}
        return _own_event(READY, fields)


def event(topic: str, payload: object) -> bytes:
    """Return the event that ``payload`` sent on ``topic`` becomes, without its ``id:``.

    Text is the data as it is, bytes are base64, anything else is JSON. Raises InvalidEventName
    for a topic that cannot name an event and TypeError for a payload that JSON cannot hold.
    """
    if "\n" in topic or "\r" in topic:
        raise InvalidEventName(topic, "it must not have a line break in it")
    if topic in OWN_EVENTS:
        raise InvalidEventName(topic, "the relay itself has an event of that name")
    if isinstance(payload, str):
        data = utf8("\ndata: ".join(_LINE_END.split(payload)), f"payload of {topic!r}")
    elif isinstance(payload, bytes | bytearray | memoryview):
        data = base64_text(payload).encode()
    else:
        # JSON has no line break in it.
        data = json_text(payload, f"payload of {topic!r}")
    return b"event: %b\ndata: %b\n\n" % (utf8(topic, "topic"), data)


def numbered(number: int, unnumbered: bytes) -> bytes:
    """Return an event with its ``id:``."""
    return b"id: %d\n%b" % (number, unnumbered)


def done(reason: str) -> bytes:
    """Return the last event of a stream; what UTF-8 cannot hold of the reason is replaced."""
    return _own_event(DONE, {"reason": reason.encode(errors="replace").decode()})


def retry(seconds: float) -> bytes:
    """Return the line that says how long a client waits before it connects again."""
    return b"retry: %d\n\n" % round(seconds * 1000)


def closing(payload: object) -> str:
    """Return the reason in a ``sse.close`` payload: {"reason": str}, a reason, or None.

    Raises TypeError for all else.
    """
    if isinstance(payload, dict):
        if not payload.keys() <= _CLOSE_KEYS:
            keys = ", ".join(repr(key) for key in payload)
            raise TypeError(f"sse.close: the keys are {keys}; known is 'reason'")
        payload = payload.get("reason")
    if payload is None:
        return CLOSED
    if not isinstance(payload, str):
        kind = type(payload).__name__
        raise TypeError(f'sse.close: it is {kind}; it must be {{"reason": str}}, a reason or None')
    utf8(payload, "reason of 'sse.close'")
    return payload


def target_ended(is_normal: bool) -> str:
    """Return the reason for the client when the target has ended."""
    return TARGET_EXITED if is_normal else TARGET_FAILED


def last_event_id(header: str | None) -> str | None:
    """Return the text of a ``Last-Event-ID`` header as WSGI has it: UTF-8 taken for Latin-1."""
    if not header:
        return None
    return header.encode("latin-1", "replace").decode("utf-8", "replace")


def _own_event(name: str, fields: dict[str, str]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json_text(fields, f"data of {name!r}"))
