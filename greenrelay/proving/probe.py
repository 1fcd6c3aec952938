"""A process that records what it gets, for tests that look on from outside any process.

::

    with Probe(node) as probe:
        child = probe.do(spawn_monitored, work)
        assert_receive(probe, topic="done")
        assert_event(probe, kind="EXIT", pid=child)

Source: ``docs/testing.md``. Waiting is by news and not by looking again and again: a probe sets a
flag when something has come. Only the timeout of a failing assertion costs time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

import gevent
from gevent.event import Event as Flag

from greenrelay.core.events import Cancel, Event
from greenrelay.core.message import NO_CONTEXT, Message
from greenrelay.core.pid import Pid
from greenrelay.durations import format_duration, parse_duration
from greenrelay.runtime.messaging import receive
from greenrelay.runtime.node import Node
from greenrelay.runtime.relations import set_options
from greenrelay.runtime.waiter import Waiter

T = TypeVar("T")
Item = Message | Event
DO = "probe.do"
STOP = "probe.stop"
PATIENCE = 30.0
SHOWN_ITEMS = 20


class Probe:
    """One recording process of ``node``; a context manager that ends it.

    ``pid`` is its address and ``items`` are the messages and events it has got and no assertion
    has taken yet. It traps links unless told otherwise, and ends when it is cancelled.
    """

    def __init__(self, node: Node, *, name: str | None = None, trap_links: bool = True) -> None:
        self.node = node
        self.items: list[Item] = []
        self._news = Flag()
        self.pid: Pid = node.spawn(self._run, trap_links, name=name)

    def __repr__(self) -> str:
        return f"<Probe {self.pid} with {len(self.items)} items>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self.pid in self.node.processes

    def close(self) -> None:
        """End the process; returns when it has ended. Closing again changes nothing."""
        if self.is_alive:
            self.node.send(self.pid, STOP)
            wait_for(lambda: not self.is_alive)

    def do(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run ``function`` in the process and return its value or raise its error.

        Raises AssertionError when it takes longer than 30 s or the process has ended.
        """
        done = Flag()
        waiter = Waiter(done.set)
        request = Message(DO, lambda: function(*args, **kwargs), None, NO_CONTEXT, waiter)
        # Not by the node's routing, which refuses a function under strict_payloads: no payload of
        # the program's is meant here.
        process = self.node.processes.get(self.pid)
        if process is None or not process.deliver(request):
            raise AssertionError(f"{self.pid} has ended and cannot run {function!r}")
        if not done.wait(PATIENCE):
            raise AssertionError(f"{self.pid} did not run {function!r} within {PATIENCE:g} s")
        if waiter.error is not None:
            raise waiter.error
        return waiter.value  # type: ignore[return-value]

    def take(self, matches: Callable[[Item], bool], timeout: float | str) -> Item | None:
        """Take the first item that ``matches``; None when none has come within ``timeout``."""
        with silent_timeout(parse_duration(timeout)):
            while True:
                self._news.clear()
                for index, item in enumerate(self.items):
                    if matches(item):
                        return self.items.pop(index)
                self._news.wait()
        return None

    def describe(self) -> str:
        """Return what nobody has taken yet, a line each, for the text of a failure."""
        state = "" if self.is_alive else "\nIts process has ended."
        if not self.items:
            return f"Its inbox is empty.{state}"
        lines = [f"  {item!r}" for item in self.items[:SHOWN_ITEMS]]
        if len(self.items) > SHOWN_ITEMS:
            lines.append(f"  and {len(self.items) - SHOWN_ITEMS} more")
        return "\n".join([f"Its inbox held {len(self.items)} item(s):", *lines]) + state

    def _run(self, trap_links: bool) -> None:
        set_options(trap_links=trap_links)
        while True:
            item = receive()
            if isinstance(item, Message) and item.topic == DO:
                run_for(item)
            elif isinstance(item, Message) and item.topic == STOP:
                return
            else:
                self.items.append(item)
                self._news.set()
                if isinstance(item, Cancel):
                    return


def run_for(request: Message) -> None:
    """Run the function a ``probe.do`` carries and answer with what comes of it."""
    assert request.reply_to is not None
    assert callable(request.payload)
    try:
        value = request.payload()
    except Exception as error:
        request.reply_to.fail(error)
    else:
        request.reply_to.answer(value)


def settle(node: Node) -> None:
    """Let every process run until all wait; a few turns of the hub, no waiting for time.

    What comes through a socket or another thread may still be on its way afterwards.
    """
    for _ in range(5):
        gevent.sleep(0)
        wait_for(lambda: not len(node.supervisor) and not node.scheduler.is_busy)


def wait_for(condition: Callable[[], object], timeout: float | str = PATIENCE) -> None:
    """Yield to the hub until ``condition`` is true; AssertionError after ``timeout``."""
    with silent_timeout(parse_duration(timeout)):
        while not condition():
            gevent.sleep(0.001)
        return
    after = format_duration(parse_duration(timeout))
    raise AssertionError(f"still not true after {after}: {condition!r}")


def silent_timeout(seconds: float) -> gevent.Timeout:
    """Return a context manager whose body is left after ``seconds`` without an error."""
    return gevent.Timeout(seconds, False)  # type: ignore[arg-type]  # gevent's own idiom
