from __future__ import annotations

import pytest

from tests.certificate import certificate_in


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key, as paths of PEM files."""
    return certificate_in(tmp_path_factory.mktemp("tls"))
