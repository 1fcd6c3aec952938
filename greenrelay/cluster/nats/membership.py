"""Who is there: beats, words between two engines, and what the server tells of connections.

Source: Cluster, "Promises", row failure. Each node beats twice a second on a subject that all hear.
One that has just come, or is back after its connection broke, says so, and each of the others
answers it. The server's news that a connection is gone is a suspicion only: the client may be
about to come back. So it is asked, a moment later, whether anybody listens for that incarnation.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import Protocol

import gevent
import msgspec
from gevent.pool import Group

from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.parser import Message
from greenrelay.cluster.nats.roster import Bury, Change, Clash, Roster, Up
from greenrelay.cluster.nats.subjects import (
    BACK,
    BEAT,
    BURIED,
    BYE,
    HELLO,
    HERE,
    PROBE,
    Subjects,
    connection_name,
    sender_of,
)

log = logging.getLogger("greenrelay.cluster")
EVENTS = b"$SYS.ACCOUNT.*.DISCONNECT"
# A server that stops in order lets its clients go on to others; they are alive.
_SHUTDOWN = "server shutdown"
_NO_RESPONDERS = 503
_PROBE_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: between beats, until silence is death, until a node that is cut off begins anew.

    ``suspicion`` is how long a node has to come back whose connection is gone.
    """

    beat: float = 0.5
    silence: float = 1.5
    cut_off: float = 3.0
    suspicion: float = 0.025
    tick: float = 0.1


class Listener(Protocol):
    """Who is told; nothing here may wait."""

    def on_change(self, change: Change) -> None:
        """A node has come or gone."""

    def on_back(self, member: Member) -> None:
        """A node that is there has lost its connection and has another."""

    def on_buried(self, by: Member) -> None:
        """Another node takes this incarnation for dead."""


class _Client(msgspec.Struct):
    name: str = ""


class _Disconnect(msgspec.Struct):
    """What counts in the server's news."""

    client: _Client = msgspec.field(default_factory=_Client)
    reason: str = ""


class Membership:
    """The other nodes of ``app``, as ``me`` hears of them over ``client``."""

    def __init__(
        self, client: Client, app: str, me: Member, timing: Timing, listener: Listener
    ) -> None:
        self.roster = Roster(me, timing.silence)
        self.subjects = Subjects(app, me)
        self.active: set[str] = set()
        self._client = client
        self._app = app
        self._timing = timing
        self._listener = listener
        self._is_new = True
        self._next_beat = 0.0
        self._probes = Group()
        # Anybody who may publish there can tell such news, as often as he likes.
        self._suspected: set[Member] = set()
        self._words = client.subscribe(self.subjects.words, self._on_word)
        client.subscribe(self.subjects.beats, self._on_beat)
        client.subscribe(EVENTS, self._on_event)

    @property
    def is_new(self) -> bool:
        """Whether this incarnation has not been connected yet."""
        return self._is_new

    def greeting(self) -> bytes:
        """Return what a new connection begins with."""
        return wire.publish(self.subjects.beat, HELLO if self._is_new else BACK)

    def on_up(self) -> None:
        """Give the others time to come back too, if the connection has broken."""
        self._is_new = False
        now = time.monotonic()
        for member in self.roster.members():
            self.roster.touch(member.node, now)

    def begin(self, me: Member) -> None:
        """Be another incarnation, from the next connection on."""
        self.subjects = Subjects(self._app, me)
        self._client.resubscribe(self._words, self.subjects.words)
        self._is_new = True
        self.active.clear()
        for change in self.roster.forget(me):
            self._listener.on_change(change)

    def leave(self) -> None:
        """Tell all that this node goes."""
        self._client.command(wire.publish(self.subjects.beat, BYE))

    def stop(self) -> None:
        """End what waits."""
        self._probes.kill()

    def tick(self, now: float) -> None:
        """Beat, and see who is silent."""
        if not self._client.is_connected:
            return
        if now >= self._next_beat:
            self._next_beat = now + self._timing.beat * random.uniform(0.9, 1.0)
            self._client.command(wire.publish(self.subjects.beat, BEAT))
        for node in self.active:
            self.roster.touch(node, now)
        self.active.clear()
        self._take(self.roster.silent(self._client.pulse.horizon))

    def introduce(self, subject: bytes) -> str | None:
        """Return which node a frame on ``subject`` is from, None if it must not be heard."""
        member = sender_of(subject)
        if member is None:
            self._client.counters["foreign subject"] += 1
            return None
        self._hear(member)
        if self.roster.get(member.node) == member:
            return member.node
        self._client.counters["frame of a dead incarnation"] += 1
        return None

    def _hear(self, member: Member) -> bool:
        """Take a sign of life; return whether the member has just come."""
        changes = self.roster.hear(member, time.monotonic())
        self._take(changes)
        return any(isinstance(change, Up) for change in changes)

    def _take(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            if isinstance(change, Bury):
                self._client.counters["buried"] += 1
                self._client.command(wire.publish(self.subjects.word_to(change.member), BURIED))
            elif isinstance(change, Clash):
                self._client.counters["name clash"] += 1
                log.error(
                    "cluster: another process is node %r too; give each a name of its own",
                    change.member.node,
                )
            else:
                self._listener.on_change(change)

    def _on_beat(self, message: Message) -> None:
        member, word = sender_of(message[1]), message[4]
        if member is None:
            self._client.counters["foreign subject"] += 1
            return
        if word == BYE:
            self._take(self.roster.end(member, "left"))
            return
        if word in (HELLO, BACK) and member.node != self.roster.me.node:
            # Before anything that is sent because it has come.
            self._client.command(wire.publish(self.subjects.word_to(member), HERE))
        elif word != BEAT:
            self._client.counters["unknown word"] += 1
        has_come = self._hear(member)
        if word == BACK and not has_come and self.roster.get(member.node) == member:
            self._listener.on_back(member)

    def _on_word(self, message: Message) -> None:
        member, word = sender_of(message[1]), message[4]
        if member is None:
            self._client.counters["foreign subject"] += 1
        elif word == BURIED:
            self._listener.on_buried(member)
        elif word == HERE:
            self._hear(member)
        elif word != PROBE:
            self._client.counters["unknown word"] += 1

    def _on_event(self, message: Message) -> None:
        try:
            news = msgspec.json.decode(message[4], type=_Disconnect)
        except (msgspec.DecodeError, RecursionError):
            self._client.counters["unknown event"] += 1
            return
        if news.reason.lower() == _SHUTDOWN:
            return
        for member in self.roster.members():
            is_named = connection_name(self._app, member) == news.client.name
            if is_named and member not in self._suspected:
                self._suspected.add(member)
                self._probes.add(gevent.spawn_later(self._timing.suspicion, self._probe, member))

    def _probe(self, member: Member) -> None:
        """Count a node as gone if nobody listens for it."""
        # What is told from here on may be news.
        self._suspected.discard(member)

        def answered(answer: Message | None) -> None:
            if answer is not None and wire.status_of(answer[3]) == _NO_RESPONDERS:
                self._take(self.roster.end(member, "disconnected"))

        token = self._client.ask(self.subjects.word_to(member), PROBE, answered)
        if token is not None:
            # One that is there does not answer.
            gevent.sleep(_PROBE_PATIENCE)
            self._client.forget(token)
