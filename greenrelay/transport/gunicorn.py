"""gunicorn's gevent workers: handlers that give their sockets away, and draining.

Source: HTTP, "Servers it must run on". gunicorn tells nobody of SIGTERM: a worker's ``alive`` turns
false, its server closes, and it leaves as soon as it has no request. So draining watches ``alive``
and holds the worker's ``run`` back until the connections have ended.

gunicorn is not imported here: this runs without it, too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import Any, Protocol
from weakref import WeakSet

import gevent

from greenrelay.transport.handler import RelayHandler

log = logging.getLogger("greenrelay.transport")

_STOCK = "geventwebsocket.gunicorn.workers"
WATCH_INTERVAL = 0.1


class Application(Protocol):
    """What a worker serves and has to stop."""

    def start(self) -> None:
        """Start what runs beside the requests, once."""

    def stop(self) -> None:
        """Drain the connections and end all processes; may wait."""


_applications: WeakSet[Application] = WeakSet()


def serve_with_workers(application: Application) -> None:
    """Have ``application`` stopped by the gunicorn worker it runs in, if it runs in one.

    Where gevent-websocket's worker is in use, its class gets our handler, which leaves the
    handshake to the application, and drains.
    """
    _applications.add(application)
    module = sys.modules.get(_STOCK)
    if module is not None and not issubclass(
        module.GeventWebSocketWorker.wsgi_handler, RelayHandler
    ):
        worker = module.GeventWebSocketWorker
        worker.wsgi_handler = handler_for(worker.__base__.wsgi_handler)
        worker.run = draining(worker.run)


def handler_for(base: Any) -> Any:
    """Return RelayHandler on top of gunicorn's own pywsgi handler, with its access log."""
    return type("GunicornHandler", (RelayHandler, base), {"log_request": base.log_request})


def drain_when_stopped(worker: Any) -> None:
    """Let one worker start its applications now and drain when it stops (``post_worker_init``).

    Raises RuntimeError for a worker class that is not gevent's.
    """
    if not isinstance(getattr(worker, "wsgi", None), object) or not hasattr(worker, "timeout_ctx"):
        raise RuntimeError(
            f"worker class {type(worker).__name__} is not gevent's: a relay would block it; "
            "use gunicorn -k greenrelay.gunicorn.Worker"
        )
    start_applications()
    if not hasattr(type(worker).run, "__wrapped__"):
        worker.run = MethodType(draining(type(worker).run), worker)


def start_applications() -> None:
    """Start what every application of this worker runs beside its requests."""
    for application in tuple(_applications):
        application.start()


def draining(run: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return a worker's ``run`` that drains when the worker is told to stop."""

    @wraps(run)
    def drained_run(worker: Any) -> object:
        start_applications()
        stopping = gevent.spawn(_stop_when_told, worker)
        try:
            return run(worker)
        finally:
            while not stopping.ready():
                worker.notify()
                stopping.join(1.0)

    return drained_run


def _stop_when_told(worker: Any) -> None:
    while worker.alive:
        gevent.sleep(WATCH_INTERVAL)
    stopping = [gevent.spawn(application.stop) for application in _applications]
    gevent.joinall(stopping, timeout=worker.cfg.graceful_timeout)
