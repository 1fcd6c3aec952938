"""Keeps the metrics of this OS process up to date, and shows those of all.

Source: Operations, "Metrics and health" ("multi-process safe"). Each worker writes its own figures,
every PERIOD seconds and when it is asked for them; whichever worker is asked then adds up what all
have written. So what one shows of the others is up to PERIOD seconds old.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

import gevent

from greenrelay.metrics import instruments as shown
from greenrelay.metrics.snapshot import Snapshot
from greenrelay.metrics.source import sources
from greenrelay.runtime.node import Node

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
except ImportError:  # It is an extra.
    pass

PERIOD = 5.0
# How long others run at least between two parts of a look at everything, in seconds.
REST = 0.001
# How often a timer looks how late it is.
BEAT = 0.5
_GAUGES = re.compile(r"gauge_live\w+_(\d+)\.db")


class Publisher:
    """Writes the figures of every application of this OS process."""

    def __init__(self) -> None:
        self._snapshot = Snapshot(shown.instruments())
        self._lag = shown.instruments().lag
        self._beats: WeakKeyDictionary[Node, Beat] = WeakKeyDictionary()

    def publish(self) -> None:
        """Write all figures; it lets others run in between."""
        for _ in self._snapshot.take(sources()):
            # By a timer: of callbacks, as of ``sleep(0)``, gevent runs many before it looks at a
            # socket.
            gevent.sleep(REST)

    def publish_at_once(self) -> None:
        """Write all figures, waiting for nobody."""
        for _ in self._snapshot.take(sources()):
            pass

    def follow(self, node: Node) -> None:
        """Write the figures of all from time to time, by the timers of ``node``."""
        if node not in self._beats and not node.is_stopped:
            self._beats[node] = Beat(node, self._lag.observe, self._snapshot)


class Beat:
    """A timer of one node that measures how late it is, and publishes now and then."""

    def __init__(self, node: Node, observe: Callable[[float], object], snapshot: Snapshot) -> None:
        self._timers = node.timers
        self._observe = observe
        self._snapshot = snapshot
        self._due_at = 0.0
        self._publish_at = self._timers.now() + PERIOD
        self._arm()

    def _arm(self) -> None:
        self._due_at = self._timers.now() + BEAT
        self._timers.call_after(BEAT, self.beat)

    def beat(self) -> None:
        """Measure, publish if it is time, and beat again."""
        now = self._timers.now()
        self._observe(max(0.0, now - self._due_at))
        if now >= self._publish_at:
            self._publish_at = now + PERIOD
            self._go_on(self._snapshot.take(sources()).__next__)
        self._arm()

    def _go_on(self, step: Callable[[], None]) -> None:
        """Take one step, and the next one when others have had their turn."""
        with contextlib.suppress(StopIteration):
            step()
            self._timers.call_after(0.0, lambda: self._go_on(step))


@lru_cache(maxsize=1)
def publisher() -> Publisher:
    """Return the one of this OS process; raises ConfigError without prometheus-client."""
    return Publisher()


def follow(node: Node) -> None:
    """Measure ``node`` from now on if anything in this OS process shows metrics."""
    if publisher.cache_info().currsize and _has_hub():
        publisher().follow(node)


def _has_hub() -> bool:
    # In a thread that no hub runs, such as one of Werkzeug's server, no timer would ever fire. For
    # the main one a hub runs whenever it waits.
    is_main = threading.get_ident() == threading.main_thread().ident
    return is_main or gevent.getcurrent().parent is not None


def publish_last() -> None:
    """Write the figures once more before this OS process ends, if anything shows metrics."""
    if publisher.cache_info().currsize:
        publisher().publish_at_once()


def exposition(accept: str) -> tuple[bytes, str]:
    """Return the metrics of all workers and their media type, of those that ``accept`` allows.

    It lets others run meanwhile. Raises ConfigError without prometheus-client.
    """
    publisher().publish()
    registry = REGISTRY
    folder = os.environ.get(shown.SHARED)
    if folder:
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def _forget_the_dead(folder: Path) -> None:
    """Drop the gauges of workers that have ended: what they had open is not open any more."""
    for file in folder.glob("gauge_live*.db"):
        found = _GAUGES.fullmatch(file.name)
        if found and not _is_alive(int(found[1])):
            # Another worker may be at it, too.
            with contextlib.suppress(FileNotFoundError):
                mark_process_dead(found[1], str(folder))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
