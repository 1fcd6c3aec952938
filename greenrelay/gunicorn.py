"""greenrelay under gunicorn: a worker class, and a configuration for gunicorn's own gevent worker.

``gunicorn -k greenrelay.gunicorn.Worker 'module:app'``, or ``gunicorn -k gevent -c
python:greenrelay.gunicorn 'module:app'``. See ``docs/deployment.md``.
"""

from __future__ import annotations

from greenrelay.transport.worker import Worker, on_starting, post_worker_init

__all__ = ["Worker", "on_starting", "post_worker_init"]
