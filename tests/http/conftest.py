"""What the tests of requests share with those of the transport."""

from __future__ import annotations

from tests.transport.conftest import certificate

__all__ = ["certificate"]
