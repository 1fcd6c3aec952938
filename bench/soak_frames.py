"""Noise for the reader of a node: frames that are no frames, and frames that say nothing.

Two nodes are joined over a real engine, and a client that is none of them sends to one in the name
of the other, as only a node of the same account could. What the reader raised would be counted as
``failed``, and logged with its traceback.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import gevent

import greenrelay as gr
from greenrelay.cluster import bundle
from greenrelay.cluster.address import parse_address
from greenrelay.cluster.mesh import Mesh
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.nats.subjects import Subjects
from greenrelay.cluster.wire import Frame, Kind, encode

APP = "noise"
BURST = 50
PATIENCE = 60.0
# As those who wait for a process of the other node would find out: nobody is there to answer.
_LEFT_OUT = (Kind.HELLO, Kind.SPAWN, Kind.INFO)
_TEXTS = ("", "{", "{a@b|1}", "@x", "topic", "\x00", "{noise.1@app|1}")
_ODD: tuple[object, ...] = (
    None,
    -1,
    0,
    2**63,
    "",
    "{",
    b"x",
    [],
    {},
    [1, None],
    {"a": -1},
    1.5,
    True,
    ["a", "b", None],
)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """How many frames were sent, taken as the next of the session, dropped, and raised."""

    sent: int
    taken: int
    dropped: int
    raised: int


class Tracebacks(logging.Handler):
    """Counts what was logged with a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count it."""
        self.count += bool(record.exc_info)


class Nobody:
    """Whom the client works for, and who wants nothing."""

    def on_connecting(self) -> None:
        """Nothing has to be done."""

    def greeting(self) -> bytes:
        """Say nothing first."""
        return b""

    def on_up(self) -> None:
        """Nothing has to be done."""

    def on_down(self, why: str) -> None:
        """Nothing has to be done."""


def fuzz(url: str, count: int, chance: random.Random) -> Fuzzed:
    """Send ``count`` frames of noise to a node, which must answer calls afterwards."""
    tracebacks = Tracebacks()
    log = logging.getLogger("greenrelay")
    log.addHandler(tracebacks)
    client = Client(parse_address(url), Nobody())
    client.start()
    try:
        with (
            gr.Node("noise", cluster=url, app=APP) as node,
            gr.Node("other", cluster=url, app=APP) as other,
        ):
            answers, asks = other.spawn(answer), node.spawn(answer)
            sent, taken = _flood(client, node, other, count, chance)
            # Both ways, once they have found out what was said in their names.
            wait_until(lambda: node.run(ask, answers) and other.run(ask, asks))
            counts, counters = mesh_of(node).counts, engine_of(node).counters
            raised = counts["failed"] + counters["handler failed"] + counters["sink failed"]
    finally:
        client.stop()
        log.removeHandler(tracebacks)
    return Fuzzed(sent, taken, sent - taken, raised + tracebacks.count)


def _flood(
    client: Client, node: gr.Node, other: gr.Node, count: int, chance: random.Random
) -> tuple[int, int]:
    """Send ``count`` frames or a few more; return how many, and how many were the next ones."""
    wait_until(lambda: other.id in mesh_of(node).links and node.id in mesh_of(other).links)
    wait_until(lambda: mesh_of(node).links[other.id].session.is_open)
    engine = engine_of(node)
    subject = Subjects(APP, engine_of(other).me).frame_to(engine.me)
    session = mesh_of(node).links[other.id].session
    sent = taken = expected = epoch = messages = 0
    while sent < count:
        if not messages % BURST:
            # What was sent has come, and been answered: the session may have begun anew.
            client.flush(PATIENCE)
            engine._client.flush(PATIENCE)
            epoch, expected = session.remote, session._expected
        data = noise(chance, epoch, expected)
        client.publish(subject, data)
        messages += 1
        for frame in bundle.read(data):
            sent += 1
            if isinstance(frame, Frame) and (frame.epoch, frame.seq) == (epoch, expected):
                is_next = frame.kind >= Kind.MESSAGE
                taken, expected = taken + is_next, expected + is_next
    client.flush(PATIENCE)
    engine._client.flush(PATIENCE)
    return sent, taken


def noise(chance: random.Random, epoch: int, seq: int) -> bytes:
    """Return a piece of noise, or now and then several as a bundle, perhaps a broken one."""
    if chance.random() < 0.9:
        return piece(chance, epoch, seq)
    joined = bundle.join([piece(chance, epoch, seq + each) for each in range(chance.randrange(5))])
    return joined[: chance.choice((len(joined), chance.randrange(1, len(joined) + 1)))]


def piece(chance: random.Random, epoch: int, seq: int) -> bytes:
    """Return bytes, a frame in its turn with odd fields, or such a frame with noise in it."""
    form = chance.random()
    if form < 0.2:
        return chance.randbytes(chance.randrange(80))
    kind = chance.choice([each for each in Kind if each not in _LEFT_OUT])
    texts = [chance.choice(_TEXTS) for _ in range(3)]
    ref = chance.choice((0, 1, -5, 2**62, epoch))
    frame = encode((1, kind, epoch, seq, *texts, ref, chance.choice(_ODD), chance.choice(_ODD)))
    if form < 0.6:
        return frame
    noisy = bytearray(frame)
    for _ in range(chance.randrange(1, 4)):
        noisy[chance.randrange(len(noisy))] = chance.randrange(256)
    return bytes(noisy[: chance.randrange(1, len(noisy) + 1)])


def answer() -> None:
    """Answer calls, for ever."""
    for message in gr.inbox():
        if message.topic == "ask":
            gr.reply(message, "here")


def ask(target: gr.Pid) -> bool:
    """Whether a process of another node answers."""
    try:
        return bool(gr.call(target, "ask", timeout=1.0) == "here")
    except (gr.ProcessDown, gr.Timeout):
        return False


def mesh_of(node: gr.Node) -> Mesh:
    """Return the mesh of a node."""
    assert isinstance(node.cluster, Mesh)
    return node.cluster


def engine_of(node: gr.Node) -> NatsEngine:
    """Return the engine of a node."""
    engine = mesh_of(node).engine
    assert isinstance(engine, NatsEngine)
    return engine


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` is true; raises gevent.Timeout."""
    with gevent.Timeout(PATIENCE):
        while not condition():
            gevent.sleep(0.01)
