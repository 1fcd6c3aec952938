"""What the commands for running programs share: which programs are meant, and how they fail.

Source: Operations, "Command line". A program may be busy, stopped or of another version. A command
about one then ends with a sentence and status 1; one that asks all says so, goes on with the
others, and ends with status 1 as well.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import gevent

from greenrelay.admin.client import AdminError, Answer, Endpoint, running
from greenrelay.cli.printing import fail, readable, table

Command = Callable[..., Any]
T = TypeVar("T")

NOBODY = (
    "no program of this user can be reached; `greenrelay run` opens an admin endpoint, and so does "
    "any other server with GREENRELAY_ADMIN=1 in its environment"
)


class Programs:
    """The running programs that a command is about."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self.status = 0

    def parts(self, command: str, arguments: Mapping[str, object] | None = None) -> list[Answer]:
        """Return what all answer part by part; ``program`` of each says who did."""
        found, failures = parts_of(self.endpoints, command, arguments)
        for failure in failures:
            self.note(failure)
        return found

    def note(self, failure: AdminError, status: int = 1) -> None:
        """Tell of one that has failed; it determines how the command ends."""
        self.status = max(self.status, status)
        click.echo(readable(str(failure)), err=True)

    def table(
        self, head: Sequence[str], found: Sequence[Answer], row: Callable[[Answer], Sequence[str]]
    ) -> str:
        """Return answers as a table; where several were asked, with the program of each."""
        if len(self.endpoints) == 1:
            return table([head, *map(row, found)])
        rows = [(str(each["program"]), *row(each)) for each in found]
        return table([("PROGRAM", *head), *rows])


def asks_a_program(command: Command) -> Command:
    """Give a command the running program it is about, and the options ``--pid`` and ``--json``.

    Its argument ``process``, if it has one, says which program that is when it is a PID.
    """

    @functools.wraps(command)
    def asking(*args: Any, pid: int | None, **kwargs: Any) -> Any:
        with explained():
            return command(*args, program=the_one(pid, kwargs.get("process")), **kwargs)

    return with_pid(with_json(asking))


def asks_all_programs(command: Command) -> Command:
    """The same for all that run, or the one that ``--pid`` says."""

    @functools.wraps(command)
    def asking(*args: Any, pid: int | None, **kwargs: Any) -> None:
        with explained():
            programs = Programs(endpoints(pid))
            command(*args, programs=programs, **kwargs)
        if programs.status:
            sys.exit(programs.status)

    return with_pid(with_json(asking))


def with_pid(command: Command) -> Command:
    """Give a command the option ``--pid``."""
    return click.option(
        "--pid", type=int, metavar="NUMBER", help="The process id of the program that is meant."
    )(command)


def with_json(command: Command) -> Command:
    """Give a command the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def endpoints(pid: int | None) -> list[Endpoint]:
    """Return the running programs, or the one with that process id; ends without any."""
    found = running()
    if pid is not None and found:
        meant = [each for each in found if each.pid == pid]
        if not meant:
            fail(f"no program with process id {pid} can be reached; {_told(found)}", 1)
        return meant
    if not found:
        fail(NOBODY, 1)
    return found


def the_one(pid: int | None, process: str | None = None) -> Endpoint:
    """Return the running program that is meant, by --pid or by a PID; ends when it is unclear."""
    found = endpoints(pid)
    if len(found) == 1:
        return found[0]
    if process is not None and process.startswith("{"):
        # A PID names its node, and each program is one.
        node = process[1:].partition("@")[0]
        for each, hello in zip(found, _hellos(found), strict=True):
            if hello is not None and hello["node"] == node:
                return each
    fail(f"several programs run; say which with --pid: {_told(found)}", 1)


def parts_of(
    found: Sequence[Endpoint], command: str, arguments: Mapping[str, object] | None = None
) -> tuple[list[Answer], list[AdminError]]:
    """Return what programs answer part by part, and how some have failed; all are asked at once."""

    def ask(program: Endpoint) -> list[Answer] | AdminError:
        try:
            answers = list(program.parts(command, arguments))
        except AdminError as error:
            return error
        for each in answers:
            each["program"] = program.pid
        return answers

    told = at_once(ask, found)
    answers = [each for one in told if isinstance(one, list) for each in one]
    return answers, [one for one in told if isinstance(one, AdminError)]


def at_once(function: Callable[[Endpoint], T], found: Sequence[Endpoint]) -> list[T]:
    """Return what a function returns for each program: one that is stuck delays no other."""
    jobs = [gevent.spawn(function, each) for each in found]
    gevent.joinall(jobs, raise_error=True)
    return [job.get() for job in jobs]


@contextmanager
def explained() -> Iterator[None]:
    """End with a sentence where a program refuses, does not answer, or is gone."""
    try:
        yield
    except AdminError as error:
        fail(readable(str(error)), 1)


def show(value: object) -> None:
    """Print a value as JSON."""
    click.echo(as_text(value, indent=2))


def as_text(value: object, indent: int | None = None) -> str:
    """Return a value as JSON; what could move a cursor is an escape of JSON's."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return re.sub(r"[^ -~\n]", _escaped, text)


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


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def _told(found: Sequence[Endpoint]) -> str:
    told = zip(found, _hellos(found), strict=True)
    return ", ".join(_of_one(each, hello) for each, hello in told)


def _of_one(each: Endpoint, hello: Answer | None) -> str:
    if hello is None:
        return f"{each.pid} (does not answer)"
    files = ", ".join(hello["files"]) or "no file"
    return f"{each.pid} (node {hello['node']}, {files})"


def _hellos(found: Sequence[Endpoint]) -> list[Answer | None]:
    def ask(program: Endpoint) -> Answer | None:
        try:
            hello = program.ask("hello")
        except AdminError:
            return None
        return hello if isinstance(hello, Answer) else None

    return at_once(ask, found)
