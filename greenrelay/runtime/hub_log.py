"""Loggers that callbacks of the hub may use, where nothing can wait.

Source: Operations, "Logs and traces".

Theory. A handler of logging has a lock, and whoever finds it taken waits. After gevent.monkey that
is a switch to the hub, and in a callback of the hub gevent refuses it with BlockingSwitchOutError:
the line is lost, and with it all that the callback had to do still. Greenlets do not hold such a
lock while others run, but native threads do: that of the watchdog, which reports of a hub that is
coming back just then, and any the program has. So a record that finds a lock taken there is
handed to a greenlet, which can wait.
"""

from __future__ import annotations

import logging

import gevent
from gevent.exceptions import BlockingSwitchOutError

NAMES = (
    "access",
    "admin",
    "cluster",
    "config",
    "dashboard",
    "http",
    "runtime",
    "security",
    "transport",
)


class HubLogger(logging.Logger):
    """A logger whose records are handled a little later where a callback cannot wait."""

    def handle(self, record: logging.LogRecord) -> None:
        """Give ``record`` to the handlers."""
        try:
            super().handle(record)
        except BlockingSwitchOutError:
            gevent.spawn(super().handle, record)


def protect_loggers() -> None:
    """Let callbacks of the hub use our loggers; those of another class stay as they are."""
    for name in NAMES:
        logger = logging.getLogger(f"greenrelay.{name}")
        # The program may have made and set up the logger long before.
        if type(logger) is logging.Logger:
            logger.__class__ = HubLogger
