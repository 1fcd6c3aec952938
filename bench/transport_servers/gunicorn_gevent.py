"""greenrelay's relay under gunicorn with gunicorn's gevent worker."""

from __future__ import annotations

from collections.abc import Callable

from bench.transport_servers.under_gunicorn import become


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; the worker announces itself."""
    become("-k", "gevent", "-c", "python:greenrelay.gunicorn")
