"""Source: Operations, "Logs and traces"."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from greenrelay.core.log import Keeper, is_written, one_line

NAME = "greenrelay.log-test.room"


@contextmanager
def handled(name: str, handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def alone() -> Iterator[None]:
    """Let nothing of pytest's hear NAME: it listens to all loggers that propagate, or did so."""
    parent = logging.getLogger("greenrelay.log-test")
    parent.propagate = False
    try:
        yield
    finally:
        parent.propagate = True


def test_who_only_keeps_records_writes_none() -> None:
    with alone(), handled(NAME, Keeper()):
        assert not is_written(NAME)


def test_a_handler_above_writes_too_as_far_as_records_get() -> None:
    with alone(), handled("greenrelay.log-test", logging.NullHandler()):
        assert is_written(NAME)

        logging.getLogger(NAME).propagate = False
        assert not is_written(NAME)
    logging.getLogger(NAME).propagate = True


def test_what_a_client_has_written_makes_no_second_line() -> None:
    written = io.StringIO()
    with handled(NAME, logging.StreamHandler(written)):
        one_line(NAME).error("%s wants %s, %d", "ann", "/a\n\x1b[2J", 3)
        one_line(NAME).error("%(what)s", {"what": "a mapping"})

    assert written.getvalue() == "ann wants /a\\n\\x1b[2J, 3\na mapping\n"


def test_it_is_made_one_line_once() -> None:
    assert len(one_line(NAME).filters) == len(one_line(NAME).filters) == 1
