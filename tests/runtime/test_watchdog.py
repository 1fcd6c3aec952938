"""The watchdog. Source: Operations, "Blocking code"."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

import gevent
import pytest

import greenrelay as gr
from greenrelay.runtime.watchdog import Watchdog
from tests.probe import Probe, assert_receive, settle, wait, wait_for
from tests.threads import NativeFlag

SHORT = 0.02
LONGEST = 10.0


class Reports(logging.Handler):
    """What was logged as a warning; ``is_there`` may be waited for in a thread.

    ``totals`` are the lines at the end of a stall.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self.totals: list[str] = []
        self.is_there = NativeFlag()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("the hub was kept busy"):
            self.totals.append(text)
            return
        self.texts.append(text)
        self.is_there.set()


@pytest.fixture
def reports() -> Iterator[Reports]:
    handler = Reports()
    logger = logging.getLogger("greenrelay.runtime")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def watchdog(node: gr.Node, reports: Reports) -> Iterator[Watchdog]:
    dog = Watchdog(node, SHORT)
    dog.start()
    yield dog
    dog.close()


def spin_until_reported(reports: Reports, count: int = 1) -> None:
    end = monotonic() + LONGEST
    while len(reports.texts) < count and monotonic() < end:
        pass


class Idle(gr.Server):
    """Does nothing."""


def test_who_spins_is_named_with_entry_and_stack(
    node: gr.Node, probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    """A watchdog names the process, entry and stack that kept the hub busy."""
    others = [node.spawn(entry) for entry in (wait, gevent.sleep, Idle)]
    node.spawn(gevent.sleep, 0)
    settle(node)
    reports.texts.clear()

    pid = probe.do(gr.spawn_monitored, spin_until_reported, reports)
    assert assert_receive(probe, kind="EXIT", timeout=LONGEST).pid == pid

    (text,) = reports.texts
    assert text.startswith(f"{pid} ({__name__}:spin_until_reported) has kept the hub busy for ")
    assert f"(allowed: {SHORT} s)" in text
    assert "in spin_until_reported" in text
    for other in others:
        node.terminate(other)


def test_who_blocks_without_gevent_is_reported_while_it_blocks(
    probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    probe.do(gr.spawn_monitored, reports.is_there.wait, LONGEST)

    assert assert_receive(probe, kind="EXIT", timeout=LONGEST).result.value is True
    assert "in wait" in reports.texts[0]


def test_13_who_swallows_its_ending_and_spins_is_reported(
    node: gr.Node, probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    """13 swallow and spin: the watchdog reports."""

    def stubborn() -> None:
        try:
            gr.receive()
        except BaseException:
            spin_until_reported(reports)

    pid = probe.do(gr.spawn_monitored, stubborn)
    settle(node)
    reports.texts.clear()
    node.terminate(pid, "boom")

    assert assert_receive(probe, kind="EXIT", timeout=LONGEST).result.reason == "boom"
    assert reports.texts[0].startswith(f"{pid} (")


def test_one_stall_is_reported_once_and_the_next_again(
    probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    def spin() -> None:
        spin_until_reported(reports, len(reports.texts) + 1)
        end = monotonic() + 5 * SHORT
        while monotonic() < end:
            pass

    for _ in range(2):
        reports.texts.clear()
        pid = probe.do(gr.spawn_monitored, spin)
        assert_receive(probe, kind="EXIT", timeout=LONGEST)
        assert [text.startswith(f"{pid} (") for text in reports.texts] == [True]


def test_how_long_it_was_in_all_is_told_when_the_hub_is_back(
    probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    def spin() -> None:
        end = monotonic() + 10 * SHORT
        spin_until_reported(reports)
        while monotonic() < end:
            pass

    pid = probe.do(gr.spawn_monitored, spin)
    wait_for(lambda: reports.totals)

    assert " s so far (allowed: " in reports.texts[0]
    found = re.fullmatch(
        r"the hub was kept busy for (\d+\.\d\d) s in all, by (\S+) \(.*\)", reports.totals[0]
    )
    assert found is not None
    assert found[2] == pid
    # All but what had passed when the hub was asked.
    assert float(found[1]) > 5 * SHORT


def test_where_the_hub_never_comes_back_no_total_is_told(
    node: gr.Node, probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    reports.totals.clear()
    spin_until_reported(reports)

    watchdog.close()

    assert reports.totals == []


def test_a_callback_of_the_hub_is_code_of_no_process(
    node: gr.Node, probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    settle(node)
    reports.texts.clear()

    gevent.get_hub().loop.run_callback(spin_until_reported, reports)
    wait_for(lambda: reports.texts, timeout=LONGEST)

    head, *stack = reports.texts[0].splitlines()
    assert head.startswith(f"code of no process (spin_until_reported at {__file__}:")
    assert ") has kept the hub busy for " in head
    assert "in spin_until_reported" in "".join(stack)


def serve(environ: Mapping[str, object], view: Callable[[], object]) -> None:
    """Answer a request as a WSGI server does."""
    view()


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/block"}, "GET /block"),
        ({"REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/app", "PATH_INFO": "/a"}, "PUT /app/a"),
        # Whoever asks cannot write lines of the log.
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/a\nERROR b"}, "GET /a\\nERROR b"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/" + "a" * 5000}, f"GET /{'a' * 295}…"),
    ],
)
def test_a_request_that_is_no_process_is_named_by_method_and_path(
    node: gr.Node,
    probe: Probe,
    watchdog: Watchdog,
    reports: Reports,
    environ: dict[str, object],
    shown: str,
) -> None:
    settle(node)
    reports.texts.clear()

    gevent.get_hub().loop.run_callback(serve, environ, lambda: spin_until_reported(reports))
    wait_for(lambda: reports.texts, timeout=LONGEST)

    assert reports.texts[0].startswith(
        f"a request that is no process ({shown}) has kept the hub busy for "
    )
    assert "in spin_until_reported" in reports.texts[0]


def test_an_environment_that_is_no_request_is_none(
    node: gr.Node, probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    settle(node)
    reports.texts.clear()

    gevent.get_hub().loop.run_callback(
        serve, dict(os.environ), lambda: spin_until_reported(reports)
    )
    wait_for(lambda: reports.texts, timeout=LONGEST)

    assert reports.texts[0].startswith("code of no process (spin_until_reported at ")


def test_an_idle_hub_is_no_stall(node: gr.Node, probe: Probe, reports: Reports) -> None:
    dog = Watchdog(node, "500ms")
    dog.start()

    # The watchdog is a thread that looks at a real hub: that it says nothing takes its time.
    gevent.sleep(0.8)

    dog.close()
    assert reports.texts == []


def test_a_node_without_processes_keeps_nobody_waiting(
    node: gr.Node, watchdog: Watchdog, reports: Reports
) -> None:
    end = monotonic() + 10 * SHORT
    while monotonic() < end:
        pass

    watchdog.close()
    assert reports.texts == []


def test_a_closed_one_says_nothing_and_can_start_again(
    node: gr.Node, probe: Probe, watchdog: Watchdog, reports: Reports
) -> None:
    before = threading.active_count()
    watchdog.close()
    watchdog.close()
    assert not watchdog.is_running
    reports.texts.clear()

    end = monotonic() + 10 * SHORT
    while monotonic() < end:
        pass
    assert reports.texts == []
    assert threading.active_count() <= before

    watchdog.start()
    watchdog.start()
    assert watchdog.is_running
    spin_until_reported(reports)
    assert reports.texts[0].startswith("code of no process")


def test_the_child_of_a_fork_has_none_until_it_starts_one(watchdog: Watchdog) -> None:
    child = os.fork()
    if not child:
        was_running = watchdog.is_running
        watchdog.close()
        os._exit(was_running)

    assert os.waitpid(child, 0)[1] == 0
    assert watchdog.is_running


@pytest.mark.parametrize("threshold", [0, -1, "0s", "soon"])
def test_a_threshold_that_makes_no_sense_is_refused(node: gr.Node, threshold: object) -> None:
    with pytest.raises(ValueError, match=r"0|soon|-1"):
        Watchdog(node, threshold)  # type: ignore[arg-type]


def test_it_works_in_a_patched_interpreter() -> None:
    script = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, logging, re, greenrelay as gr
        from greenrelay.runtime.watchdog import Watchdog
        from greenrelay.testing import wait_for

        texts, sums = [], []
        handler = logging.Handler()

        def emit(record):
            (texts if "so far" in record.getMessage() else sums).append(record.getMessage())

        handler.emit = emit
        logging.getLogger("greenrelay.runtime").addHandler(handler)

        def in_python():
            while not texts:
                pass

        def in_c():
            # Backtracks for long, and holds the interpreter's lock all the while.
            re.match("(a*)*b", "a" * 24)

        with gr.Node() as node:
            dog = Watchdog(node, 0.02)
            dog.start()
            for entry in (in_python, in_c):
                texts.clear()
                sums.clear()
                node.run(entry)
                wait_for(lambda: texts)
                print(len(texts), entry.__name__ in texts[0].split("busy")[0])
                # The dog has heard of the hub's return, else both would be one time of being busy.
                wait_for(lambda: sums)
            dog.close()
    """

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stderr == ""
    assert done.stdout == "1 True\n1 True\n"
