"""Servers for what a configuration says, also on one socket that several OS processes share.

Source: Operations, "Command line", ``--workers``. The parent binds and never accepts; its workers
inherit the socket and accept in turns. So an address in use is found before anything starts, and
whoever comes while a worker is started again is served by the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gevent import socket as gevent_socket

from greenrelay.config.entries import HttpService
from greenrelay.errors import ConfigError
from greenrelay.transport.server import Server

S = TypeVar("S", bound=Server)


class CannotListen(Exception):
    """An address is not to be had; the text says which and why."""

    def __init__(self, service: HttpService, error: OSError) -> None:
        super().__init__(f"cannot listen on {service.addr}: {why(error)}")


class ListeningServer(Server):
    """The parent's: listens, and lets clients wait for a worker."""

    @property
    def descriptor(self) -> int:
        """The file descriptor that workers inherit; after ``listen``."""
        found: int = self._server.socket.fileno()
        return found

    def hand_over(self) -> None:
        """Let only the workers listen; the path of a Unix socket stays until ``close``."""
        self._server.close()


class SharedServer(Server):
    """A worker's: serves at ``url``, on a socket that listens, the file descriptor ``descriptor``.

    To Server this is like a Unix socket, whatever it is: a listener that is there. What the parent
    has set on it, as TCP_NODELAY, holds here too.
    """

    def __init__(self, application: object, *, descriptor: int, url: str, **options: Any) -> None:
        super().__init__(application, **{**options, "path": f"descriptor {descriptor}"})
        self._descriptor = descriptor
        self._url = url

    @property
    def url(self) -> str:
        """Where it serves, as the parent says."""
        return self._url

    def listen(self) -> None:
        """Take the socket over."""
        super().listen()
        # Whoever has accepted one client lets the others have a go at the next.
        self._server.max_accept = 1
        self._server.environ["wsgi.multiprocess"] = True

    def _listen_unix(self) -> Any:
        # What the worker starts gets no copy of it.
        os.set_inheritable(self._descriptor, False)
        return gevent_socket.socket(fileno=self._descriptor)


def server_for(service: HttpService, make: Callable[..., S], **options: Any) -> S:
    """Return what ``make`` makes of an http.service and options.

    Raises ConfigError for files of TLS that cannot be used.
    """
    address, tls = service.addr, service.tls
    try:
        return make(
            host=address.host,
            port=address.port,
            path=address.path,
            certificate=tls.cert,
            key=tls.key,
            **options,
        )
    except OSError as error:
        text = f"{tls.cert} with tls.key {tls.key} cannot be used: {why(error)}"
        raise ConfigError([str(service.problem("tls.cert", text))]) from error


class Listeners:
    """What the parent listens on, kept for as long as the addresses stay the same."""

    def __init__(self) -> None:
        self._servers: dict[object, ListeningServer] = {}
        self._ids: dict[str, object] = {}

    def listen(self, services: Sequence[HttpService]) -> None:
        """Listen for these, and for no others; raises CannotListen, and ConfigError for TLS."""
        wanted = {each.id: (each.id, each.addr, each.tls) for each in services}
        for key in self._servers.keys() - set(wanted.values()):
            self._servers.pop(key).close()
        self._ids = dict(wanted)
        for service in services:
            if self._ids[service.id] not in self._servers:
                server = server_for(service, ListeningServer, application=None)
                try:
                    server.listen()
                except OSError as error:
                    raise CannotListen(service, error) from error
                self._servers[self._ids[service.id]] = server

    def found(self) -> dict[str, tuple[int, str]]:
        """Return the file descriptor and the URL for each id of a service."""
        servers = {each: self._servers[key] for each, key in self._ids.items()}
        return {each: (server.descriptor, server.url) for each, server in servers.items()}

    def hand_over(self) -> None:
        """Listen no more, which the workers that are there go on to do, also at Unix sockets."""
        for server in self._servers.values():
            server.hand_over()

    def close(self) -> None:
        """Listen no more, and remove the paths of Unix sockets; idempotent."""
        servers, self._servers, self._ids = self._servers, {}, {}
        for server in servers.values():
            server.close()


def why(error: OSError) -> str:
    """Return why an address or a file cannot be used."""
    # gevent adds the address to the text, and errors of name resolution have numbers of their own.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else f"{error.strerror or error}"
