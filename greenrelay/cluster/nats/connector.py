"""Which server a client tries next, and when.

Source: Cluster, "The engine": several servers, and those that they tell of. Tries are spread by
chance, so that the nodes of a restarted server do not all come at once.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from greenrelay.cluster.address import Address, Server, server_of
from greenrelay.cluster.nats.dial import Line, Refused, ServerInfo
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cluster")
# Servers come and go for as long as a node lives.
MAX_SERVERS = 64
_FIRST_PAUSE = 0.1
# For so long a server that has failed is tried after the others.
_GRUDGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits, in seconds."""

    connect: float = 2.0
    first_connect: float = 5.0
    ping: float = 0.25
    # As many pings unanswered, and the connection counts as dead. With other servers to go to that
    # is before the other nodes count this one as silent.
    pings: int = 8
    pings_of_many: int = 3
    first_backoff: float = 0.002
    max_backoff: float = 1.0
    # A connection that has lasted for so long was a good one.
    calm: float = 1.0


class Connector:
    """The servers of an address, and how often they are tried."""

    def __init__(
        self, address: Address, patience: Patience, dial: Callable[[Server], Line]
    ) -> None:
        self._address = address
        self._patience = patience
        self._dial = dial
        self._servers = list(address.servers)
        self._failed_at: dict[Server, float] = {}
        self._connected_at = 0.0
        self._backoff = patience.first_backoff

    @property
    def pings(self) -> int:
        """How many pings may be unanswered."""
        return self._patience.pings_of_many if len(self._servers) > 1 else self._patience.pings

    def learn(self, info: ServerInfo) -> None:
        """Try the other servers of the cluster too from now on."""
        own = self._address.servers
        told: list[Server] = []
        for text in info.connect_urls:
            with contextlib.suppress(ValueError):
                server = server_of(text)
                if server not in own:
                    told.append(server)
        self._servers = [*own, *told[:MAX_SERVERS]]
        self._failed_at = {key: at for key, at in self._failed_at.items() if key in self._servers}

    def first(self) -> Line:
        """Return a connection; raises EngineError when there is none within a few seconds.

        A server that answers with a refusal is not asked twice.
        """
        deadline = time.monotonic() + self._patience.first_connect
        while True:
            errors: list[OSError] = []
            line = self._try_all(errors)
            if line is not None:
                return line
            is_final = all(isinstance(each, Refused) for each in errors)
            if is_final or time.monotonic() > deadline:
                raise EngineError(self._address.shown, "; ".join(map(str, errors)))
            gevent.sleep(_FIRST_PAUSE)

    def again(self, lost: Line) -> Line:
        """Return a connection after ``lost``, however long that takes.

        One that was lost at once counts as a try that failed: there is more patience each time.
        """
        now = time.monotonic()
        # The cluster may have told of it by number.
        self._failed_at[lost.server] = self._failed_at[lost.peer] = now
        if now - self._connected_at >= self._patience.calm:
            self._backoff = self._patience.first_backoff
        told = ""
        while True:
            gevent.sleep(self._backoff * random.uniform(0.5, 1.0))
            self._backoff = min(self._backoff * 2, self._patience.max_backoff)
            errors: list[OSError] = []
            try:
                line = self._try_all(errors)
                why = "; ".join(map(str, errors))
            except EngineError as error:
                line, why = None, error.why
            if line is not None:
                return line
            if why != told:
                log.warning("cluster engine %s: %s; trying again", self._address.shown, why)
                told = why

    def _in_order(self) -> list[Server]:
        """Return the servers as chance will have it, but those that have just failed last."""
        servers = random.sample(self._servers, len(self._servers))
        forgiven = time.monotonic() - _GRUDGE_SECONDS
        return sorted(servers, key=lambda each: max(self._failed_at.get(each, 0.0), forgiven))

    def _try_all(self, errors: list[OSError]) -> Line | None:
        for server in self._in_order():
            try:
                line = self._dial(server)
                self._connected_at = time.monotonic()
                return line
            except OSError as error:
                self._failed_at[server] = time.monotonic()
                kind = Refused if isinstance(error, Refused) else OSError
                errors.append(kind(f"{server[0]}:{server[1]}: {error.strerror or error}"))
        return None
