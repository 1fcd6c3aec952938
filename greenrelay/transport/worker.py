"""gunicorn's worker class of our own, and the hooks of ``-c python:greenrelay.gunicorn``.

Source: HTTP, "Servers it must run on".
"""

from __future__ import annotations

from typing import Any

from gunicorn.workers.ggevent import GeventPyWSGIWorker, GeventWorker

from greenrelay.transport.gunicorn import (
    drain_when_stopped,
    draining,
    handler_for,
    refusal,
    server_for,
)


class Worker(GeventPyWSGIWorker):  # type: ignore[misc]
    """gunicorn's gevent worker whose requests can become connections, which drain at the end."""

    wsgi_handler = handler_for(GeventPyWSGIWorker.wsgi_handler)
    server_class = server_for(GeventPyWSGIWorker.server_class)
    run = draining(GeventPyWSGIWorker.run)


def on_starting(server: Any) -> None:
    """Refuse, before anything is started, a worker class that a relay would block."""
    if not issubclass(server.cfg.worker_class, GeventWorker):
        raise refusal(server.cfg.worker_class_str)


def post_worker_init(worker: Any) -> None:
    """Make gevent workers start services before the first request, and drain."""
    if not isinstance(worker, GeventWorker):
        raise refusal(type(worker).__name__)
    drain_when_stopped(worker)
