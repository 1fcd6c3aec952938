"""What the loggers of greenrelay have in common.

Source: Operations, "Logs and traces". No logger is set up here: that is the program's business.
"""

from __future__ import annotations

import logging

from greenrelay.printable import printable

ROOT = "greenrelay"


class Keeper(logging.Handler):
    """A handler that writes nothing anywhere: it does not count as the program's log."""


def is_written(name: str) -> bool:
    """Whether a handler that is no Keeper sees what is logged under ``name``."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(not isinstance(each, Keeper) for each in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


class _OneLine(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Make the text that a record is given printable; it may be a client's."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                printable(each) if isinstance(each, str) else each for each in record.args
            )
        return True


def one_line(name: str) -> logging.Logger:
    """Return the logger ``name``, whose lines are one line each whatever they are given."""
    logger = logging.getLogger(name)
    if not any(isinstance(each, _OneLine) for each in logger.filters):
        logger.addFilter(_OneLine())
    return logger
