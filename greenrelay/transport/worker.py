"""gunicorn's worker class of our own: ``gunicorn -k greenrelay.gunicorn.Worker``.

Source: HTTP, "Servers it must run on".
"""

from __future__ import annotations

from typing import Any

from gunicorn.workers.ggevent import GeventPyWSGIWorker

from greenrelay.transport.gunicorn import drain_when_stopped, draining, handler_for


class Worker(GeventPyWSGIWorker):  # type: ignore[misc]
    """gunicorn's gevent worker whose requests can become connections, which drain at the end."""

    wsgi_handler = handler_for(GeventPyWSGIWorker.wsgi_handler)
    run = draining(GeventPyWSGIWorker.run)


def post_worker_init(worker: Any) -> None:
    """Make stock gevent workers drain: ``gunicorn -k gevent -c python:greenrelay.gunicorn``."""
    drain_when_stopped(worker)
