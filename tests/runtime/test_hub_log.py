"""Loggers in callbacks of the hub. Source: Operations, "Logs and traces"."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap

import pytest

import greenrelay as gr
from greenrelay.runtime.hub_log import NAMES, HubLogger, protect_loggers
from tests.servers.running import ROOT


def test_a_callback_of_the_hub_logs_while_a_thread_holds_the_lock_of_a_handler() -> None:
    script = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, io, logging, greenrelay as gr
        from greenrelay.testing import wait_for

        lines = io.StringIO()
        handler = logging.StreamHandler(lines)
        logging.getLogger().addHandler(handler)
        log = logging.getLogger("greenrelay.transport")
        thread = monkey.get_original("_thread", "start_new_thread")
        lock = monkey.get_original("_thread", "allocate_lock")
        is_held, go_on = lock(), lock()
        is_held.acquire()
        go_on.acquire()

        def hold():
            with handler.lock:
                is_held.release()
                go_on.acquire()

        done = []

        def called():
            try:
                raise ValueError("boom")
            except ValueError:
                log.exception("what a callback says")
            done.append("the rest of the callback")

        with gr.Node():
            thread(hold, ())
            is_held.acquire()
            gevent.get_hub().loop.run_callback(called)
            wait_for(lambda: done)
            print(done[0], flush=True)
            assert lines.getvalue() == ""
            go_on.release()
            wait_for(lambda: "boom" in lines.getvalue())
            log.warning("and later")
            print(lines.getvalue())
    """

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[0] == "the rest of the callback"
    assert lines.count("what a callback says") == 1
    assert "ValueError: boom" in lines
    assert "and later" in lines


def test_a_node_protects_every_logger_that_is_there() -> None:
    with gr.Node():
        names = [
            name for name in logging.Logger.manager.loggerDict if name.startswith("greenrelay.")
        ]

        # That of a program that has its own below one of ours is its own business.
        assert set(names) >= {f"greenrelay.{name}" for name in NAMES}
        assert all(isinstance(logging.getLogger(f"greenrelay.{name}"), HubLogger) for name in NAMES)


def test_a_logger_of_another_class_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(logging.Logger):
        pass

    logger = logging.getLogger("greenrelay.security")
    monkeypatch.setattr(logger, "__class__", Own)

    protect_loggers()

    assert isinstance(logger, Own)
