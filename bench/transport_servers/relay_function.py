"""greenrelay's relay, its targets functions."""

from __future__ import annotations

from collections.abc import Callable

from bench.transport_servers.relayed import Room, echo, serve_with


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; for news one server is the target of all."""
    serve_with(Room if is_news else echo, announce)
