"""The program of ``demo.yaml`` as a process of the operating system."""

from __future__ import annotations

from contextlib import suppress

from tests.app.demo import ROOT
from tests.probe import wait_for
from tests.program import Program
from tests.serving import Refused, connected

PASSWORD = "a password of tests"


class Dashboard(Program):
    """The running program: its ``url`` and what it has printed."""

    def __init__(self, directory: str = "", *, engine: str = "") -> None:
        variables = {
            "DASHBOARD_PASSWORD": PASSWORD,
            "GREENRELAY_RUN_DIR": directory,
            "GREENRELAY_CLUSTER": engine,
        }
        command = ["greenrelay", "run", "tests/dashboard/demo.yaml"]
        super().__init__(command, ROOT, {name: each for name, each in variables.items() if each})
        try:
            self.url = f"http://{self.address()}"
            if engine:
                wait_for(self._has_rooms, timeout="30s")
        except BaseException:
            self.stop()
            raise

    def _has_rooms(self) -> bool:
        # It listens before it has joined its cluster, and its services start after that.
        with suppress(Refused), connected(self.address(), "/chat"):
            return True
        return False
