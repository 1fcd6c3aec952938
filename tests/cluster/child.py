"""A node as an OS process: ``python -m tests.cluster.child URL APP NODE NAME…``.

It claims the names, prints what it is told, a line each, and answers every frame with the same.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

import gevent

from greenrelay.cluster.engine import Engine, Member
from greenrelay.cluster.engines import engine_at
from tests.probe import wait_for

ROOT = Path(__file__).parents[2]


class Printer:
    """A sink that prints."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        self.engine.send(source, frame)

    def on_node_up(self, member: Member) -> None:
        say("up", member.node, member.incarnation)

    def on_node_down(self, member: Member, reason: str) -> None:
        say("down", member.node, member.incarnation, reason)

    def on_gap(self, source: str) -> None:
        say("gap", source)

    def on_engine(self, is_reachable: bool) -> None:
        say("engine", is_reachable)


class Child:
    """A started child; ``output`` is what it has printed, a context manager kills it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._path = folder / "-".join(arguments[2:])
        command = [sys.executable, "-m", "tests.cluster.child", *arguments]
        with self._path.open("w") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def output(self) -> list[str]:
        """The lines so far."""
        return self._path.read_text().splitlines()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait_for(self, line: str, timeout: float = 30.0) -> None:
        """Wait until it has printed a line."""
        wait_for(lambda: line in self.output, timeout)


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


def main() -> None:
    """Be a node until killed."""
    url, app, node, *names = sys.argv[1:]
    engine = engine_at(url, app)
    engine.watch(lambda name, owner: say("name", name, owner))
    engine.start(Member(node, "i1"), Printer(engine))
    for name in names:
        engine.claim(name, node)
    say("ready")
    while True:
        gevent.sleep(0.05)
        for name in names:
            if not engine.holds(name, node):
                say("does not hold", name)
                names.remove(name)


if __name__ == "__main__":
    main()
