"""The session of two nodes: frames arrive in order and once, or both hear that some did not.

Source: Cluster, "Promises", rows order and delivery. Pure: bytes go out by a function, time comes
in as ``now``, and nothing here waits.

Theory. Each side numbers the frames it sends, from 1, within an epoch of its own; an epoch is a
number that only grows. The receiver takes frame n+1 after frame n and no other: what it has had
already it drops, and when one is missing it asks once (AGAIN) for everything from there on. The
sender keeps what has not been acknowledged (ACK, every ``ACK_FRAMES`` frames or at the next tick)
in a ring and sends it again. When nothing follows a lost frame, HEAD, sent when an ACK is overdue,
shows the gap.

The frames of an epoch have a hole, which no ring can fill, when more is to be kept than the ring
may hold, or no ACK comes for STALLED seconds. Then the sender forgets them and begins a higher
epoch: at a tick, as whoever sends may be in the midst of something that ``lost`` changes. Each side
calls ``lost`` once for it: the sender then, the other when it sees the new epoch, before anything
of it arrives. The other direction goes on as it was.

HELLO carries the own epoch and the one of the other side that is known here, 0 for none, and what
this release can read. A side whose epoch is not known to the other yet only keeps what it sends,
and says HELLO at each tick, with a request to answer. One that is told 0 although its epoch was
known has been forgotten: it calls ``lost`` and begins anew. Knowledge is never lost otherwise, so
this comes to rest whatever crosses on the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

from greenrelay.cluster import wire
from greenrelay.cluster.wire import VERSION, Frame, Kind, encode
from greenrelay.errors import EngineError

RING_FRAMES = 65_536
RING_BYTES = 32 * 1024 * 1024
ACK_FRAMES = 4_096
# Seconds: the tick, when a HEAD asks for an overdue ACK, when the session is over without one.
TICK = 0.1
OVERDUE = 0.3
# How many ticks a gap is waited for before it is asked for again: what was asked for is on its way.
ASK_TICKS = 3
STALLED = 10.0
# What a HELLO says: this release reads bundles, see bundle.py.
BUNDLES = 1
# How frames name the epoch of the other side before its HELLO.
NOT_KNOWN = -1
# As a plain number: it is compared for each frame.
_FIRST = int(Kind.MESSAGE)


class Session:
    """One side of a session; ``transmit`` sends bytes, or returns False when it cannot now.

    ``next_epoch`` returns a number above every one before. ``lost`` is called when frames of either
    direction may not have arrived, ``opened`` when frames begin to flow out after that or at all,
    ``count`` with a word for each frame that is dropped, or sent again.
    """

    __slots__ = (
        "_asked_ago",
        "_base",
        "_count",
        "_expected",
        "_has_asked",
        "_is_known",
        "_is_over",
        "_lost",
        "_next",
        "_next_epoch",
        "_next_out",
        "_opened",
        "_ring",
        "_ring_bytes",
        "_transmit",
        "_unacknowledged",
        "_waiting_since",
        "epoch",
        "is_first",
        "max_bytes",
        "max_frames",
        "reads_bundles",
        "remote",
        "room_waiters",
    )

    def __init__(
        self,
        transmit: Callable[[bytes], bool],
        next_epoch: Callable[[], int],
        *,
        opened: Callable[[], object],
        lost: Callable[[], object],
        count: Callable[[str], object],
    ) -> None:
        self._transmit = transmit
        self._next_epoch = next_epoch
        self._opened = opened
        self._lost = lost
        self._count = count
        self.max_frames = RING_FRAMES
        self.max_bytes = RING_BYTES
        self.room_waiters: list[Callable[[], object]] = []
        # The epoch of the other side, 0 until it is known, and what has come of it.
        self.remote = 0
        # Whether its release reads bundles.
        self.reads_bundles = False
        self._expected = 1
        self._unacknowledged = 0
        self._has_asked = False
        self._asked_ago = 0
        self._ring: deque[bytes] = deque()
        self._begin()
        # Whether the other side has known no epoch before this one, for all that is known here.
        self.is_first = True

    def _begin(self) -> None:
        self.is_first = False
        self.epoch = self._next_epoch()
        self._ring.clear()
        self._ring_bytes = 0
        # The number of the first frame in the ring, of the next to be made, of the next to go out.
        self._base = self._next = self._next_out = 1
        self._waiting_since: float | None = None
        # Whether the other side knows the epoch.
        self._is_known = False
        # Whether it has a hole, and what is sent until the next tick goes the same way.
        self._is_over = False

    @property
    def is_open(self) -> bool:
        """Whether frames flow out."""
        return self._is_known

    @property
    def is_full(self) -> bool:
        """Whether the ring takes no frame that may be refused."""
        return len(self._ring) >= self.max_frames or self._ring_bytes >= self.max_bytes

    def __len__(self) -> int:
        return len(self._ring)

    # out

    def hello(self, *, asks: bool = True) -> None:
        """Tell the other side of this one, and ask it to do the same."""
        epoch, remote = self.epoch, self.remote
        hello = (VERSION, Kind.HELLO, epoch, int(asks), "", "", "", remote, BUNDLES)
        self._transmit(encode(hello))

    def post(
        self,
        kind: int,
        to: str = "",
        sender: str = "",
        topic: str = "",
        ref: int = 0,
        context: object = None,
        payload: object = None,
    ) -> None:
        """Send a frame, now or when it can be sent; the session is over if that is too many.

        Raises UnsendablePayload as pack does, and then nothing was sent.
        """
        seq = self._next
        self._put(seq, wire.pack(kind, self.epoch, seq, to, sender, topic, ref, context, payload))

    def post_rest(self, kind: int, rest: bytes) -> None:
        """Send a frame as post does, whose ``rest`` several nodes get: see wire.pack_rest."""
        seq = self._next
        self._put(seq, wire.pack_head(kind, self.epoch, seq) + rest)

    def _put(self, seq: int, frame: bytes) -> None:
        ring = self._ring
        if self._is_over:
            return
        if len(ring) >= 2 * self.max_frames or self._ring_bytes >= 2 * self.max_bytes:
            # What may not be refused, such as the news of an ending, has its bound here.
            self._count("ring_overflow")
            self._is_over = True
            return
        self._next = seq + 1
        ring.append(frame)
        self._ring_bytes += len(frame)
        if self._next_out != seq or not self._is_known:
            return
        try:
            if self._transmit(frame):
                self._next_out = seq + 1
        except EngineError:
            # It is too large for this engine: who sends it hears so, and it leaves no gap.
            self._next = seq
            ring.pop()
            self._ring_bytes -= len(frame)
            raise

    def pump(self) -> None:
        """Send what waits to go out, as far as the engine takes it."""
        if not self._is_known:
            return
        epoch = self.epoch
        for frame in list(islice(self._ring, self._next_out - self._base, None)):
            try:
                if epoch != self.epoch or not self._transmit(frame):
                    return
            except EngineError:
                # Nobody waits any more to hear that it is too large, so the session is over.
                self._count("too_large")
                self.reset()
                return
            self._next_out += 1

    def reset(self) -> None:
        """Begin anew: what was sent may not have arrived."""
        self._begin()
        self._lost()
        self._tell_room()
        self.hello()

    def close(self) -> None:
        """End the session for good, telling nobody but those who wait for room."""
        self._is_known = False
        self._ring.clear()
        self._ring_bytes = 0
        self._tell_room()

    def resync(self) -> None:
        """Find out what was lost, on both ways: the engine says that it may have lost frames."""
        if self.remote:
            self._ask()
        if self._is_known:
            self._show_head()

    def tick(self, now: float) -> bool:
        """Do what is due every TICK seconds; False when nothing is to be done at the next one."""
        if self._is_over:
            self.reset()
        if self._unacknowledged:
            self._acknowledge()
        if self._has_asked:
            self._asked_ago += 1
            if self._asked_ago >= ASK_TICKS:
                self._ask()
        if not self._is_known:
            self.hello()
            return True
        if not self._ring:
            self._waiting_since = None
            return self._has_asked
        if self._next_out < self._next:
            self.pump()
        if self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since >= STALLED:
            self._count("stalled")
            self.reset()
        elif now - self._waiting_since >= OVERDUE:
            self._show_head()
        return True

    def pause(self) -> None:
        """Do not count the time the engine was away as time without an ACK."""
        self._waiting_since = None

    # in

    def receive(self, frame: Frame) -> bool:
        """Take a frame in; True when it is the next of the other side's, to be acted on."""
        if frame.kind < _FIRST:
            self._control(frame)
        elif frame.epoch != self.remote:
            self._count("stale_epoch")
        elif frame.seq == self._expected:
            self._expected += 1
            self._has_asked = False
            self._unacknowledged += 1
            if self._unacknowledged >= ACK_FRAMES:
                self._acknowledge()
            return True
        elif frame.seq < self._expected:
            self._count("repeated")
            self._unacknowledged += 1
        else:
            self._count("out_of_order")
            if not self._has_asked:
                self._ask()
        return False

    def _control(self, frame: Frame) -> None:
        if frame.kind == Kind.HELLO:
            self._on_hello(frame)
        elif frame.epoch != self.remote or frame.ref != self.epoch or not self._is_known:
            self._count("stale_epoch")
        elif frame.kind == Kind.ACK:
            self._on_ack(frame.seq)
        elif frame.kind == Kind.AGAIN:
            self._on_again(frame.seq)
        elif frame.seq >= self._expected:
            if not self._has_asked:
                self._ask()
        else:
            self._has_asked = False
            self._acknowledge()

    def _on_hello(self, frame: Frame) -> None:
        theirs, mine = frame.epoch, frame.ref
        if theirs <= 0 or theirs < self.remote:
            self._count("stale_epoch")
            return
        if isinstance(frame.context, int) and frame.context & BUNDLES:
            self.reads_bundles = True
        is_hole = is_new = False
        if theirs > self.remote:
            is_hole = self.remote != 0
            self.remote = theirs
            self._expected = 1
            self._unacknowledged = 0
            self._has_asked = False
        if mine == 0 and self._is_known:
            is_hole = True
            self._begin()
            self.is_first = True
        elif mine == self.epoch and not self._is_known:
            self._is_known = is_new = True
        if is_hole:
            self._lost()
            self._tell_room()
        if frame.seq or mine != self.epoch:
            self.hello(asks=mine != self.epoch)
        if self._is_known and (is_new or is_hole):
            self._opened()
            self.pump()

    def _on_ack(self, seq: int) -> None:
        if not self._base <= seq + 1 <= self._next:
            self._count("bad_ack")
            return
        ring = self._ring
        for _ in range(seq + 1 - self._base):
            self._ring_bytes -= len(ring.popleft())
        if seq + 1 > self._base:
            self._waiting_since = None
        self._base = seq + 1
        # A frame that came round twice may be acknowledged before it went out again.
        self._next_out = max(self._next_out, self._base)
        if (
            self.room_waiters
            and len(ring) <= self.max_frames // 2
            and (self._ring_bytes <= self.max_bytes // 2)
        ):
            self._tell_room()

    def _on_again(self, seq: int) -> None:
        if seq > self._next:
            self._count("bad_ack")
        elif seq < self._base:
            # Overtaken by the ACK of what it asks for: only what has an ACK leaves the ring.
            self._count("stale_again")
        else:
            self._on_ack(seq - 1)
            for _ in range(self._next_out - seq):
                self._count("resent")
            self._next_out = seq
            self.pump()
            if seq == self._next:
                # There is nothing from there on.
                self._show_head()

    def _acknowledge(self) -> None:
        self._unacknowledged = 0
        self._say(Kind.ACK, self._expected - 1)

    def _ask(self) -> None:
        self._has_asked = True
        self._asked_ago = 0
        self._say(Kind.AGAIN, self._expected)

    def _show_head(self) -> None:
        self._say(Kind.HEAD, self._next_out - 1)

    def _say(self, kind: int, seq: int) -> None:
        self._transmit(encode((VERSION, kind, self.epoch, seq, "", "", "", self.remote)))

    def _tell_room(self) -> None:
        waiters, self.room_waiters = self.room_waiters, []
        for function in waiters:
            function()
