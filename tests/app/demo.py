"""The demo as processes of the operating system, as a person would start it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from greenrelay.admin.client import running
from tests.program import Program

ROOT = Path(__file__).parents[2]
RUN = ("greenrelay", "run", "config.yaml")
GUNICORN = ("gunicorn", "--no-control-socket", "-b", "127.0.0.1:0")
APP = 'greenrelay.web:create_app("config.yaml")'


class Demo(Program):
    """The running demo: its ``url`` and what it has printed."""

    def __init__(self, command: Sequence[str] = RUN, env: Mapping[str, str] | None = None) -> None:
        super().__init__(command, ROOT, {"GREENRELAY_ADDR": "127.0.0.1:0", **(env or {})})
        try:
            self.url = f"http://{self.address()}"
        except BaseException:
            self.stop()
            raise


def workers() -> dict[str, int]:
    """Return the process id of each worker that runs, by the id of its node."""
    return {
        each["pid"][1:].partition("@")[0]: endpoint.pid
        for endpoint in running()
        for each in endpoint.parts("ps")
    }
