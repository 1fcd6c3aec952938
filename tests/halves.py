"""Runs all tests as two pytests side by side: ``python -m tests.halves``.

Those that start servers and browsers mostly wait, and take as long as all others together. Their
output comes second; both end with pytest's summary.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAITING = ("tests/servers", "tests/app", "tests/cli", "tests/client")


def main() -> int:
    """Run both halves; return the first exit status that is not 0."""
    pytest = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    others = [f"--ignore={folder}" for folder in WAITING]
    with tempfile.TemporaryFile("w+") as output:
        waiting = subprocess.Popen(
            [*pytest, *WAITING], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            status = subprocess.run([*pytest, *others], cwd=ROOT, check=False).returncode
            status = waiting.wait() or status
        finally:
            waiting.terminate()
        output.seek(0)
        sys.stdout.writelines(output)
    return status


if __name__ == "__main__":
    sys.exit(main())
