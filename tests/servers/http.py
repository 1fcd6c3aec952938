"""Plain HTTP requests to the servers under test, several on one connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

UPGRADE: Mapping[str, str] = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def upgrade_request(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of an upgrade request, for clients that misbehave afterwards."""
    fields = {"Host": "localhost", **UPGRADE, **(headers or {})}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: str


@contextmanager
def connected(address: str, timeout: float = 20.0) -> Iterator[HTTPConnection]:
    """Connect to ``host:port``; the connection is kept alive until the end."""
    connection = HTTPConnection(address, timeout=timeout)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: HTTPConnection,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Make one request on an open connection."""
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    text = response.read().decode()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)


def get(address: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Make one GET on a connection of its own."""
    with connected(address) as connection:
        return ask(connection, path, headers=headers)
