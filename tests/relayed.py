"""What the tests of both relays have in hand: a served app, its target, and who is relayed to it.

``tests.relaying`` and ``tests.streaming`` add what only WebSockets or only streams have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

from flask import Flask

from greenrelay import process
from greenrelay.core.pid import Pid
from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.web import GreenRelay
from tests.probe import Probe, assert_receive, settle, wait_for
from tests.serving import http, serving

# So much that a client that does not read is slow, whatever the system takes for it.
PAD = "x" * 100_000
COUNT = 200
P = TypeVar("P", bound=Process)


class Relayed(Generic[P]):
    """A served app whose view relays to ``target``; ``calls`` counts how often the view ran."""

    kind: type[P]
    path: ClassVar[str]
    join_topic: ClassVar[str]
    # On which a process sends to the client.
    send_topic: ClassVar[str]

    def __init__(self, app: Flask, address: str, target: Probe) -> None:
        self.app = app
        self.address = address
        self.target = target
        self.calls = 0

    @property
    def node(self) -> Node:
        """The node of the app."""
        return state_of(self.app).node

    def get(self, path: str = "", **options: Any) -> tuple[int, dict[str, str], str]:
        """Make a plain request, to the view unless ``path`` says otherwise."""
        return http(self.address, path or self.path, **options)

    def joined(self, target: Probe | None = None) -> Pid:
        """Wait for a join at the target and return the client's PID."""
        payload = assert_receive(target or self.target, topic=self.join_topic).payload
        return Pid.parse(payload["client_pid"])

    def found(self, client_pid: str) -> P:
        """Return the process of a client."""
        found = self.node.processes[client_pid]
        assert isinstance(found, self.kind)
        return found

    def all_found(self) -> list[P]:
        """Return the processes of all clients."""
        return [p for p in self.node.processes.values() if isinstance(p, self.kind)]

    def wait_gone(self, pid: str) -> None:
        """Wait until a process has ended."""
        wait_for(lambda: pid not in self.node.processes)

    def send_numbers(self, client_pid: str) -> list[bool]:
        """Send COUNT large numbered messages, as nobody who could wait."""
        return [self.node.send(client_pid, self.send_topic, f"{n} {PAD}") for n in range(COUNT)]

    def send_all(self, client_pid: str) -> list[bool]:
        """Send the same and the word "end", as the process that runs this, which may wait."""
        sent = [process.send(client_pid, self.send_topic, f"{n} {PAD}") for n in range(COUNT)]
        return [*sent, process.send(client_pid, self.send_topic, "end")]

    def has_stopped(self, values: list[int]) -> bool:
        """Whether ``values`` stays as it is while every process runs until it waits."""
        before = len(values)
        settle(self.node)
        return before == len(values)


Bench = TypeVar("Bench", bound=Relayed[Any])


@contextmanager
def relayed(
    kind: type[Bench],
    app: Flask,
    add: Callable[[Flask, Callable[[], Any]], object],
    answer: Callable[[Bench], Any],
    certificate: tuple[str, str] | None = None,
) -> Iterator[Bench]:
    """Serve ``app`` with one more view, which ``add`` puts there; ``answer`` is what it returns."""
    if "greenrelay" not in app.extensions:
        GreenRelay(app)
    found: list[Bench] = []

    def view() -> Any:
        bench = found[0]
        bench.calls += 1
        return answer(bench)

    add(app, view)
    with serving(app, certificate=certificate) as address, Probe(state_of(app).node) as target:
        found.append(kind(app, address, target))
        yield found[0]
