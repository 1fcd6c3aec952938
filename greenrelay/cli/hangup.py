"""SIGHUP: read the configuration again while it is served.

Source: Configuration, the item on SIGHUP.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence

import gevent
from flask import Flask
from gevent.event import Event as Flag

from greenrelay.errors import ConfigError
from greenrelay.reload.apply import reload_apps

log = logging.getLogger("greenrelay.cli")


class Hangup:
    """Reloads apps at each SIGHUP, one reload after the other, until it is stopped.

    From the beginning SIGHUP ends nobody; one that comes before ``start`` is heeded then.
    """

    def __init__(self) -> None:
        self._told = Flag()
        self._watcher = gevent.signal_handler(signal.SIGHUP, self._told.set)
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self, apps: Sequence[Flask]) -> None:
        """Reload ``apps`` from now on."""
        self._greenlet = gevent.spawn(self._run, apps)

    def stop(self) -> None:
        """Let SIGHUP be ignored from now on: what drains has no use for other routes."""
        self._watcher.cancel()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self, apps: Sequence[Flask]) -> None:
        while True:
            self._told.wait()
            self._told.clear()
            _reload(apps)


def _reload(apps: Sequence[Flask]) -> None:
    try:
        found = reload_apps(apps)
    except ConfigError as error:
        for problem in error.problems:
            log.error("reload: %s", problem)
        log.error("reload: nothing was changed")
        return
    except Exception:
        log.exception("reload: failed")
        return
    for line in found.lines:
        log.info("reload: %s", line)
    for warning in found.warnings:
        log.warning("reload: %s", warning)
    log.info("reload: done, %d changes", len(found.lines))
