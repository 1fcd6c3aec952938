"""The program of ``demo.yaml`` as a process of the operating system."""

from __future__ import annotations

from tests.app.demo import ROOT
from tests.probe import wait_for
from tests.program import Program
from tests.serving import http

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
            # It listens before it has joined its cluster, and its services start after that.
            wait_for(lambda: http(self.address(), "/ready")[0] == 200, timeout="30s")
        except BaseException:
            self.stop()
            raise
