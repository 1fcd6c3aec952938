"""The demo as a process of the operating system, as a person would start it."""

from __future__ import annotations

from pathlib import Path

from tests.program import Program

ROOT = Path(__file__).parents[2]


class Demo(Program):
    """The running demo: its ``url`` and what it has printed."""

    def __init__(self) -> None:
        command = ["greenrelay", "run", "config.yaml"]
        super().__init__(command, ROOT, {"GREENRELAY_ADDR": "127.0.0.1:0"})
        try:
            self.url = f"http://{self.address()}"
        except BaseException:
            self.stop()
            raise
