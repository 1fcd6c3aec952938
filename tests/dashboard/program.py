"""The program of ``demo.yaml`` as a process of the operating system."""

from __future__ import annotations

from tests.app.demo import ROOT
from tests.program import Program

PASSWORD = "a password of tests"


class Dashboard(Program):
    """The running program: its ``url`` and what it has printed."""

    def __init__(self, directory: str = "") -> None:
        variables = {"DASHBOARD_PASSWORD": PASSWORD, "GREENRELAY_RUN_DIR": directory}
        command = ["greenrelay", "run", "tests/dashboard/demo.yaml"]
        super().__init__(command, ROOT, {name: each for name, each in variables.items() if each})
        try:
            self.url = f"http://{self.address()}"
        except BaseException:
            self.stop()
            raise
