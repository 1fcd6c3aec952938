"""The metrics of greenrelay as prometheus-client has them: their names, labels and meanings.

Source: Operations, "Metrics and health"; ``docs/operations/metrics.md`` describes each. No label
holds a PID, a user or a path: ``endpoint`` is the pattern of a route.

They are made when the first of them is used, once for the OS process, in prometheus-client's own
registry: so they stand beside those of the program, and where ``PROMETHEUS_MULTIPROC_DIR`` is set
each worker keeps them in files that all workers read.
"""

from __future__ import annotations

import os
from functools import lru_cache

from greenrelay.errors import ConfigError

try:
    from prometheus_client import Counter, Gauge, Histogram
except ImportError:  # It is an extra.
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

# Names the directory in which each worker writes its figures.
SHARED = "PROMETHEUS_MULTIPROC_DIR"
_KIND = ("kind", "endpoint")
_TRAFFIC = (*_KIND, "direction")
# From what a view takes that only looks something up to what a client waits for at most.
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Requests:
    """What the middleware ``metrics`` measures."""

    def __init__(self) -> None:
        self.count = Counter(
            "greenrelay_http_requests",
            "Requests that were answered.",
            ("method", "endpoint", "status"),
        )
        self.latency = Histogram(
            "greenrelay_http_request_seconds",
            "Seconds from the middleware to the head of the answer.",
            ("method", "endpoint"),
            buckets=_LATENCIES,
        )
        self.in_flight = _sum("greenrelay_http_requests_in_flight", "Requests now.", "endpoint")


class Instruments:
    """What is read of sockets, streams and processes; ``snapshot.py`` writes it."""

    def __init__(self) -> None:
        self.open = _sum("greenrelay_open", "Open sockets and streams.", *_KIND)
        self.queued = _sum("greenrelay_queued_messages", "Frames that wait for clients.", *_KIND)
        self.deepest_queue = _max(
            "greenrelay_queued_messages_max", "Frames that wait for the slowest client.", *_KIND
        )
        self.rtt_max = _max("greenrelay_ping_rtt_max_seconds", "The longest last round trip.")
        self.rtt_sum = _sum("greenrelay_ping_rtt_sum_seconds", "Last round trips, together.")
        self.rtt_sockets = _sum("greenrelay_ping_rtt_sockets", "Sockets that answered a ping.")
        self.processes = _sum("greenrelay_processes", "Live processes.", "host")
        self.entries = _sum("greenrelay_entry_processes", "Those of declared entries.", "entry")
        self.inbox = _sum("greenrelay_inbox_messages", "Unread messages.", "host")
        self.deepest_inbox = _max(
            "greenrelay_inbox_messages_max", "Unread messages of the fullest inbox.", "host"
        )
        self.longest_wait = _max(
            "greenrelay_inbox_wait_max_seconds",
            "For how long at least an unread message has waited, the one that waits longest.",
            "host",
        )
        self.services = _sum("greenrelay_service_up", "Whether a service runs.", "service")
        self.asked = Counter(
            "greenrelay_upgrades",
            "Requests for a socket or a stream by what became of them.",
            (*_KIND, "result", "cause"),
        )
        self.messages = Counter("greenrelay_messages", "Messages carried.", _TRAFFIC)
        self.bytes = Counter("greenrelay_bytes", "Bytes carried.", _TRAFFIC)
        self.dropped = Counter(
            "greenrelay_dropped_messages", "Messages dropped for slow clients.", (*_KIND, "policy")
        )
        self.closes = Counter(
            "greenrelay_closes", "Sockets and streams that ended.", (*_KIND, "code", "side")
        )
        self.inbox_dropped = Counter(
            "greenrelay_inbox_dropped_messages", "Messages dropped by full inboxes.", ("host",)
        )
        self.restarts = Counter(
            "greenrelay_service_restarts", "Starts of a service after the first.", ("service",)
        )
        self.drains = Counter("greenrelay_drains", "Drains that closed something.")
        self.drain_seconds = Counter("greenrelay_drain_seconds", "Seconds spent draining.")
        self.lag = Histogram(
            "greenrelay_hub_lag_seconds", "How late a timer of the hub was.", buckets=_LAGS
        )
        self.cluster = Cluster()


class Cluster:
    """What is read of nodes that are in a cluster; ``snapshot.py`` writes it."""

    def __init__(self) -> None:
        self.up = _sum("greenrelay_cluster_up", "Workers that reach their engine.")
        self.nodes = _max("greenrelay_cluster_nodes", "Other nodes, for who sees the most.")
        self.nodes_min = _min("greenrelay_cluster_nodes_min", "The same, for who sees the fewest.")
        self.names = _sum("greenrelay_cluster_names", "Names of the cluster that are held here.")
        self.waiting = _sum(
            "greenrelay_cluster_waiting_frames", "Frames that other nodes have not acknowledged."
        )
        self.waiting_max = _max(
            "greenrelay_cluster_waiting_frames_max", "Those of the slowest link."
        )
        self.frames = Counter(
            "greenrelay_cluster_frames", "Frames of sessions with other nodes.", ("direction",)
        )
        self.resent = Counter("greenrelay_cluster_resent_frames", "Frames that were sent again.")
        self.dropped = Counter(
            "greenrelay_cluster_dropped", "Frames and messages that were dropped.", ("reason",)
        )
        self.refused = Counter(
            "greenrelay_cluster_refused", "What was refused for want of room.", ("reason",)
        )
        self.incidents = Counter(
            "greenrelay_cluster_incidents", "What else has happened.", ("reason",)
        )


@lru_cache(maxsize=1)
def requests() -> Requests:
    """Return the metrics of requests; raises ConfigError without prometheus-client."""
    check_installed("metrics")
    check_folder()
    return Requests()


@lru_cache(maxsize=1)
def instruments() -> Instruments:
    """Return all other metrics; raises ConfigError without prometheus-client."""
    check_installed("/metrics")
    check_folder()
    return Instruments()


def check_installed(what: str) -> None:
    """Raise ConfigError unless prometheus-client is there."""
    if not IS_INSTALLED:
        raise ConfigError(
            [f"{what}: prometheus-client is not installed: pip install 'greenrelay[metrics]'"]
        )


def check_folder() -> None:
    """Raise ConfigError where all workers are to write into a directory that is none."""
    folder = os.environ.get(SHARED)
    if folder and not os.path.isdir(folder):
        raise ConfigError(
            [f"{SHARED}: {folder!r} is no directory; make it, empty, before the server starts"]
        )


def _sum(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, multiprocess_mode="livesum")


def _max(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, multiprocess_mode="livemax")


def _min(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, multiprocess_mode="livemin")
