"""Source: Operations, "Logs and traces": "a crash loop is rate limited"."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

import greenrelay as gr
from greenrelay.runtime.crash import ENTRIES, PERIOD, SHOWN, Crashes
from greenrelay.testing import VirtualClock
from tests.probe import Probe, ends, settle


@pytest.fixture
def clock(node: gr.Node) -> Iterator[VirtualClock]:
    with VirtualClock(node) as clock:
        yield clock


def crash() -> None:
    raise ValueError("boom")


def other() -> None:
    raise KeyError("other")


def crash_often(node: gr.Node, times: int) -> None:
    for _ in range(times):
        node.spawn(crash)
    settle(node)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_crash_is_one_error_with_its_traceback_and_its_fields(
    node: gr.Node, caplog: pytest.LogCaptureFixture
) -> None:
    pid = node.spawn(crash)
    settle(node)

    (record,) = caplog.records
    assert (record.levelname, record.pid, record.entry) == (  # type: ignore[attr-defined]
        "ERROR",
        pid,
        f"{__name__}:crash",
    )
    assert record.getMessage().startswith(f"{pid} ({__name__}:crash) crashed\nTraceback")
    assert "ValueError: boom" in record.traceback  # type: ignore[attr-defined]


def test_an_entry_that_is_a_coroutine_function_is_a_crash_that_says_so(
    node: gr.Node, caplog: pytest.LogCaptureFixture
) -> None:
    async def entry() -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="entry is `async def`, which no process runs"):
        node.run(entry)

    assert "make it a plain `def`" in lines(caplog)[0]


class Asynchronous(gr.Server):
    """What somebody writes who knows other frameworks: each handler that a test wants."""

    def init(self, wanted: str) -> None:
        setattr(self, wanted, self.handler)

    async def handler(self, item: object) -> None:
        raise AssertionError


class AsynchronousInit(gr.Server):
    async def init(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("wanted", ["handle_message", "handle_event"])
def test_a_handler_that_is_a_coroutine_function_is_a_crash_that_says_so(
    node: gr.Node, process_probe: Probe, caplog: pytest.LogCaptureFixture, wanted: str
) -> None:
    pid = process_probe.do(gr.spawn_monitored, Asynchronous, wanted)

    if wanted == "handle_message":
        gr.send(pid, "hello")
    else:
        gr.cancel(pid)

    assert_says_so(ends(process_probe, pid), "Asynchronous.handler", caplog)


def test_a_call_that_a_coroutine_function_handles_is_a_crash_that_says_so(
    node: gr.Node, process_probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    pid = process_probe.do(gr.spawn_monitored, Asynchronous, "handle_call")

    with pytest.raises(gr.ProcessDown, match="handler is `async def`, which no process runs"):
        process_probe.do(gr.call, pid, "ask")

    assert_says_so(ends(process_probe, pid), "Asynchronous.handler", caplog)


def test_a_server_whose_init_is_a_coroutine_function_is_a_crash_that_says_so(
    node: gr.Node, process_probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    pid = process_probe.do(gr.spawn_monitored, AsynchronousInit)

    assert_says_so(ends(process_probe, pid), "AsynchronousInit.init", caplog)


def assert_says_so(result: gr.Result, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """See that an ending is told and logged as that of what is ``async def``."""
    assert result.error is not None
    assert result.error.type == "TypeError"
    said = f"{what} is `async def`, which no process runs; make it a plain `def`"
    assert result.error.message == said
    assert said in lines(caplog)[0]
    # One that was left unawaited says so when it is thrown away, and a warning fails the test.
    gc.collect()


def test_a_crash_loop_is_logged_ten_times_and_then_counted(
    node: gr.Node, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    crash_often(node, SHOWN + 40)

    *shown, last = lines(caplog)
    assert len(shown) == SHOWN
    assert all("Traceback" in each for each in shown)
    assert f"({__name__}:crash) crashed again" in last
    assert "more are only counted" in last


def test_how_often_it_crashed_is_told_when_the_minute_is_over_though_it_crashes_no_more(
    node: gr.Node, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    crash_often(node, SHOWN + 40)
    caplog.clear()

    clock.advance(PERIOD)

    assert lines(caplog) == [f"{__name__}:crash crashed 39 times more within 60 s"]


def test_after_a_minute_its_crashes_are_shown_again(
    node: gr.Node, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    crash_often(node, SHOWN + 1)
    clock.advance(PERIOD)
    caplog.clear()

    crash_often(node, 1)

    assert [("Traceback" in each) for each in lines(caplog)] == [True]


def test_a_crash_when_the_minute_is_just_over_begins_a_new_one(
    node: gr.Node, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    crashes, pid = Crashes(), gr.Pid.parse("{n@h|1}")
    for _ in range(SHOWN + 3):
        crashes.add(node.timers, pid, "entry", "Traceback")
    # A busy hub: the timer that sums up is late.
    clock._now += PERIOD
    crashes.add(node.timers, pid, "entry", "Traceback")
    clock.advance(0)
    caplog.clear()

    for _ in range(SHOWN):
        crashes.add(node.timers, pid, "entry", "Traceback")

    assert ["Traceback" in each for each in lines(caplog)] == [True] * (SHOWN - 1) + [False]


def test_another_entry_that_crashes_is_shown_meanwhile(
    node: gr.Node, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    crash_often(node, SHOWN + 5)
    caplog.clear()

    node.spawn(other)
    settle(node)

    assert [("KeyError: 'other'" in each) for each in lines(caplog)] == [True]


def test_at_the_end_of_the_node_what_was_only_counted_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with gr.Node("short") as node:
        crash_often(node, SHOWN + 3)
        caplog.clear()

    assert lines(caplog) == [f"{__name__}:crash crashed 2 times more within 0 s"]


def test_only_so_many_entries_are_told_apart(
    node: gr.Node, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    crashes = Crashes()
    pid = gr.Pid.parse("{n@h|1}")
    for number in range(ENTRIES + SHOWN + 3):
        crashes.add(node.timers, pid, f"entry {number}", "Traceback")

    assert sum("Traceback" in each for each in lines(caplog)) == ENTRIES + SHOWN
    caplog.clear()
    clock.advance(PERIOD)
    assert lines(caplog) == ["other entries crashed 2 times more within 60 s"]
