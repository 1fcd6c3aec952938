"""The names of ``greenrelay.testing`` that most tests here use, and what only they need."""

from __future__ import annotations

import gevent

import greenrelay as gr
from greenrelay.proving.probe import DO, run_for
from greenrelay.testing import (
    Probe,
    assert_event,
    assert_not_received,
    assert_nothing,
    assert_receive,
    settle,
    wait_for,
)

__all__ = [
    "DO",
    "Probe",
    "assert_event",
    "assert_not_received",
    "assert_nothing",
    "assert_receive",
    "end",
    "ends",
    "run_for",
    "settle",
    "wait",
    "wait_for",
    "wait_for_ever",
]


def wait() -> None:
    """Be a process that ends at the first thing it gets."""
    gr.receive()


def wait_for_ever() -> None:
    """Be a process that reads nothing, not even that it is to end: only a kill ends it."""
    gevent.sleep(3600)


def end(node: gr.Node, *pids: gr.Pid) -> None:
    """Kill ``pids``; returns when they have ended."""
    for pid in pids:
        node.terminate(pid)
    wait_for(lambda: not any(pid in node.processes for pid in pids))


def ends(probe: Probe, pid: gr.Pid) -> gr.Result:
    """Return how ``pid`` has ended; its EXIT must be the next one that ``probe`` gets."""
    event = assert_receive(probe, kind="EXIT")
    assert event.pid == pid
    result: gr.Result = event.result
    return result
