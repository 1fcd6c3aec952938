"""``greenrelay doctor``: what is wrong with the surroundings, and what to do about it.

Source: Operations, "Command line".
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from greenrelay.admin.client import AdminError, Endpoint, running
from greenrelay.admin.facts import own_facts
from greenrelay.cli.printing import readable
from greenrelay.cli.remote import at_once, show, with_json

OK, NOTE, WRONG = "ok", "note", "wrong"
# Below this a few hundred clients use up all files of a worker.
FEW_FILES = 4096
# What gunicorn can serve sockets with.
WORKERS = ("greenrelay.gunicorn.Worker", "gevent", "gevent_pywsgi")
GUNICORN_FILE = "gunicorn.conf.py"
# gunicorn's own.
WORKER_CONNECTIONS, GRACEFUL_TIMEOUT = 1000, 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``state`` is ok, note or wrong."""

    state: str
    what: str
    found: str
    advice: str = ""


@click.command()
@click.option(
    "--gunicorn",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help=f"gunicorn's configuration file; {GUNICORN_FILE} in this folder unless given.",
)
@with_json
def doctor(gunicorn: str | None, as_json: bool) -> None:
    """Look at this machine, gunicorn's configuration and the programs that run.

    Exit status: 0, or 1 when something is wrong.
    """
    found = [*_of_a_program(own_facts(), "this command"), *_of_gunicorn(gunicorn)]
    try:
        programs = running()
    except AdminError as error:
        programs = []
        found.append(Finding(WRONG, "programs", str(error), "run it as that user"))
    for told in at_once(_asked, programs):
        found += told
    if as_json:
        show([asdict(each) for each in found])
    else:
        for each in found:
            click.echo(readable(_lines(each)))
    if any(each.state == WRONG for each in found):
        sys.exit(1)


def _lines(each: Finding) -> str:
    line = f"{each.state:<5}  {each.what}: {each.found}"
    return f"{line}\n       -> {each.advice}" if each.advice else line


def _asked(program: Endpoint) -> list[Finding]:
    name = f"program {program.pid}"
    try:
        return list(_of_an_answer(program.ask("facts"), name))
    except AdminError as error:
        text = str(error).removeprefix(f"{name}: ").removeprefix(f"{name} ")
        return [Finding(WRONG, name, text, "look at its log, and with `ps -p` for its state")]


def _of_an_answer(facts: Mapping[str, Any], name: str) -> Iterator[Finding]:
    yield from _of_a_program(facts, name)
    if facts["unpatched"]:
        advice = "call gevent.monkey.patch_all() before anything else is imported"
        yield Finding(WRONG, f"{name}: patched", f"not {', '.join(facts['unpatched'])}", advice)
    else:
        yield Finding(OK, f"{name}: patched", "all of the standard library that waits")
    if facts["has_proxy_fix"]:
        yield Finding(OK, f"{name}: proxy", "ProxyFix restores scheme, host and address")
    else:
        advice = "behind a proxy put werkzeug's ProxyFix around app.wsgi_app"
        yield Finding(NOTE, f"{name}: proxy", "what a proxy says is not heeded", advice)


def _of_a_program(facts: Mapping[str, Any], name: str) -> Iterator[Finding]:
    packages = " ".join(f"{package} {number}" for package, number in facts["packages"].items())
    yield Finding(OK, f"{name}: runs on", f"Python {facts['python']}, {packages}")
    if facts["is_compiled"]:
        yield Finding(OK, f"{name}: compiled", "yes")
    else:
        advice = "install it where a C compiler is to make messages about twice as fast"
        yield Finding(NOTE, f"{name}: compiled", "no, it runs as Python", advice)
    files = facts["open_files"]
    found = f"{files['now']} open of {files['limit']}"
    if files["limit"] < FEW_FILES:
        advice = f"raise it (ulimit -n {files['hard']}): each socket is a file"
        yield Finding(WRONG, f"{name}: files", found, advice)
    elif files["now"] is not None and files["now"] > 0.8 * files["limit"]:
        yield Finding(WRONG, f"{name}: files", found, "raise ulimit -n, or drain some clients")
    else:
        yield Finding(OK, f"{name}: files", found)


def _of_gunicorn(file: str | None) -> Iterator[Finding]:
    path = Path(file or GUNICORN_FILE)
    if not path.exists():
        yield Finding(OK, "gunicorn", f"there is no {GUNICORN_FILE} here")
        return
    try:
        given = runpy.run_path(str(path))
    except Exception as error:
        # It is code, so anything may come out of it.
        text = f"cannot be run: {type(error).__name__}: {error}"
        yield Finding(WRONG, str(path), text, "gunicorn will not start with it either")
        return
    yield _worker_class(path, given)
    yield from _worker_limits(path, given)


def _worker_class(path: Path, given: Mapping[str, Any]) -> Finding:
    worker = given.get("worker_class", "sync")
    name = worker if isinstance(worker, str) else f"{worker.__module__}.{worker.__qualname__}"
    what = f"{path}: worker_class"
    if name in WORKERS or name.startswith("geventwebsocket."):
        return Finding(OK, what, name)
    return Finding(WRONG, what, name, f'set worker_class = "{WORKERS[0]}"')


def _worker_limits(path: Path, given: Mapping[str, Any]) -> Iterator[Finding]:
    count = given.get("worker_connections", WORKER_CONNECTIONS)
    what = f"{path}: worker_connections"
    if count < FEW_FILES and (given.get("certfile") or given.get("keyfile")):
        advice = "over TLS each socket holds one: raise it above the sockets of a worker"
        yield Finding(NOTE, what, str(count), advice)
    else:
        yield Finding(OK, what, str(count))
    grace = given.get("graceful_timeout", GRACEFUL_TIMEOUT)
    what = f"{path}: graceful_timeout"
    if grace * 0.7 < 10:
        advice = (
            "draining has 70 % of it, and sockets 10 s to drain unless wsrelay.drain.period says"
        )
        yield Finding(NOTE, what, f"{grace} s", advice)
    else:
        yield Finding(OK, what, f"{grace} s")
