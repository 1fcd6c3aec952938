"""A TCP proxy before a server: what goes through it can be held up, delayed and throttled.

It is how a test cuts one node off where it may not touch the network of the machine: nothing comes
through and no connection ends, as with a cable that was pulled. What was held up goes on when the
proxy is mended, as TCP would send it again.
"""

from __future__ import annotations

from typing import Self

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.pool import Pool
from gevent.server import StreamServer

_CHUNK = 16_384
_BROKEN = (OSError, EOFError)


class Proxy:
    """Stands before a port of this machine; ``port`` is its own, a context manager ends it.

    ``delay`` is how many seconds each piece of 16 KiB waits, ``rate`` how many bytes a second go
    one way, 0 for as many as there are. ``carried`` counts bytes, both ways.
    """

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.rate = 0
        self.carried = 0
        self._target = ("127.0.0.1", port)
        self._is_open = Flag()
        self._is_open.set()
        self._greenlets = Pool()
        self._server = StreamServer(("127.0.0.1", 0), self._serve, spawn=self._greenlets)
        self._server.start()
        assert self._server.server_port is not None
        self.port: int = self._server.server_port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it and all connections through it."""
        self._server.stop(timeout=0)
        self._greenlets.kill()

    def url(self, url: str) -> str:
        """Return the address of the server as it is through the proxy."""
        return url.replace(f":{self._target[1]}", f":{self.port}")

    def cut(self) -> None:
        """Let nothing through from now on."""
        self._is_open.clear()

    def mend(self) -> None:
        """Let everything through again, first what was held up."""
        self._is_open.set()

    def _serve(self, client: socket.socket, address: object) -> None:
        with client:
            self._is_open.wait()
            with socket.create_connection(self._target) as server:
                back = self._greenlets.spawn(self._pump, server, client)
                try:
                    self._pump(client, server)
                finally:
                    back.kill()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := source.recv(_CHUNK):
                self._is_open.wait()
                if self.delay or self.rate:
                    gevent.sleep(self.delay + (len(chunk) / self.rate if self.rate else 0.0))
                sink.sendall(chunk)
                self.carried += len(chunk)
        except _BROKEN:
            pass
        finally:
            # Whoever is on the other side hears that this one has gone, once it can.
            self._is_open.wait()
            for each in (source, sink):
                each.close()
