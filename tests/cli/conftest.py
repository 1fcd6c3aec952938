"""What the tests of the command share with those of the servers."""

from __future__ import annotations

from tests.servers.conftest import certificate, client

__all__ = ["certificate", "client"]
