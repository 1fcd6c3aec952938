"""The rows of a bucket and every change of them, in order and without holes.

Source: ADR-15 (ordered consumers) and ADR-17 of NATS. The server counts what it sends; when a count
is missing, a beat of the server's is, or the connection was lost, all rows are asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from secrets import token_hex

import msgspec

from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.bucket import Bucket, is_marker
from greenrelay.cluster.nats.parser import Message
from greenrelay.cluster.nats.table import Table, Told
from greenrelay.errors import EngineError

BEAT_SECONDS = 1.0
_SILENCE = 3.5
# The server forgets a consumer that nobody listens to.
_THRESHOLD_SECONDS = 30.0
_SECOND = 1_000_000_000
_CONTROL = 100


class Feed:
    """Keeps ``table`` like ``bucket``; ``tell`` hears what is different. It never waits but in
    ``restart``.
    """

    def __init__(self, bucket: Bucket, table: Table, tell: Callable[[Told], None]) -> None:
        self._bucket = bucket
        self._client = bucket.client
        self._table = table
        self._tell = tell
        self._sid = 0
        self._consumer = b""
        self._seen = 0
        self._is_broken = True
        self._heard_at = 0.0

    def needs_restart(self) -> bool:
        """Whether there may be holes in what has come."""
        return self._is_broken or time.monotonic() - self._heard_at > _SILENCE

    def break_off(self) -> None:
        """Take nothing more until ``restart``, as there may be holes."""
        self._is_broken = True

    def restart(self, subject: bytes) -> None:
        """Ask for all rows and their changes, to come to below ``subject``; waits.

        Raises EngineError.
        """
        self.stop()
        name = f"gr-{token_hex(8)}"
        self._consumer = name.encode()
        deliver = subject + b"." + self._consumer
        self._seen = 0
        self._is_broken = False
        self._heard_at = time.monotonic()
        self._table.begin()
        self._sid = self._client.subscribe(deliver, self._on_message)
        stream, rows = self._bucket.stream, self._bucket.prefix + ">"
        wish = _wish(stream, name, rows, deliver.decode())
        try:
            answer = self._bucket.call(f"CONSUMER.CREATE.{stream}.{name}.{rows}", wish)
        except EngineError:
            self._is_broken = True
            raise
        if answer.error is not None:
            self._is_broken = True
            why = f"stream {stream}: consumer: {answer.error.description}"
            raise EngineError(self._client.address.shown, why)
        if answer.num_pending == 0 and self._seen == 0 and not self._table.is_synced:
            self._tell(self._table.complete())

    def stop(self) -> None:
        """Get no more changes."""
        self._is_broken = True
        if self._sid:
            self._client.unsubscribe(self._sid)
            self._sid = 0

    def _on_message(self, message: Message) -> None:
        if self._is_broken:
            return
        self._heard_at = time.monotonic()
        _, subject, reply, header, data = message
        if header and wire.status_of(header) == _CONTROL:
            self._on_control(reply, wire.fields_of(header))
            return
        place = _place(reply)
        if place is None or place[0] != self._consumer or place[2] != self._seen + 1:
            self._is_broken = True
            self._client.counters["names: holes"] += 1
            return
        self._seen += 1
        key = subject.decode("utf-8", "replace").removeprefix(self._bucket.prefix)
        is_gone = bool(header) and is_marker(wire.fields_of(header))
        try:
            self._tell(self._table.put(key, None if is_gone else data, place[1]))
        except ValueError:
            self._client.counters["names: foreign rows"] += 1
        if place[3] == 0 and not self._table.is_synced:
            self._tell(self._table.complete())

    def _on_control(self, reply: bytes, fields: dict[str, str]) -> None:
        # Flow control wants an answer before more comes; a beat tells when it waits for one.
        wants = reply or fields.get("Nats-Consumer-Stalled", "").encode()
        if wants:
            self._client.command(wire.publish(wants, b""))
        last = fields.get("Nats-Last-Consumer", "")
        if last.isdigit() and int(last) != self._seen:
            self._is_broken = True
            self._client.counters["names: holes"] += 1


def _place(reply: bytes) -> tuple[bytes, int, int, int] | None:
    """Return (consumer, revision, count, how many are to come) of a delivered row."""
    words = reply.split(b".")
    # $JS.ACK and, from some servers, a domain and an account, and something random at the end.
    if len(words) == 12:
        words.pop()
    if len(words) not in (9, 11) or not all(word.isdigit() for word in words[-5:]):
        return None
    return words[-6], int(words[-4]), int(words[-3]), int(words[-1])


def _wish(stream: str, name: str, rows: str, deliver: str) -> bytes:
    config = {
        "name": name,
        "deliver_subject": deliver,
        "deliver_policy": "last_per_subject",
        "ack_policy": "none",
        "replay_policy": "instant",
        "filter_subject": rows,
        "max_deliver": 1,
        "flow_control": True,
        "idle_heartbeat": int(BEAT_SECONDS * _SECOND),
        "inactive_threshold": int(_THRESHOLD_SECONDS * _SECOND),
        "mem_storage": True,
        "num_replicas": 1,
    }
    return msgspec.json.encode({"stream_name": stream, "config": config})
