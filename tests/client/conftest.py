"""No test goes through a proxy of the machine it runs on, and TLS has a certificate."""

from __future__ import annotations

import os

import pytest

from tests.certificate import certificate_in


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key, as paths of PEM files."""
    return certificate_in(tmp_path_factory.mktemp("tls"))
