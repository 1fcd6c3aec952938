"""Names with several addresses, and an address where nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from gevent import socket as gevent_socket


@contextmanager
def two_addresses(monkeypatch: pytest.MonkeyPatch, *wheres: tuple[str, int]) -> Iterator[str]:
    """Let a name have several addresses, and yield the name."""
    real = gevent_socket.getaddrinfo
    name = "several.example"

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host != name:
            return real(host, *rest, **more)
        kind = gevent_socket.SOCK_STREAM
        return [(gevent_socket.AF_INET, kind, 6, "", where) for where in wheres]

    with monkeypatch.context() as patch:
        patch.setattr(gevent_socket, "getaddrinfo", getaddrinfo)
        patch.setattr("gevent._socketcommon.getaddrinfo", getaddrinfo)
        yield name


@contextmanager
def not_answering() -> Iterator[tuple[str, int]]:
    """Be an address where connections are not made, as where a machine is gone."""
    with gevent_socket.socket() as listener, gevent_socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        where = listener.getsockname()
        # It takes the one place there is.
        first.connect(where)
        yield where
