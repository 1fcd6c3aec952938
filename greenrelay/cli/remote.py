"""What the commands for running programs share: which program is meant, and how answers look.

Source: Operations, "Command line".
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from greenrelay.admin.client import AdminError, Endpoint, running
from greenrelay.cli.files import fail

Command = Callable[..., Any]

NOBODY = (
    "no program of this user can be reached; `greenrelay run` opens an admin endpoint, and so does "
    "any other server with GREENRELAY_ADMIN=1 in its environment"
)


def asks_a_program(command: Command) -> Command:
    """Give a command the running program it is about, and the options ``--pid`` and ``--json``."""

    @functools.wraps(command)
    def asking(*args: Any, pid: int | None, **kwargs: Any) -> Any:
        with explained():
            return command(*args, program=the_one(pid), **kwargs)

    return with_pid(with_json(asking))


def asks_all_programs(command: Command) -> Command:
    """The same for all that run, or the one that ``--pid`` says."""

    @functools.wraps(command)
    def asking(*args: Any, pid: int | None, **kwargs: Any) -> Any:
        with explained():
            return command(*args, programs=programs(pid), **kwargs)

    return with_pid(with_json(asking))


def with_pid(command: Command) -> Command:
    """Give a command the option ``--pid``."""
    return click.option(
        "--pid", type=int, metavar="NUMBER", help="The process id of the program that is meant."
    )(command)


def with_json(command: Command) -> Command:
    """Give a command the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def programs(pid: int | None) -> list[Endpoint]:
    """Return the running programs, or the one with that process id; ends without any."""
    found = running()
    if pid is not None:
        found = [each for each in found if each.pid == pid]
        if not found:
            fail(f"no program with process id {pid} can be reached; {_who_can()}", 1)
    if not found:
        fail(NOBODY, 1)
    return found


def the_one(pid: int | None) -> Endpoint:
    """Return the running program that is meant; ends when that is not clear."""
    found = programs(pid)
    if len(found) > 1:
        fail(f"several programs run; say which with --pid: {_who_can()}", 1)
    return found[0]


@contextmanager
def explained() -> Iterator[None]:
    """End with a sentence where a program refuses, or goes away."""
    try:
        yield
    except AdminError as error:
        fail(str(error), 1)
    except OSError as error:
        fail(f"the program cannot be reached: {error.strerror or error}", 1)


def show(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def age(seconds: float) -> str:
    """Return a time as people read it: ``45s``, ``12m``, ``3h05m``, ``2d04h``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def _who_can() -> str:
    return ", ".join(_told(each) for each in running()) or "there is none"


def _told(each: Endpoint) -> str:
    try:
        files = each.ask("hello")["files"]
    except (AdminError, OSError):
        files = []
    return f"{each.pid} ({', '.join(files) or 'no file'})"
