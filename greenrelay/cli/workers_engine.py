"""The engine that makes the workers of one program one system, where none is configured.

Source: Cluster, "The engine": "``greenrelay run --workers 4`` starts it by itself if no engine is
given".
"""

from __future__ import annotations

import logging

import gevent

from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.local import LOCAL
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.config.entries import ClusterEntry
from greenrelay.config.resolve import Configuration
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cli")
# What a configuration asks for by `engine: "${env:GREENRELAY_CLUSTER|local}"`.
VARIABLE = "GREENRELAY_CLUSTER"
RETRY = 1.0
_ALONE = (
    "there is no entry of kind cluster: each of the %d workers is a system of its own, which knows "
    "no PID, name or group of the others; an entry {name: system, kind: cluster} makes them one"
)


def entry_in_want(configuration: Configuration, count: int) -> ClusterEntry | None:
    """Return the entry that ``count`` workers need an engine for, None where none is wanted."""
    if count == 1:
        return None
    if not configuration.clusters:
        log.warning(_ALONE, count)
        return None
    return _local_entry(configuration)


def settings_for(configuration: Configuration, url: str) -> list[str]:
    """Return, as those of ``--set``, that the entry of a worker uses the engine of its parent.

    The worker says which entry that is: the file may have changed since the parent has read it.
    """
    entry = _local_entry(configuration)
    return [f"{entry.id}.engine={url}"] if entry is not None else []


def _local_entry(configuration: Configuration) -> ClusterEntry | None:
    first = next(iter(configuration.clusters), None)
    return first if first is not None and first.engine == LOCAL else None


class DevelopmentEngine:
    """A development server, started when it is asked for and, should it die, once more."""

    def __init__(self) -> None:
        self._server: DevelopmentServer | None = None
        self._keeper: gevent.Greenlet[..., None] | None = None

    def url(self) -> str:
        """Return its address; the first time that waits, and may raise EngineError."""
        if self._server is None:
            # The server may be installed and what speaks with it not.
            engine_at("nats://127.0.0.1", "app")
            server = self._server = DevelopmentServer()
            self._keeper = gevent.spawn(self._keep, server)
            what = "started a NATS server for development (process %d) at 127.0.0.1:%d"
            log.info(what, server.pid, server.port)
        return self._server.url

    def stop(self) -> None:
        """End it, if it was started."""
        if self._keeper is not None:
            self._keeper.kill()
        if self._server is not None:
            self._server.stop()

    def _keep(self, server: DevelopmentServer) -> None:
        while True:
            server.wait()
            log.error("the NATS server (process %d) has ended; it is started again", server.pid)
            server.stop()
            # The workers look for it where it was.
            server = self._server = _started_again(server.port, server.password)


def _started_again(port: int, password: str) -> DevelopmentServer:
    while True:
        try:
            return DevelopmentServer(port=port, password=password)
        except EngineError as error:
            log.error("%s; it is tried again in %g s", error, RETRY)
            gevent.sleep(RETRY)
