"""The two lines of the log that a connection or a stream has: one when it opens, one at its end.

Source: Operations, "Logs and traces". Each line has its facts in its text, as key=value, and beside
it (``extra``) for whoever writes JSON. Where nobody wants them nothing is made of them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from greenrelay.core.log import one_line
from greenrelay.printable import printable
from greenrelay.transport.recent import user_of

if TYPE_CHECKING:
    from greenrelay.transport.life import Life
    from greenrelay.transport.stream import Stream
    from greenrelay.transport.upgrade import Environ

log = one_line("greenrelay.transport")
# The name that a proxy or a client has given to a request. It is kept as long as the connection.
REQUEST_ID = "HTTP_X_REQUEST_ID"
MAX_REQUEST_ID = 200


def request_id_of(environ: Environ) -> str:
    """Return the X-Request-ID of a request, cut where it is long; "" where there is none."""
    found: str = environ.get(REQUEST_ID, "")
    return found[:MAX_REQUEST_ID]


def log_opened(relayed: Life | Stream) -> None:
    """Log that ``relayed`` has opened."""
    if not log.isEnabledFor(logging.INFO):
        return
    session = relayed.session
    facts: dict[str, object] = {
        "path": session.path,
        "client": session.remote_addr,
        "target": session.target_pid,
        **_whose(relayed),
    }
    log.info("%s opened: %s", relayed.pid, _text(facts), extra={"pid": relayed.pid, **facts})


def log_closed(relayed: Life | Stream, value: dict[str, object]) -> None:
    """Log how ``relayed`` has ended, by the ``value`` of its result."""
    if not log.isEnabledFor(logging.INFO):
        return
    session, code = relayed.session, value["code"]
    facts: dict[str, object] = {
        # A stream has none.
        **({} if code is None else {"code": code}),
        "clean": value["clean"],
        "duration": value["duration"],
        "reason": value["reason"],
        "path": session.path,
        "client": session.remote_addr,
        "target": session.target_pid,
        **_whose(relayed),
    }
    shown = facts | {"duration": f"{value['duration']:.1f}s"}
    log.info("%s closed: %s", relayed.pid, _text(shown), extra={"pid": relayed.pid, **facts})


def _whose(relayed: Life | Stream) -> dict[str, object]:
    found = {"user": user_of(relayed), "request_id": relayed.request_id}
    return {key: each for key, each in found.items() if each}


def _text(facts: dict[str, object]) -> str:
    return " ".join(f"{key}={_quoted(str(each))}" for key, each in facts.items())


def _quoted(value: str) -> str:
    # A client that puts "code=1000" into its reason must not be taken for the relay.
    text = printable(value)
    if "=" not in text and '"' not in text:
        return text
    return '"' + text.replace('"', r"\"") + '"'
