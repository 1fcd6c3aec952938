"""The engine on NATS: frames on core subjects, names in a KV bucket, beats for who is there.

Source: Cluster, "The engine" and "Promises". Frames go straight to the outbox of the client, and
come straight from its reader. A node that cannot reach the server for a while counts all others as
gone, lets go of its names, and comes back as another incarnation.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

import gevent

from greenrelay.cluster.address import Address
from greenrelay.cluster.engine import Member, Sink, Watcher
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.bucket import Bucket
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.connector import Patience
from greenrelay.cluster.nats.membership import Membership, Timing
from greenrelay.cluster.nats.names import Names
from greenrelay.cluster.nats.parser import MAX_SIZE, Message
from greenrelay.cluster.nats.rebirth import Rebirth
from greenrelay.cluster.nats.roster import Change, Down, Up, life_after
from greenrelay.cluster.nats.subject import text_of, token_of
from greenrelay.cluster.nats.subjects import Subjects, connection_name, sender_of
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cluster")
_DRAIN_SECONDS, _FLUSH_SECONDS = 3.0, 1.0
# Subjects that were made once, for nodes and topics that may come and go for ever.
_MAX_CACHED = 16_384


class NatsEngine:
    """The engine at ``address`` for one node of ``app``; ``me`` is which incarnation it is now."""

    def __init__(
        self,
        address: Address,
        app: str,
        *,
        timing: Timing | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._address = address
        self._app = app
        self._timing = timing or Timing()
        self._client = Client(address, self, patience=patience)
        self._bucket = Bucket(self._client, f"gr_{token_of(app)}_names", address.replicas)
        self._names = Names(self._bucket, address.lease, lambda: self._membership.subjects.changes)
        self._membership: Membership
        self._sink: Sink
        self._base = ""
        self._frames = 0
        self._sources: dict[bytes, str] = {}
        self._targets: dict[str, bytes] = {}
        self._topics: dict[str, bytes] = {}
        self._joined: dict[str, int] = {}
        self._limit = MAX_SIZE
        self._is_open = False
        self._is_cut_off = False
        self._rebirth = Rebirth()
        self._ticker: gevent.Greenlet[..., None] | None = None

    @property
    def me(self) -> Member:
        """This node as the others know it."""
        return self._membership.roster.me

    @property
    def counters(self) -> Counter[str]:
        """How often what was dropped or refused, by its reason."""
        return self._client.counters

    def start(self, me: Member, sink: Sink) -> None:
        """Connect and be seen; waits a few seconds at most. Raises EngineError."""
        for text in (me.node, me.incarnation):
            if text_of(token_of(text).encode()) != text:
                raise EngineError(self._address.shown, f"{text!r} cannot be part of a subject")
        if sender_of(Subjects(self._app, me).beat) != me:
            raise EngineError(self._address.shown, f"{me} cannot be told by a subject")
        self._base = me.incarnation
        self._sink = sink
        self._membership = Membership(self._client, self._app, me, self._timing, self)
        self._frames = self._client.subscribe(self._membership.subjects.frames, self._handler(None))
        try:
            self._client.start()
            # The others have heard of this node, and go on hearing while it waits for the names.
            self._ticker = gevent.spawn(self._tick)
            self._check_permissions()
            self._names.keeper.start()
        except BaseException:
            self.stop()
            raise
        self._is_open = True
        log.info("cluster: node %s is connected to %s", me.node, self._address.shown)

    def stop(self) -> None:
        """Say that this node leaves, and disconnect; waits a moment at most. Idempotent."""
        was_open, self._is_open = self._is_open, False
        if self._ticker is not None:
            self._ticker.kill()
            self._ticker = None
        if was_open:
            self._membership.leave()
            self._names.keeper.stop()
            self._client.flush(_FLUSH_SECONDS)
            log.info("cluster: node %s has left %s", self.me.node, self._address.shown)
        self._targets.clear()
        self._client.stop()
        self._names.break_off()
        if self._frames:
            self._membership.stop()

    def crash(self) -> None:
        """Be gone without a word, as if the program had been killed."""
        if self._is_open:
            self._is_open = False
            self._client.stop()
            self._names.keeper.stop()
        self.stop()

    def forked(self) -> None:
        """Be no more, in a forked child, where all of this is the parent's. Must not wait."""
        self._is_open = False
        if self._ticker is not None:
            self._ticker.kill(block=False)
        self._names.break_off(block=False)
        self._names.keeper.forked()
        self._client.forked()

    def skew(self) -> float:
        """Return by how many seconds the server's clock is ahead of this machine's; waits."""
        return self._bucket.skew()

    def drain(self) -> None:
        """Send what waits to be sent; waits a few seconds at most."""
        if self._is_open:
            self._client.flush(_DRAIN_SECONDS)

    def send(self, node: str, frame: bytes) -> bool:
        """Send a frame to a node; False when there is no room for it.

        To a node that is not there it is dropped and counted. Raises EngineError when it is too
        large.
        """
        target = self._targets.get(node)
        if target is None:
            self._client.counters["unknown node"] += 1
            return True
        return self._publish(target, frame)

    def publish(self, topic: str, frame: bytes) -> bool:
        """Send a frame to every other node that has joined ``topic``; as ``send``."""
        target = self._topics.get(topic)
        if target is None:
            if len(self._topics) >= _MAX_CACHED:
                self._topics.clear()
            target = self._topics[topic] = self._membership.subjects.topic(topic)
        return self._publish(target, frame)

    def join(self, topic: str) -> None:
        """Get what others publish on ``topic``; joining again changes nothing."""
        if topic not in self._joined:
            subject = self._membership.subjects.of_topic(topic)
            self._joined[topic] = self._client.subscribe(subject, self._handler(topic))

    def leave(self, topic: str) -> None:
        """Get it no more."""
        sid = self._joined.pop(topic, None)
        if sid is not None:
            self._client.unsubscribe(sid)

    def nodes(self) -> tuple[Member, ...]:
        """Return the other nodes that are there."""
        return self._membership.roster.members()

    def claim(self, name: str, owner: str) -> str:
        """Take a name for ``owner`` unless it is taken; return its owner; waits."""
        return self._open().claim(name, owner)

    def release(self, name: str, owner: str) -> None:
        """Give a name back, if ``owner`` has it by this node's claim; waits."""
        self._open().release(name, owner)

    def lookup(self, name: str) -> str | None:
        """Return the owner of a name, or None; may wait."""
        return self._open().lookup(name)

    def holds(self, name: str, owner: str) -> bool:
        """Whether ``owner`` has the name by this node's claim, by the clock; never waits."""
        return self._names.holds(name, owner)

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher(name, owner or None)`` for each name there is and each change after."""
        self._names.watch(watcher)

    def on_connecting(self) -> None:
        """Tell the client who it is: a node that was cut off is another incarnation."""
        self._client.name = connection_name(self._app, self.me)
        self._client.inbox = self._membership.subjects.inbox

    def greeting(self) -> bytes:
        """Return what the others hear first."""
        return self._membership.greeting()

    def on_up(self) -> None:
        """Go on, or begin anew, on a new connection."""
        was_new = self._membership.is_new
        self._is_cut_off = False
        self._limit = min(MAX_SIZE, self._client.info.max_payload)
        self._membership.on_up()
        if not self._is_open:
            return
        log.info("cluster: node %s is connected again", self.me.node)
        self._names.keeper.on_connection()
        self._sink.on_engine(True)
        if not was_new:
            for member in self.nodes():
                self._sink.on_gap(member.node)

    def on_down(self, why: str) -> None:
        """Take note that the connection is gone."""
        if self._is_open:
            log.warning("cluster: node %s has lost %s: %s", self.me.node, self._address.shown, why)
            self._sink.on_engine(False)

    def on_change(self, change: Change) -> None:
        """Tell that a node has come or gone."""
        if isinstance(change, Up):
            subject = self._membership.subjects.frame_to(change.member)
            self._targets[change.member.node] = subject
            self._sink.on_node_up(change.member)
        elif isinstance(change, Down):
            self._sources.clear()
            self._targets.pop(change.member.node, None)
            self._sink.on_node_down(change.member, change.reason)

    def on_back(self, member: Member) -> None:
        """Tell that frames of a node may have been lost."""
        self._sink.on_gap(member.node)

    def on_buried(self, by: Member) -> None:
        """Begin anew: another node has counted this incarnation as gone."""
        if not self._rebirth.want(time.monotonic()):
            return
        log.warning("cluster: node %s was taken for dead by %s", self.me.node, by.node)

    def _publish(self, target: bytes, frame: bytes) -> bool:
        if len(frame) > self._limit:
            why = f"a frame has {len(frame)} bytes; {self._limit} at most"
            raise EngineError(self._address.shown, why)
        return self._client.publish(target, frame)

    def _handler(self, topic: str | None) -> Callable[[Message], None]:
        # All of it stays the same object for as long as the engine lives, and each frame passes.
        sources, sink, active = self._sources, self._sink, self._membership.active

        def on_frame(message: Message) -> None:
            subject = message[1]
            source = sources.get(subject) or self._source_of(subject)
            if source is not None:
                active.add(source)
                sink.on_frame(source, message[4], topic)

        return on_frame

    def _source_of(self, subject: bytes) -> str | None:
        source = self._membership.introduce(subject)
        if source is not None:
            if len(self._sources) >= _MAX_CACHED:
                self._sources.clear()
            self._sources[subject] = source
        return source

    def _open(self) -> Names:
        if not self._is_open:
            raise EngineError(self._address.shown, "the engine has not started, or has stopped")
        return self._names

    def _check_permissions(self) -> None:
        """Raise EngineError if the server forbids what the engine cannot do without."""
        # A frame to itself, which the server brings nobody: whether it may send frames at all.
        self._client.command(wire.publish(self._membership.subjects.frame_to(self.me), b""))
        self._client.flush(_FLUSH_SECONDS)
        own = self._membership.subjects.prefix.decode()
        for text in self._client.refusals:
            if own in text:
                raise EngineError(self._address.shown, f"the server forbids it: {text}")

    def _tick(self) -> None:
        last = time.monotonic()
        while True:
            gevent.sleep(self._timing.tick)
            now = time.monotonic()
            try:
                self._turn(now, now - last)
            except Exception:
                # The sink must not raise; that it did must not end who watches the clock.
                self._client.counters["sink failed"] += 1
                log.exception("cluster: what node %s was told made it fail", self.me.node)
            last = now

    def _turn(self, now: float, since_last: float) -> None:
        self._names.keeper.tick()
        limit, client = self._timing.cut_off, self._client
        is_away = not client.is_connected and now - client.heard_at >= limit
        if since_last >= limit:
            self._begin_anew("it stood still")
        elif is_away and not self._is_cut_off:
            self._begin_anew("it cannot reach the server")
        elif self._rebirth.is_due(now):
            self._begin_anew("it was taken for dead")
        self._membership.tick(now)

    def _begin_anew(self, why: str) -> None:
        """Count all others as gone, let go of all names, and be another incarnation."""
        self._is_cut_off = True
        life = self._rebirth.begin(time.monotonic())
        me = Member(self.me.node, life_after(self._base, life))
        log.warning("cluster: node %s begins anew as %s: %s", me.node, me.incarnation, why)
        if dropped := self._client.outbox.forget_frames():
            self._client.counters["frame of a life before"] += dropped
        self._names.keeper.lose(why)
        self._topics.clear()
        self._membership.begin(me)
        self._client.resubscribe(self._frames, self._membership.subjects.frames)
        self._client.reconnect(why)
