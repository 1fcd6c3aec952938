"""The subjects of one node of one application; pure.

Source: Cluster, "The engine". All of them begin with ``gr.APP``. Who sends is part of the subject,
so that permissions of the server can see to it that nobody sends as somebody else::

    gr.APP.n.TO.INCARNATION.f.FROM.INCARNATION    a frame, or c: a word between two engines
    gr.APP.n.TO.INCARNATION.r.>                   answers to requests, k: changes of names
    gr.APP.t.TOPIC.FROM.INCARNATION               a frame to all that have joined
    gr.APP.b.FROM.INCARNATION                     a beat
"""

from __future__ import annotations

from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats.subject import text_of, token_of

BEAT, HELLO, BACK, BYE = b"beat", b"hello", b"back", b"bye"
HERE, BURIED, PROBE = b"here", b"buried", b"probe"


class Subjects:
    """The subjects of ``me`` in ``app``."""

    def __init__(self, app: str, me: Member) -> None:
        self.prefix = f"gr.{token_of(app)}.".encode()
        self._me = _pair(me)
        self.own = self.prefix + b"n." + self._me
        self.beat = self.prefix + b"b." + self._me
        self.beats = self.prefix + b"b.*.*"
        self.frames = self.own + b".f.*.*"
        self.words = self.own + b".c.*.*"
        self.inbox = self.own + b".r"
        self.changes = self.own + b".k"

    def frame_to(self, member: Member) -> bytes:
        """Return where a frame to ``member`` goes."""
        return b"%bn.%b.f.%b" % (self.prefix, _pair(member), self._me)

    def word_to(self, member: Member) -> bytes:
        """Return where a word to the engine of ``member`` goes."""
        return b"%bn.%b.c.%b" % (self.prefix, _pair(member), self._me)

    def topic(self, topic: str) -> bytes:
        """Return where a frame to ``topic`` goes."""
        return b"%bt.%b.%b" % (self.prefix, token_of(topic).encode(), self._me)

    def of_topic(self, topic: str) -> bytes:
        """Return what brings the frames to ``topic``."""
        return b"%bt.%b.*.*" % (self.prefix, token_of(topic).encode())


def sender_of(subject: bytes) -> Member | None:
    """Return who has sent to a subject, by its two last tokens; None if they are not ours."""
    words = subject.rsplit(b".", 2)
    if len(words) != 3:
        return None
    name, rest = text_of(words[1]), text_of(words[2])
    if not name or not rest:
        return None
    life, dot, incarnation = rest.rpartition(".")
    return Member(f"{name}{dot}{life}", incarnation) if incarnation else None


def connection_name(app: str, member: Member) -> str:
    """Return what the server calls the connection of ``member``."""
    return f"gr.{token_of(app)}.{_pair(member).decode()}"


def _pair(member: Member) -> bytes:
    # What a node was named is a token by itself, so that permissions can be given to it before it
    # runs: the end of its id is new each time.
    name, dot, life = member.node.rpartition(".")
    rest = f"{life}{dot}{member.incarnation}" if dot else member.incarnation
    return f"{token_of(name or member.node)}.{token_of(rest)}".encode()
