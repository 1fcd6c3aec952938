"""gevent's WSGI server with our handler: what ``greenrelay run`` serves with.

Source: HTTP, "Servers it must run on", first row.
"""

from __future__ import annotations

import logging
import os
import socket as std_socket
import stat
from typing import Any

from gevent import pywsgi
from gevent import socket as gevent_socket

from greenrelay.transport.handler import RelayHandler

access_log = logging.getLogger("greenrelay.access")
error_log = logging.getLogger("greenrelay.http")
BACKLOG = 2048


class Server:
    """Serves one WSGI application on one address: ``host`` and ``port``, or a Unix ``path``.

    ``port`` 0 is any free one; ``url`` tells which after ``start``. With ``certificate`` and
    ``key``, paths of PEM files, it speaks TLS.
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
    ) -> None:
        self._application = application
        self._host = host
        self._port = port
        self._path = path
        self._tls: Any = {"certfile": certificate, "keyfile": key} if certificate else {}
        self._server: Any = None

    def start(self) -> None:
        """Listen and serve; raises OSError when the address is not to be had."""
        self._server = pywsgi.WSGIServer(
            _listen_unix(self._path) if self._path else (self._host, self._port),
            self._application,
            backlog=None if self._path else BACKLOG,
            handler_class=RelayHandler,
            log=access_log,
            error_log=error_log,
            **self._tls,
        )
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
            _remove_socket(self._path)

    def stop(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for requests that have begun, then end them."""
        self._server.stop(timeout=timeout)


def _listen_unix(path: str) -> Any:
    _remove_socket(path)
    listener = gevent_socket.socket(std_socket.AF_UNIX, std_socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(BACKLOG)
    return listener


def _remove_socket(path: str) -> None:
    # What a killed server has left behind; anything else that lies there is not ours to remove.
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        return
