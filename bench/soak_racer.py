"""One racer of the soak: a node that wants names, ``python -m bench.soak_racer URL APP NODE``.

It reads a job a line and prints what becomes of it. ``hold NAME…`` takes names whenever it can, for
ever; when the input ends it prints when it has had each: a line ``held NAME FIRST LAST`` for each
time, on the clock that all programs of a machine share. ``race SEED COUNT`` claims names that
others claim as well, in an order that SEED and NODE give, and prints those it has got.

Theory. That a name was held is seen by asking ``whereis``; a program may stand still between any
two lines, so an answer is true of some moment between the times before and after the question. What
is certain is the time from after the first answer to before the last. Where that of two nodes
meets, a name has had two owners.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from dataclasses import dataclass

import gevent
from gevent.fileobject import FileObject

import greenrelay as gr

STEP = 0.004
# How long who has not got a name waits before the next try, at most.
PAUSE = 0.2
CLAIMERS = 10


@dataclass(slots=True)
class Session:
    """A time in which a name was held, as far as that is certain."""

    name: str
    first: float
    last: float


class Holder:
    """Takes one name again and again; what comes of it goes to ``sessions``."""

    def __init__(self, name: str, sessions: list[Session]) -> None:
        self._name = name
        self._sessions = sessions

    def run(self) -> None:
        """Be a process that does it, for ever."""
        while True:
            try:
                gr.register(self._name, scope="cluster")
            except (gr.NameTaken, gr.EngineError):
                gevent.sleep(random.uniform(PAUSE / 4, PAUSE))
                continue
            self._hold(gr.pid())
            self._forget_news()

    def _hold(self, me: gr.Pid) -> None:
        session: Session | None = None
        while True:
            before = time.monotonic()
            if gr.whereis(self._name) != me:
                return
            after = time.monotonic()
            if session is None:
                session = Session(self._name, after, after)
                self._sessions.append(session)
            session.last = max(before, session.first)
            gevent.sleep(STEP)

    def _forget_news(self) -> None:
        while len(gr.inbox()):
            gr.inbox().get_nowait()


class Race:
    """The claims of one node for names that others claim as well."""

    def __init__(self, node: gr.Node, seed: int, count: int) -> None:
        self._node = node
        self._seed = seed
        self._names = [f"race-{seed}-{number}" for number in range(count)]
        self.won: list[str] = []

    def run(self) -> None:
        """Claim all; returns when each has an owner, which is this node's process or another's."""
        random.Random(f"{self._seed} {self._node.name}").shuffle(self._names)
        owner = self._node.spawn(gr.receive, "never")
        parts = [self._names[start::CLAIMERS] for start in range(CLAIMERS)]
        gevent.joinall([gevent.spawn(self._claim, part, owner) for part in parts])

    def _claim(self, names: list[str], owner: gr.Pid) -> None:
        def register(name: str) -> bool:
            try:
                gr.register(name, owner, scope="cluster")
            except gr.NameTaken:
                return False
            return True

        for name in names:
            if self._node.run(register, name):
                self.won.append(name)


def main() -> None:
    """Do what is read until there is no more."""
    url, app, name = sys.argv[1:]
    # That names are lost is the point.
    logging.getLogger("greenrelay").setLevel(logging.ERROR)
    node = gr.Node(name, cluster=url, app=app)
    sessions: list[Session] = []
    print("ready", node.id, flush=True)
    for line in FileObject(sys.stdin.fileno(), "rb", closefd=False):
        match line.decode().split():
            case ["hold", *names]:
                for each in names:
                    node.spawn(Holder(each, sessions).run)
            case ["race", seed, count]:
                race = Race(node, int(seed), int(count))
                race.run()
                print("won", *race.won, flush=True)
    for session in sessions:
        print("held", session.name, session.first, session.last, flush=True)


if __name__ == "__main__":
    main()
