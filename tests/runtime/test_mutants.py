"""A test of the lifecycle model: it must find every mutant there is in ``mutants``."""

from __future__ import annotations

import subprocess
import sys

from tests.runtime import mutants


def test_the_model_finds_every_broken_rule() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "tests.pure", mutants.__file__]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    # One more is the model by itself, with nothing broken.
    assert f"{len(mutants.MUTANTS) + 1} passed in " in done.stdout
