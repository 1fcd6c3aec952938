"""Source: Operations, "Command line": "and the same under ``flask greenrelay …``"."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.commands import greenrelay
from tests.program import BIN, Program
from tests.serving import http

FILES = {
    "site.py": "def hello():\n    return 'hello'\n",
    "config.yaml": """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: pages, kind: http.router, meta.server: gateway}
- {name: hello, kind: http.endpoint, meta.router: pages, path: /, func: "pages:hello"}
""",
}


def flask(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "flask"), *arguments], cwd=cwd, capture_output=True, text=True, timeout=30
    )


def test_flask_has_every_command(tmp_path: Path) -> None:
    done = flask("greenrelay", "--help", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    ours = greenrelay("--help").out.partition("Commands:\n")[2]
    assert done.stdout.partition("Commands:\n")[2] == ours != ""


def test_a_command_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("- {name: a, kind: nothing}\n")

    done = flask("greenrelay", "check", cwd=tmp_path)

    ours = greenrelay("check", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (ours.status, ours.out, ours.err)
    assert "nothing" in done.stderr


def test_run_serves(tmp_path: Path) -> None:
    (tmp_path / "pages.py").write_text(FILES["site.py"])
    (tmp_path / "config.yaml").write_text(FILES["config.yaml"])

    with Program(["flask", "greenrelay", "run"], tmp_path) as program:
        assert http(program.address(), "/")[2] == "hello"
        assert program.stop() == 0
    assert "Warning" not in "".join(program.output)


def test_flasks_own_commands_are_not_patched() -> None:
    code = (
        "import sys, greenrelay.cli.flask\n"
        "from gevent import monkey\n"
        "print(bool(monkey.saved), 'greenrelay.cli.main' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert done.stdout == "False False\n", done.stderr
