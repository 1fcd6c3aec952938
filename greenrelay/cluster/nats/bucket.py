"""A table of the server with compare-and-set and rows that end by themselves: a KV bucket.

Source: ADR-8 (KV), ADR-43 (TTL of a message) and ADR-48 (TTL in KV) of NATS. It waits for each
answer and raises EngineError when none comes; it is for greenlets that may wait.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

import msgspec

from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.parser import Message
from greenrelay.errors import EngineError

_NOT_FOUND = 404
_EXISTS = 10058
_NOT_ENABLED = 10039
NO_JETSTREAM = "there is no JetStream in this account"
# No peers for the replicas, not the room for them, no cluster. To have no leader is none of these:
# there may be one in a moment.
_TOO_FEW_SERVERS = frozenset({10005, 10023, 10074})
# A cluster that is starting finds its third server within this time; one of fewer is then taken as
# it is.
_PATIENCE = 5.0
_WRONG_REVISION = frozenset({10071, 10164})
_SECOND = 1_000_000_000
# How long the server keeps that a row has ended, for those who watch.
_MARKER_SECONDS = 5
# One row is a name, its owner and a lease.
_MAX_ROW = 64 * 1024


class Conflict(Exception):
    """The row is not at the revision that was expected."""


class Hopeless(EngineError):
    """There can be no bucket here, however long it is waited for."""


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Stored(msgspec.Struct):
    """A message of a stream, as the leader returns it."""

    seq: int = 0
    hdrs: bytes = b""  # In base64, which msgspec reads.
    data: bytes = b""


class _Config(msgspec.Struct):
    """What of a stream's settings the names depend on: rows end when their lease does, and show it,
    and neither before nor to make room.
    """

    allow_msg_ttl: bool = False
    max_msgs_per_subject: int = -1
    max_age: int = 0
    discard: str = ""
    subject_delete_marker_ttl: int = 0

    @property
    def is_ours(self) -> bool:
        """Whether they are those of a bucket that was made here."""
        is_kept = self.max_age == 0 and self.discard == "new" and self.max_msgs_per_subject == 1
        return is_kept and self.allow_msg_ttl and self.subject_delete_marker_ttl > 0


class Answer(msgspec.Struct):
    """An answer of JetStream; what is not in it is empty."""

    error: _Error | None = None
    seq: int = 0
    created: str = ""
    # What the server's clock shows.
    ts: datetime | None = None
    num_pending: int = 0
    config: _Config = msgspec.field(default_factory=_Config)
    message: _Stored | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row: ``value`` is None if it has been deleted or has ended."""

    revision: int
    value: bytes | None


class Bucket:
    """The bucket ``name``; ``replicas`` is on how many servers it is, 0 for what suits them."""

    def __init__(self, client: Client, name: str, replicas: int, timeout: float = 3.0) -> None:
        self.client = client
        self.stream = f"KV_{name}"
        self.prefix = f"$KV.{name}."
        self._replicas = replicas
        self._timeout = timeout
        self._too_few_since = 0.0

    def ensure(self, timeout: float = 0.0) -> str:
        """Create it unless it is there; return when it was created, which tells it from others.

        Whether it is there is waited for ``timeout`` seconds, where that is not 0.
        """
        found = self.call(f"STREAM.INFO.{self.stream}", b"", timeout)
        if found.error is not None and found.error.code == _NOT_FOUND:
            found = self._create()
            if found.error is not None and found.error.err_code == _EXISTS:
                found = self.call(f"STREAM.INFO.{self.stream}", b"")
        if found.error is not None and found.error.err_code == _NOT_ENABLED:
            raise Hopeless(self.client.address.shown, NO_JETSTREAM)
        if found.error is not None:
            raise self._error(found.error.description)
        if not found.config.is_ours:
            why = "it is there and was not made by greenrelay; delete it"
            raise Hopeless(self.client.address.shown, f"stream {self.stream}: {why}")
        return found.created

    def skew(self) -> float:
        """Return by how many seconds the server's clock is ahead of this machine's.

        Half the time that the answer takes may be wrong of it.
        """
        asked_at = time.time()
        found = self.call(f"STREAM.INFO.{self.stream}", b"")
        answered_at = time.time()
        if found.ts is None:
            raise self._error("the server does not tell its time")
        return found.ts.timestamp() - (asked_at + answered_at) / 2

    def get(self, key: str) -> Row | None:
        """Return a row from the nearest server that has it, or None."""
        subject = f"$JS.API.DIRECT.GET.{self.stream}.{self.prefix}{key}"
        message = self.client.request(subject.encode(), b"", timeout=self._timeout)
        header = message[3]
        status = wire.status_of(header)
        if status == _NOT_FOUND:
            return None
        if status:
            raise self._error(header.decode("utf-8", "replace").strip())
        fields = wire.fields_of(header)
        revision = fields.get("Nats-Sequence", "")
        if not revision.isdigit():
            raise self._error("its answer has no Nats-Sequence")
        return _row(int(revision), fields, message[4])

    def get_exactly(self, key: str) -> Row | None:
        """Return a row as it is now, or None; the answer comes from the leader."""
        wish = msgspec.json.encode({"last_by_subj": self.prefix + key})
        found = self.call(f"STREAM.MSG.GET.{self.stream}", wish)
        if found.error is not None and found.error.code == _NOT_FOUND:
            return None
        if found.error is not None or found.message is None:
            raise self._error(found.error.description if found.error else "the answer is empty")
        fields = wire.fields_of(found.message.hdrs)
        return _row(found.message.seq, fields, found.message.data)

    def put(
        self, key: str, value: bytes, expected: int, ttl: float = 0.0, timeout: float = 0.0
    ) -> int:
        """Write a row that is at revision ``expected``, 0 for none; return its new one.

        It ends by itself after ``ttl`` seconds. The answer is waited for ``timeout`` seconds, where
        that is not 0. Raises Conflict.
        """
        fields = {"Nats-Expected-Last-Subject-Sequence": str(expected)}
        if ttl:
            fields["Nats-TTL"] = f"{int(ttl)}s"
        return self._publish(key, value, fields, timeout)

    def delete(self, key: str, expected: int) -> None:
        """Delete a row that is at revision ``expected``. Raises Conflict."""
        fields = {
            "KV-Operation": "DEL",
            "Nats-Expected-Last-Subject-Sequence": str(expected),
            "Nats-TTL": f"{_MARKER_SECONDS}s",
        }
        self._publish(key, b"", fields)

    def _publish(self, key: str, value: bytes, fields: dict[str, str], timeout: float = 0.0) -> int:
        subject = (self.prefix + key).encode()
        header = wire.header_of(fields)
        message = self.client.request(subject, value, header, timeout=timeout or self._timeout)
        answer = self._read(message)
        if answer.error is None:
            return answer.seq
        if answer.error.err_code in _WRONG_REVISION:
            raise Conflict(key)
        raise self._error(answer.error.description)

    def _create(self) -> Answer:
        replicas = self._replicas or (3 if self.client.info.cluster else 1)
        found = self.call(f"STREAM.CREATE.{self.stream}", self._wish(replicas))
        too_few = found.error is not None and found.error.err_code in _TOO_FEW_SERVERS
        if not too_few or self._replicas or replicas == 1:
            return found
        self._too_few_since = self._too_few_since or time.monotonic()
        if time.monotonic() - self._too_few_since >= _PATIENCE:
            found = self.call(f"STREAM.CREATE.{self.stream}", self._wish(1))
        return found

    def _wish(self, replicas: int) -> bytes:
        return msgspec.json.encode(
            {
                "name": self.stream,
                "subjects": [self.prefix + ">"],
                "storage": "memory",
                "num_replicas": replicas,
                "max_msgs_per_subject": 1,
                "max_msg_size": _MAX_ROW,
                "discard": "new",
                "retention": "limits",
                "deny_delete": True,
                "allow_rollup_hdrs": True,
                "allow_direct": True,
                "allow_msg_ttl": True,
                "subject_delete_marker_ttl": _MARKER_SECONDS * _SECOND,
            }
        )

    def call(self, name: str, wish: bytes, timeout: float = 0.0) -> Answer:
        """Return what JetStream answers to the request ``name`` of its interface."""
        subject = f"$JS.API.{name}".encode()
        return self._read(self.client.request(subject, wish, timeout=timeout or self._timeout))

    def _read(self, message: Message) -> Answer:
        try:
            return msgspec.json.decode(message[4], type=Answer)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._error(f"its answer cannot be read: {error}") from None

    def _error(self, why: str) -> EngineError:
        return EngineError(self.client.address.shown, f"stream {self.stream}: {why}")


def _row(revision: int, fields: dict[str, str], data: bytes) -> Row:
    return Row(revision, None if is_marker(fields) else data)


def is_marker(fields: dict[str, str]) -> bool:
    """Whether a message says that a row is no more."""
    return "Nats-Marker-Reason" in fields or fields.get("KV-Operation") in ("DEL", "PURGE")
