"""Reads what applications have counted and writes it into the metrics.

Source: Operations, "Metrics and health". Nothing is written when a message passes: plain integers
are read here, when somebody asks and every few seconds.

Theory. A counter of prometheus-client can only grow by so much, and what is read is a total. So
what was written last is kept for each total, and the difference is added. A total may go back by a
little (a message that was dropped is taken back): then nothing is added until it has caught up.
How long a message has waited is not known either, as none knows when it was sent. But an inbox that
had received so many at one reading, and has handed out fewer at a later one, still has one of them:
that has waited at least for the time between the two, and nothing was written for it.

What is over is read before what is open, so a connection that ends meanwhile is counted once.

A walk over very many processes takes long, so a reading is a generator that pauses: whoever drives
it lets others run in between.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from greenrelay.core.pid import Pid
from greenrelay.core.strategy import ChildState
from greenrelay.metrics.cluster import DROPPED, REFUSED, RESENT, ClusterReader, reasons_of
from greenrelay.metrics.instruments import Instruments
from greenrelay.metrics.source import Source, nodes
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.transport.connection import Connection
from greenrelay.transport.ledger import ACCEPTED, CLIENT, STREAM, Figures, Ledger, Traffic

Labels = tuple[str, ...]
# How many processes or connections are looked at between two pauses.
STRIDE = 500
# Beyond so many entries the rest are one.
MAX_ENTRIES = 100
OTHER = "other"
_UP = (ChildState.RUNNING, ChildState.EXITED)


@dataclass(frozen=True, slots=True)
class _Unread:
    """An inbox with unread messages: how many it had ``received`` when it was looked at."""

    received: int
    at: float


class Snapshot:
    """Writes into ``instruments``, as often as it is asked to."""

    def __init__(self, instruments: Instruments) -> None:
        self._to = instruments
        # By who has counted, what and its labels: the total that was written last.
        self._written: MutableMapping[object, dict[tuple[int, Labels], float]] = WeakKeyDictionary()
        # What each gauge was set for, to be set to 0 when there is nothing any more.
        self._set: defaultdict[int, set[Labels]] = defaultdict(set)
        self._clusters = ClusterReader()
        # What was unread at the last reading.
        self._seen_unread: MutableMapping[Node, dict[Pid, _Unread]] = WeakKeyDictionary()

    def take(self, observed: Iterable[Source]) -> Iterator[None]:
        """Read and write everything, with pauses."""
        observed = tuple(observed)
        yield from self._connections(observed)
        found = nodes(observed)
        yield from self._nodes(found)
        self._cluster(found)

    # sockets and streams

    def _connections(self, observed: tuple[Source, ...]) -> Iterator[None]:
        to = self._to
        open_now: Tally[Labels] = Tally()
        queued: Tally[Labels] = Tally()
        deepest: Tally[Labels] = Tally()
        rtts: list[float] = []
        for source in observed:
            ledger = source.connections.ledger
            traffic = {each: Traffic() for each in ledger.routes.values()}
            for each in traffic:
                traffic[each].add(each.past)
                labels = (each.kind, each.route)
                open_now[labels] += each.open
                # Also where nothing waits.
                queued[labels] += 0
                deepest[labels] += 0
            for index, connection in enumerate(source.connections):
                figures = connection.figures
                if figures not in traffic:
                    continue
                _read(connection, traffic[figures], rtts)
                labels = (figures.kind, figures.route)
                depth = connection.depth()
                queued[labels] += depth
                deepest[labels] = max(deepest[labels], depth)
                if index % STRIDE == STRIDE - 1:
                    yield
            self._ledger(ledger, traffic)
        self._gauge(to.open, open_now)
        self._gauge(to.queued, queued)
        self._gauge(to.deepest_queue, deepest)
        to.rtt_max.set(max(rtts, default=0.0))
        to.rtt_sum.set(sum(rtts))
        to.rtt_sockets.set(len(rtts))

    def _ledger(self, ledger: Ledger, traffic: dict[Figures, Traffic]) -> None:
        to = self._to
        for (kind, route, outcome), count in tuple(ledger.asked.items()):
            result, cause = (ACCEPTED, "") if outcome == ACCEPTED else ("refused", outcome)
            self._total(ledger, to.asked, (kind, route, result, cause), count)
        for figures, found in traffic.items():
            labels = (figures.kind, figures.route)
            self._total(ledger, to.messages, (*labels, "in"), found.messages_in)
            self._total(ledger, to.messages, (*labels, "out"), found.messages_out)
            self._total(ledger, to.bytes, (*labels, "in"), found.bytes_in)
            self._total(ledger, to.bytes, (*labels, "out"), found.bytes_out)
            for policy, count in figures.drops.items():
                self._total(ledger, to.dropped, (*labels, policy), count)
            closes: Tally[Labels] = Tally()
            for (code, side), count in figures.closes.items():
                closes[(*labels, code_label(figures.kind, code, side), side)] += count
            for close, count in closes.items():
                self._total(ledger, to.closes, close, count)
        self._total(ledger, to.drains, (), ledger.drains)
        self._total(ledger, to.drain_seconds, (), ledger.drain_seconds)

    # processes

    def _nodes(self, found: tuple[Node, ...]) -> Iterator[None]:
        to = self._to
        processes: Tally[Labels] = Tally()
        inbox: Tally[Labels] = Tally()
        deepest: Tally[Labels] = Tally()
        waits: defaultdict[Labels, float] = defaultdict(float)
        entries: Tally[Labels] = Tally()
        services: Tally[Labels] = Tally()
        for node in found:
            for host in tuple(node.hosts.values()):
                processes[(host.id,)] += host.count
                self._total(node, to.inbox_dropped, (host.id,), host.dropped)
            for info in tuple(node.services.values()):
                services[(info.id,)] += info.state in _UP
                self._total(node, to.restarts, (info.id,), info.restarts, may_restart=True)
            yield from self._walk(node, inbox, deepest, waits, entries)
        for gauge, values in (
            (to.processes, processes),
            (to.inbox, inbox),
            (to.deepest_inbox, deepest),
            (to.longest_wait, waits),
            (to.entries, entries),
            (to.services, services),
        ):
            self._gauge(gauge, values)

    def _walk(
        self,
        node: Node,
        inbox: Tally[Labels],
        deepest: Tally[Labels],
        waits: defaultdict[Labels, float],
        entries: Tally[Labels],
    ) -> Iterator[None]:
        """Look into every inbox, and count the processes of each entry that has an id."""
        unread: dict[Pid, _Unread] = {}
        for index, process in enumerate(tuple(node.processes.values())):
            _count_entry(process.entry_object, entries)
            depth = 0 if isinstance(process, Connection) else process.depth()
            if depth:
                host = (process.host.id,)
                inbox[host] += depth
                deepest[host] = max(deepest[host], depth)
                now = node.timers.now()
                seen = unread[process.pid] = self._unread(node, process, depth, now)
                waits[host] = max(waits[host], now - seen.at)
            if index % STRIDE == STRIDE - 1:
                yield
        self._seen_unread[node] = unread

    def _unread(self, node: Node, process: Process, depth: int, now: float) -> _Unread:
        """Return since when a message that is unread has been seen to wait."""
        seen = self._seen_unread.get(node, {}).get(process.pid)
        # So many have been read that one of those seen then is not among them.
        if seen is not None and process.received - depth < seen.received:
            return seen
        return _Unread(process.received, now)

    # clusters

    def _cluster(self, found: tuple[Node, ...]) -> None:
        to, seen = self._to.cluster, []
        for node in found:
            figures = self._clusters.read(node)
            if figures is None:
                continue
            seen.append(figures)
            self._total(node, to.frames, ("out",), self._clusters.sent[node.id])
            self._total(node, to.frames, ("in",), self._clusters.received[node.id])
            self._reasons(node)
        self._clusters.keep(found)
        waiting = [number for each in seen for number in each.waiting]
        to.up.set(sum(each.is_reachable for each in seen))
        to.nodes.set(max((each.others for each in seen), default=0))
        to.nodes_min.set(min((each.others for each in seen), default=0))
        to.names.set(sum(each.names for each in seen))
        to.waiting.set(sum(waiting))
        to.waiting_max.set(max(waiting, default=0))

    def _reasons(self, node: Node) -> None:
        to = self._to.cluster
        for reason, count in reasons_of(node):
            if reason == RESENT:
                self._total(node, to.resent, (), count)
                continue
            counter = to.incidents
            if reason in REFUSED:
                counter = to.refused
            elif reason in DROPPED:
                counter = to.dropped
            self._total(node, counter, (reason,), count)

    # writing

    def _gauge(self, gauge: Any, values: Tally[Labels] | defaultdict[Labels, float]) -> None:
        known = self._set[id(gauge)]
        known.update(values)
        for labels in known:
            gauge.labels(*labels).set(values[labels])

    def _total(
        self,
        owner: object,
        counter: Any,
        labels: Labels,
        total: float,
        *,
        may_restart: bool = False,
    ) -> None:
        """Let ``counter`` grow to ``total``; one that ``may_restart`` begins again from 0."""
        written = self._written.setdefault(owner, {})
        key = (id(counter), labels)
        last = written.get(key, 0)
        if may_restart and total < last:
            last = 0
        if total < last:
            return
        written[key] = total
        # Also by 0: what is there can be seen before it has happened.
        (counter.labels(*labels) if labels else counter).inc(total - last)


def code_label(kind: str, code: int | None, side: str) -> str:
    """Return how a close code is shown; of a client's own ones only the range, for they are its.

    Streams have none.
    """
    if kind == STREAM or code is None:
        return ""
    if side == CLIENT and code >= 3000:
        return f"{code // 1000}xxx"
    return str(code)


def _read(connection: Any, traffic: Traffic, rtts: list[float]) -> None:
    socket = connection.socket
    traffic.messages_out += connection.messages_out
    traffic.bytes_in += socket.bytes_in
    traffic.bytes_out += socket.bytes_out
    if isinstance(connection, Connection):
        traffic.messages_in += connection.session.message_count
        rtt = connection._pulse.rtt
        if rtt is not None:
            rtts.append(rtt)


def _count_entry(entry: object, entries: Tally[Labels]) -> None:
    # Not "GET /path", which is a request, nor "websocket", nor a callable.
    if isinstance(entry, str) and ":" in entry and " " not in entry:
        label = (entry,)
        if label not in entries and len(entries) >= MAX_ENTRIES:
            label = (OTHER,)
        entries[label] += 1
