"""Runs all tests as seven pytests side by side: ``python -m tests.parts``.

Those that start servers, browsers and nodes mostly wait, as do those of the pages, and take more
than twice as long as all others together. Their output comes last; each ends with pytest's summary.
"""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).parents[1]
# What the programs that tests start import.
IMPORTED = ("greenrelay", "app", "tests")
WAITING = (
    ("tests/servers", "tests/client"),
    ("tests/app", "tests/dashboard"),
    ("tests/cli/test_[a-r]*.py",),
    ("tests/cli/test_[s-z]*.py",),
    ("tests/cluster",),
    ("tests/spec",),
)


def found(part: tuple[str, ...]) -> list[str]:
    """Return the folders and files that a part names."""
    return [str(path) for pattern in part for path in sorted(ROOT.glob(pattern))]


def main() -> int:
    """Run all parts; return the first exit status that is not 0."""
    # Under PYTHONDONTWRITEBYTECODE each of a thousand programs would compile all of it again.
    for folder in IMPORTED:
        compileall.compile_dir(ROOT / folder, quiet=1)
    pytest = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    others = [f"--ignore={path}" for part in WAITING for path in found(part)]
    with ExitStack() as stack:
        started: list[tuple[subprocess.Popen[bytes], TextIO]] = []
        for part in WAITING:
            output = stack.enter_context(tempfile.TemporaryFile("w+"))
            process = subprocess.Popen(
                [*pytest, *found(part)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )
            stack.callback(process.terminate)
            started.append((process, output))
        statuses = [subprocess.run([*pytest, *others], cwd=ROOT, check=False).returncode]
        for process, said in started:
            statuses.append(process.wait())
            said.seek(0)
            sys.stdout.writelines(said)
    return next(filter(None, statuses), 0)


if __name__ == "__main__":
    sys.exit(main())
