"""Each server is started once for all the tests that only look at it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.client import Client
from tests.servers.kinds import OTHERS, SERVERS, address_of
from tests.servers.running import Running, running


@dataclass(frozen=True, slots=True)
class Site:
    """A server under test."""

    kind: str
    address: str
    running: Running

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where to connect a bare socket to."""
        host, _, port = self.address.partition(":")
        return host, int(port)

    def url(self, path: str) -> str:
        """Return the address of a WebSocket."""
        return f"ws://{self.address}{path}"


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """The WebSocket client, a process of its own."""
    client = Client()
    yield client
    client.stop()


@pytest.fixture(scope="session", params=SERVERS | OTHERS)
def shared(request: pytest.FixtureRequest) -> Iterator[Site]:
    kind = request.param
    with running((SERVERS | OTHERS)[kind]) as server:
        yield Site(kind, address_of(server), server)
        assert server.stop() == 0
        assert not server.trouble
        assert not server.has_left_processes


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    """A server with the app of tests/servers/site.py; what it has printed is shown on failure."""
    yield shared
    print(shared.running.output)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    options = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=60)
    return cert, key
