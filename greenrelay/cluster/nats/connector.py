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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits, in seconds."""

    connect: float = 2.0
    first_connect: float = 5.0
    ping: float = 0.25
    # As many pings unanswered, and the connection counts as dead.
    pings: int = 8
    first_backoff: float = 0.002
    max_backoff: float = 1.0


class Connector:
    """The servers of an address, and how often they are tried."""

    def __init__(
        self, address: Address, patience: Patience, dial: Callable[[Server], Line]
    ) -> None:
        self._address = address
        self._patience = patience
        self._dial = dial
        self._servers = list(address.servers)

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

    def again(self) -> Line:
        """Return a connection, however long that takes."""
        backoff = self._patience.first_backoff
        told = ""
        while True:
            gevent.sleep(backoff * random.uniform(0.5, 1.0))
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
            backoff = min(backoff * 2, self._patience.max_backoff)

    def _try_all(self, errors: list[OSError]) -> Line | None:
        for server in random.sample(self._servers, len(self._servers)):
            try:
                return self._dial(server)
            except OSError as error:
                kind = Refused if isinstance(error, Refused) else OSError
                errors.append(kind(f"{server[0]}:{server[1]}: {error}"))
        return None
