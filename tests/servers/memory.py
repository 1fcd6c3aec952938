"""How much memory a server takes for what is done to it, in bytes as the kernel counts them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.conftest import Site
from tests.servers.http import get


def worker_of(site: Site) -> int:
    """Return the id of the process that serves."""
    return int(json.loads(get(site.address, "/state").body)["pid"])


@contextmanager
def costs_at_most(site: Site, size_bytes: int) -> Iterator[None]:
    """Fail if the server's memory grows by more than that at any moment of the body."""
    folder = Path(f"/proc/{worker_of(site)}")
    # Makes the peak what is resident now.
    (folder / "clear_refs").write_text("5")
    before = _read(folder, "VmRSS")
    yield
    growth = _read(folder, "VmHWM") - before
    assert growth <= size_bytes, f"the server grew by {growth} bytes"


def _read(folder: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", (folder / "status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
