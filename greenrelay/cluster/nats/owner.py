"""Who a client works for, and what it raises for a question that nobody can answer."""

from __future__ import annotations

from typing import Protocol

from greenrelay.errors import EngineError


class NobodyAnswers(EngineError):
    """There is nobody who could answer a request, anywhere at the servers."""


class Owner(Protocol):
    """Who a client works for; nothing here may wait."""

    def on_connecting(self) -> None:
        """A connection is about to be tried: name and inbox of the client may still change."""

    def greeting(self) -> bytes:
        """Return the commands that follow the subscriptions of a new connection."""

    def on_up(self) -> None:
        """There is a connection."""

    def on_down(self, why: str) -> None:
        """There is none any more; another will be tried until the client stops."""
