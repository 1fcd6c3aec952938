"""Source: Operations, "Command line": which workers are started again, and when none is served."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from gevent.event import Event as Flag

from greenrelay.cli.workers_crew import Crew, Job, Worker
from tests.probe import wait_for

ENDS = (sys.executable, "-S", "-c", "import os; os._exit(3)")
ENDS_WELL = (sys.executable, "-S", "-c", "")


@contextmanager
def second_worker(*command: str) -> Iterator[None]:
    """Start what does not serve as the second worker."""
    worker = Worker(2, Job(command, {}))
    worker.start()
    try:
        yield
    finally:
        worker.end(signal.SIGKILL)
        worker.join(None)


def test_another_than_the_first_is_started_again_before_it_has_ever_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """it restarts a worker that dies"""
    with second_worker(*ENDS):
        wait_for(lambda: caplog.text.count("it is started again in") > 1)

    assert "ended with exit status 3; it is started again in" in caplog.text


def test_a_worker_that_cannot_be_started_for_a_moment_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with second_worker("/nowhere/python"):
        wait_for(lambda: caplog.text.count("it is started again in") > 1)

    text = "worker 2 cannot be started: No such file or directory; it is started again in"
    assert text in caplog.text


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (ENDS_WELL, "ended with exit status 0; nothing is served"),
        (("/nowhere/python",), "worker 1 cannot be started: No such file or directory; nothing"),
    ],
)
def test_the_first_that_has_not_said_why_it_does_not_serve_ends_the_program(
    caplog: pytest.LogCaptureFixture, command: tuple[str, ...], text: str
) -> None:
    crew = Crew(2, Job(command, {}))

    assert crew.start(Flag()) == 1
    assert text in caplog.text
