"""A process that records what it gets, for tests that look on from outside any process.

::

    with Probe(node) as probe:
        child = probe.do(spawn_monitored, work)
        assert_receive(probe, topic="done")
        assert_receive(probe, kind="EXIT")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

import gevent
from gevent.event import Event as Flag

from greenrelay.core.events import Cancel, Event
from greenrelay.core.message import Message
from greenrelay.runtime.messaging import receive
from greenrelay.runtime.node import Node
from greenrelay.runtime.relations import set_options
from greenrelay.runtime.waiter import Waiter

T = TypeVar("T")
DO = "probe.do"
STOP = "probe.stop"


class Probe:
    """One recording process of ``node``; a context manager that ends it.

    ``items`` are the messages and events it has got and no assert_receive has taken yet. It traps
    links unless told otherwise, and ends when it is cancelled.
    """

    def __init__(self, node: Node, *, name: str | None = None, trap_links: bool = True) -> None:
        self.node = node
        self.items: list[Message | Event] = []
        self._news = Flag()
        self.pid = node.spawn(self._run, trap_links, name=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; returns when it has ended."""
        self.node.send(self.pid, STOP)
        wait_for(lambda: self.pid not in self.node.processes)

    def do(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run ``function`` in the process and return its value or raise its error."""
        done = Flag()
        waiter = Waiter(done.set)
        self.node.route(self.pid, DO, lambda: function(*args, **kwargs), slot=waiter)
        assert done.wait(5), f"{self.pid} did not run {function!r}"
        if waiter.error is not None:
            raise waiter.error
        return waiter.value  # type: ignore[return-value]

    def take(self, matches: Callable[[Message | Event], bool], timeout: float) -> Message | Event:
        """Take the first recorded item that ``matches``; AssertionError after ``timeout``."""
        with silent_timeout(timeout):
            while True:
                for index, item in enumerate(self.items):
                    if matches(item):
                        return self.items.pop(index)
                self._news.clear()
                self._news.wait()
        raise AssertionError(f"{self.pid} did not get it within {timeout:g} s; got {self.items!r}")

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


def assert_receive(
    probe: Probe, *, topic: str | None = None, kind: str | None = None, timeout: float = 1
) -> Any:
    """Return the next item ``probe`` has got or gets within ``timeout`` seconds.

    With ``topic`` the next message with that topic, with ``kind`` (``"EXIT"``, ``"LINK_DOWN"``,
    ``"CANCEL"``) the next such event; the others stay.
    """

    def matches(item: Message | Event) -> bool:
        if isinstance(item, Message):
            return kind is None and topic in (None, item.topic)
        return topic is None and kind in (None, item.kind)

    return probe.take(matches, timeout)


def assert_nothing(probe: Probe) -> None:
    """Let the node come to rest and fail if ``probe`` has got anything that was not taken."""
    settle(probe.node)
    assert probe.items == []


def settle(node: Node) -> None:
    """Let every process run until all wait; a few turns of the hub, no waiting for time."""
    for _ in range(5):
        gevent.sleep(0)
        wait_for(lambda: not len(node.supervisor) and not node.scheduler.is_busy)


def wait_for(condition: Callable[[], object], timeout: float = 5) -> None:
    """Yield to the hub until ``condition`` is true; AssertionError after ``timeout`` seconds."""
    with silent_timeout(timeout):
        while not condition():
            gevent.sleep(0.001)
        return
    raise AssertionError(f"still not true after {timeout:g} s")


def silent_timeout(seconds: float) -> gevent.Timeout:
    """Return a context manager whose body is left after ``seconds`` without an error."""
    return gevent.Timeout(seconds, False)  # type: ignore[arg-type]  # gevent's own idiom
