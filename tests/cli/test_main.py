"""Source: Operations, "Command line". In programs of their own, as the command patches its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import greenrelay.cli
from tests.cli.commands import greenrelay as run

CODE = """
import sys
from greenrelay.cli.main import main
main(["ps", "--help"], standalone_mode=False)
print("flask" in sys.modules, "yaml" in sys.modules)
"""


def test_a_command_that_looks_into_programs_imports_nothing_of_what_serves_them() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=30)

    assert done.stdout.endswith("\nFalse False\n"), done.stdout + done.stderr


def test_no_command_is_left_out() -> None:
    folder = Path(greenrelay.cli.__file__).parent
    commands = {path.stem for path in folder.glob("*.py") if "@click.command(" in path.read_text()}

    listed = run("--help").out.partition("Commands:\n")[2]

    assert {line.split()[0] for line in listed.splitlines()} == {*commands, "cluster"}
