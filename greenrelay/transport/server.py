"""gevent's WSGI server with our handler: what ``greenrelay run`` serves with.

Source: HTTP, "Servers it must run on", first row.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket as std_socket
import ssl
import stat
from typing import Any
from weakref import WeakSet

import gevent
from gevent import pywsgi
from gevent import socket as gevent_socket
from gevent.pool import Pool

from greenrelay.runtime.fork import follow_forks, silence
from greenrelay.transport.handler import LateWebSocket, RelayHandler
from greenrelay.transport.head import HEAD_SIZE, HEAD_TIMEOUT

log = logging.getLogger("greenrelay.transport")
access_log = logging.getLogger("greenrelay.access")
error_log = logging.getLogger("greenrelay.http")
BACKLOG = 2048


_listeners: WeakSet[Listener] = WeakSet()
follow_forks(_listeners)


class Listener(pywsgi.WSGIServer):
    """pywsgi's server, which lets its clients go when it closes.

    pywsgi itself would leave a kept-alive connection waiting for a request that never comes. A
    client has ``head_timeout`` seconds for its TLS handshake and as much for the head of a
    request, of which the header fields may have ``head_size`` bytes. Each wait for a piece of a
    request's body lasts ``head_timeout`` too, each for a client to take a piece of its answer
    ``write_timeout``, and the one between two requests ``idle_timeout``; 0 is for ever.
    """

    head_timeout = HEAD_TIMEOUT
    head_size = HEAD_SIZE
    idle_timeout = 0.0
    write_timeout = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.waiting: set[RelayHandler] = set()
        self.websockets: set[LateWebSocket] = set()
        self._clients: set[Any] = set()
        super().__init__(*args, **kwargs)
        _listeners.add(self)

    def forked(self) -> None:
        """Serve nobody, in a forked child: the clients, those that wait too, are the parent's."""
        silence(self._clients)
        self._clients.clear()
        self.waiting.clear()
        # One that only listens may have been made to be handed on.
        if self.started:
            silence([self.socket])
            # Nor those that the loop has seen before the fork.
            self.max_accept = 0

    def handle(self, client_socket: Any, address: Any) -> None:
        """Serve a client until it leaves or is taken over."""
        self._clients.add(client_socket)
        try:
            super().handle(client_socket, address)
        finally:
            self._clients.discard(client_socket)

    def close(self) -> None:
        """Accept no connection any more; requests that have begun go on."""
        super().close()
        for handler in tuple(self.waiting):
            handler.hang_up()
        for websocket in tuple(self.websockets):
            gevent.spawn(websocket.go_away)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Do the TLS handshake and serve; a client that fails at the handshake is not our error."""
        # The methods that serve are chosen, and set, when the server is made.
        server: Any = self
        late = ConnectionAbortedError(errno.ECONNABORTED, "the TLS handshake took too long")
        deadline = gevent.Timeout(self.head_timeout or None, late)
        bare = client_socket
        self._clients.add(bare)
        try:
            with deadline:
                client_socket = server.wrap_socket(client_socket, **server.ssl_args)
            with contextlib.closing(client_socket):
                return self.handle(client_socket, address)
        except (ssl.SSLError, ConnectionError) as error:
            log.info("%s: connection lost: %s", address[0] if address else "-", error)
            client_socket.close()
            return None
        finally:
            self._clients.discard(bare)


class Server:
    """Serves one WSGI application on one address: ``host`` and ``port``, or a Unix ``path``.

    ``port`` 0 is any free one; ``url`` tells which after ``listen``. ``head_timeout`` and the
    three after it bound what clients may do, see Listener. With ``certificate`` and
    ``key``, paths of PEM files, it speaks TLS. Raises OSError, of which ssl.SSLError is one, for
    files that are not there or do not fit.
    """

    def __init__(
        self,
        application: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "",
        certificate: str | None = None,
        key: str | None = None,
        head_timeout: float = HEAD_TIMEOUT,
        head_size: int = HEAD_SIZE,
        idle_timeout: float = 0.0,
        write_timeout: float = 0.0,
    ) -> None:
        self._application = application
        self._host = host
        self._port = port
        self._path = path
        self._inode = 0
        self._owner = 0
        self._head_timeout = head_timeout
        self._head_size = head_size
        self._idle_timeout = idle_timeout
        self._write_timeout = write_timeout
        self._tls: dict[str, Any] = {}
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, key)
            self._tls["ssl_context"] = context
        self._server: Any = None

    def listen(self) -> None:
        """Listen, and let clients wait; raises OSError when the address is not to be had."""
        self._server = Listener(
            self._listen_unix() if self._path else (self._host, self._port),
            self._application,
            backlog=None if self._path else BACKLOG,
            spawn=Pool(),
            handler_class=RelayHandler,
            log=access_log,
            error_log=error_log,
            **self._tls,
        )
        self._server.head_timeout = self._head_timeout
        self._server.head_size = self._head_size
        self._server.idle_timeout = self._idle_timeout
        self._server.write_timeout = self._write_timeout
        self._server.init_socket()
        if not self._path:
            # Accepted sockets inherit it; without it an answer in two writes waits for an ACK.
            self._server.socket.setsockopt(std_socket.IPPROTO_TCP, std_socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Serve, after ``listen`` if that has not been called; raises OSError as it does."""
        if self._server is None:
            self.listen()
        self._server.start()

    @property
    def url(self) -> str:
        """Where it serves, as a URL a browser on this machine can open."""
        if self._path:
            return f"unix:{self._path}"
        host, port = self._server.address[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
        shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    def close(self) -> None:
        """Accept no connection any more; requests that have begun go on."""
        self._server.close()
        if self._path:
            self._remove_path()

    def stop(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for requests that have begun, then end them."""
        self._server.stop(timeout=timeout)

    def _listen_unix(self) -> Any:
        _remove_dead_socket(self._path)
        listener = gevent_socket.socket(std_socket.AF_UNIX, std_socket.SOCK_STREAM)
        try:
            listener.bind(self._path)
        except OSError:
            listener.close()
            raise
        listener.listen(BACKLOG)
        self._inode = os.stat(self._path).st_ino
        self._owner = os.getpid()
        return listener

    def _remove_path(self) -> None:
        # Another server may have taken the path over by now, and in a forked child it is not ours.
        if os.getpid() != self._owner:
            return
        try:
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except FileNotFoundError:
            return


def _remove_dead_socket(path: str) -> None:
    """Remove the socket a killed server has left behind; raises OSError for one that lives.

    Anything else that lies there is not ours to remove.
    """
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with std_socket.socket(std_socket.AF_UNIX, std_socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
