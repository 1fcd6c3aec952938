"""One request as a process: from when something asks for one to the last byte of the answer.

Source: HTTP, "The request as a process". A request becomes a process on first use, and costs
nothing before. Its process ends when the server has the whole answer: with the body's last byte
where its length is known, else when the body is exhausted or closed. A view that crashes ends it
abnormally, and so does a client that leaves in the middle of a streamed answer.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from greenlet import GreenletExit, getcurrent

from greenrelay.core.events import (
    RESULT_KILLED,
    RESULT_NORMAL,
    ExitError,
    Result,
    result_of_reason,
)
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessExit, UnsupportedServer
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node

CLIENT_GONE = result_of_reason("client gone")
_NO_BODY = ("1", "204", "304")


class RequestScope:
    """The right of one request to be a process; it becomes one on first use."""

    __slots__ = (
        "_entry",
        "_greenlet",
        "_host",
        "_is_over",
        "_node",
        "_outer",
        "_result",
        "_server",
        "process",
    )

    def __init__(self, node: Node, host: Host, entry: str, server: str = "") -> None:
        self._node = node
        self._host = host
        self._entry = entry
        self._server = server
        running: Any = getcurrent()
        # A view may serve a request of its own, with a test client: the outer one goes on then.
        self._outer = getattr(running, "greenrelay_scope", None)
        running.greenrelay_scope = self
        self._greenlet = running
        self._is_over = False
        self._result = RESULT_NORMAL
        self.process: FunctionProcess | None = None

    def adopt(self) -> FunctionProcess:
        """Make the request's greenlet a process; raises UnsupportedServer without gevent's loop."""
        if self._is_stranded():
            raise UnsupportedServer(self._server)
        node = self._node
        host = node.take_place(self._host.id)
        process = FunctionProcess(node, host, node.new_pid(host), self._entry)
        process.children = {}
        process.adopt(self._greenlet)
        node.admit(process)
        self.process = process
        return process

    @property
    def children(self) -> dict[Pid, str | None]:
        """The processes this request has spawned, with the names it has given them."""
        return (self.process.children if self.process else None) or {}

    def _is_stranded(self) -> bool:
        # A greenlet without a parent is a thread's first one: no hub runs it, and what it spawns
        # would never run. In the main thread it may be a test client's, for which the hub runs
        # whenever it waits.
        if self._greenlet.parent is not None:
            return False
        return self._server.startswith("Werkzeug") or not _is_main_thread()

    def failed(self, error: BaseException) -> None:
        """Remember what the request let out: its process will have ended with that."""
        if self.process is not None and self._result is RESULT_NORMAL:
            self._result = _result_of(error)

    def end(self, result: Result = RESULT_NORMAL) -> None:
        """The request is over, and so is its process, if it became one; only the first time."""
        if self._is_over:
            return
        self._is_over = True
        running, process = self._greenlet, self.process
        running.greenrelay_scope = self._outer
        if process is not None:
            # Not None: what sends looks whether there is one, and no further.
            del running.greenrelay_process
            mine = self._result if result is RESULT_NORMAL else result
            process.finish(process.exit_result or mine)


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


class Body:
    """What the application answers with, ending the scope at its end.

    ``wrap`` gives it the chunks, ``expect`` the status and headers, from which it knows the length.
    """

    __slots__ = ("_chunks", "_close", "_missing", "_scope")

    def __init__(self, scope: RequestScope) -> None:
        self._scope = scope
        self._chunks: Iterator[bytes] = iter(())
        self._close: Any = None
        self._missing: int | None = None

    def expect(self, status: str, headers: Iterable[tuple[str, str]]) -> None:
        """Learn how long the body is, if the headers say so."""
        if status.startswith(_NO_BODY):
            self._missing = 0
            return
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        self._missing = int(lengths[0]) if lengths and lengths[0].isdecimal() else None

    def wrap(self, chunks: Iterable[bytes]) -> Body:
        """Iterate ``chunks`` from now on, and close them."""
        self._chunks = iter(chunks)
        self._close = getattr(chunks, "close", None)
        return self

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._scope.end()
            raise
        except BaseException as error:
            self._scope.failed(error)
            self._scope.end()
            raise
        if self._missing is not None:
            self._missing -= len(chunk)
            if self._missing <= 0:
                self._scope.end()
        return chunk

    def close(self) -> None:
        """Close the chunks; a scope that has not ended by now has lost its client."""
        self._close_chunks(CLIENT_GONE)

    def discard(self) -> None:
        """Close the chunks unread: nobody wants them."""
        self._close_chunks(RESULT_NORMAL)

    def _close_chunks(self, result: Result) -> None:
        close, self._close = self._close, None
        try:
            if close is not None:
                close()
        except BaseException as error:
            self._scope.failed(error)
            raise
        finally:
            self._scope.end(result)


def note_failure(sender: object, exception: BaseException, **_: object) -> None:
    """Tell the running request's scope that its view crashed; Flask's got_request_exception."""
    scope = getattr(getcurrent(), "greenrelay_scope", None)
    if isinstance(scope, RequestScope):
        scope.failed(exception)


def _result_of(error: BaseException) -> Result:
    """Return how the process of a request ended that let ``error`` out; Flask has logged it."""
    if isinstance(error, ProcessExit) and isinstance(error.reason, str):
        return result_of_reason(error.reason)
    if isinstance(error, GreenletExit):
        return RESULT_KILLED
    try:
        message = str(error)
    except Exception as second:
        message = f"<its text cannot be had: {type(second).__name__}>"
    text = "".join(traceback.format_exception(error))
    failure = ExitError(type(error).__name__, message, text)
    return Result(None, failure, str(failure))
