"""One request as a process: from when something asks for one to the last byte of the answer.

Source: HTTP, "The request as a process". A request becomes a process on first use, and costs
nothing before. Its process ends when the server has the whole answer: with the body's last byte
where its length is known, else when the body is exhausted or closed. A view that crashes ends it
abnormally, and so does a client that leaves, or a deadline.

Theory of a cut. A request that is a process is asked to end (CANCEL) and killed after ``GRACE``;
one that is none could hear nothing, so it becomes one, which is told to end at once. That raises
ProcessExit where the view waits. While the server writes a chunk of a streamed answer there is no
view to interrupt: then the next chunk is never asked for.
"""

from __future__ import annotations

import errno
import logging
import threading
import traceback
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent

from greenrelay.core.events import (
    RESULT_KILLED,
    RESULT_NORMAL,
    Cancel,
    ExitError,
    Result,
    result_of_reason,
)
from greenrelay.core.message import NO_CONTEXT
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessExit, UnsupportedServer
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.attendance import GRACE, Attendance, client_socket, departed
from greenrelay.transport.ledger import CONTEXT
from greenrelay.transport.logged import request_id_of
from greenrelay.transport.upgrade import Environ, path_of

if TYPE_CHECKING:
    from greenrelay.http.stream_answer import StreamAnswer

log = logging.getLogger("greenrelay.http")

CLIENT_GONE = result_of_reason("client gone")
TOO_LONG = result_of_reason("request timeout")
_NO_BODY = ("1", "204", "304")


class RequestScope:
    """The right of one request to be a process; it becomes one on first use."""

    __slots__ = (
        "_attendance",
        "_environ",
        "_greenlet",
        "_has_left",
        "_host",
        "_is_over",
        "_node",
        "_result",
        "cut",
        "is_inside",
        "is_stopped",
        "outer",
        "process",
        "socket",
        "stream",
        "targets",
    )

    def __init__(
        self,
        node: Node,
        host: Host,
        environ: Environ,
        attendance: Attendance,
    ) -> None:
        self._node = node
        self._host = host
        self._environ = environ
        running: Any = getcurrent()
        # A view may serve a request of its own, with a test client: the outer one goes on then.
        self.outer = getattr(running, "greenrelay_scope", None)
        running.greenrelay_scope = self
        self._greenlet = running
        self._is_over = self._has_left = False
        self._result = RESULT_NORMAL
        self.process: FunctionProcess | None = None
        # Once the view's answer is to become a stream of events.
        self.stream: StreamAnswer | None = None
        # Whom the view means to hand its client to, as it has named them.
        self.targets: tuple[str, ...] = ()
        # Why it was cut short, whether that is to happen now, and whether the application runs,
        # not the server.
        self.cut: Result | None = None
        self.is_stopped = False
        self.is_inside = True
        self._attendance = attendance
        self.socket = client_socket(environ)
        if self.socket is not None:
            attendance.enter(self)

    def adopt(self) -> FunctionProcess:
        """Make the request's greenlet a process; raises UnsupportedServer without gevent's loop."""
        if self._is_stranded():
            raise UnsupportedServer(self._server, "run a request as a process")
        node = self._node
        host = node.take_place(self._host.id)
        process = FunctionProcess(node, host, node.new_pid(host), self.entry)
        process.children = {}
        # What a middleware, or an application around this one, lets the request carry.
        process.context = self._environ.get(CONTEXT, NO_CONTEXT)
        process.adopt(self._greenlet)
        node.admit(process)
        self.process = process
        return process

    @property
    def entry(self) -> str:
        """What it asks for, as the process of it shows."""
        return f"{self._environ['REQUEST_METHOD']} {self._environ.get('PATH_INFO', '')}"

    @property
    def is_head(self) -> bool:
        """Whether it asks for the headers only."""
        return str(self._environ["REQUEST_METHOD"]) == "HEAD"

    @property
    def path(self) -> str:
        """The path it asks for."""
        return path_of(self._environ)

    @property
    def request_id(self) -> str:
        """What its X-Request-ID calls it; "" where it has none."""
        return request_id_of(self._environ)

    @property
    def _server(self) -> str:
        return str(self._environ.get("SERVER_SOFTWARE", ""))

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

    def client_left(self) -> None:
        """Cut the request short: nobody waits for its answer any more."""
        self._cut_short(CLIENT_GONE)

    def lost_body(self) -> None:
        """Remember, of a body that ended too early, whether its client is why."""
        # The view may answer at once, before anybody else has looked after the client.
        self._has_left = self.socket is not None and bool(departed((self.socket,)))

    def time_is_over(self) -> None:
        """Cut the request short: it has taken longer than the server allows."""
        log.warning("%s took longer than timeouts.handler", self.entry)
        self._cut_short(TOO_LONG)

    def must_end(self) -> None:
        """End the request, which was asked to and has not."""
        self._stop(RESULT_KILLED)

    def _cut_short(self, result: Result) -> None:
        if self._is_over or self.cut is not None:
            return
        self.cut = result
        if self.process is None:
            self._stop(result)
        else:
            self.process.deliver_event(Cancel(None, result.reason, GRACE))

    def _stop(self, result: Result) -> None:
        if self._is_over:
            return
        self.is_stopped = True
        if self.is_inside:
            (self.process or self.adopt()).end(result)

    def end(self, result: Result = RESULT_NORMAL) -> None:
        """The request is over, and so is its process, if it became one; only the first time."""
        if self._is_over:
            return
        self._is_over = True
        running, process = self._greenlet, self.process
        running.greenrelay_scope = self.outer
        if self.socket is not None:
            self._attendance.leave(self)
        if process is not None:
            # Not None: what sends looks whether there is one, and no further.
            del running.greenrelay_process
            mine = self._result if result is RESULT_NORMAL else result
            cut = CLIENT_GONE if self.cut is None and self._has_left else self.cut
            if cut is not None and mine is RESULT_NORMAL:
                # It has ended in time by itself, but for nobody: what it linked ends with it.
                mine = cut
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
        self._chunks: Iterable[bytes] = ()
        self._close: Any = None
        self._missing: int | None = None

    def expect(self, status: str, length: str | None) -> None:
        """Learn how long the body is, if there is a Content-Length."""
        if status.startswith(_NO_BODY):
            self._missing = 0
        else:
            self._missing = int(length) if length and length.isdecimal() else None

    def wrap(self, chunks: Iterable[bytes]) -> None:
        """Iterate ``chunks`` from now on, and close them."""
        self._scope.is_inside = False
        self._chunks = chunks
        self._close = getattr(chunks, "close", None)

    def __iter__(self) -> Iterator[bytes]:
        scope, missing = self._scope, self._missing
        try:
            if scope.is_stopped:
                raise self._cut_off()
            scope.is_inside = True
            for chunk in self._chunks:
                scope.is_inside = False
                is_too_long = missing is not None and len(chunk) > missing
                if missing is not None:
                    # To the client what is more would begin the next answer.
                    chunk = chunk[:missing]
                    missing -= len(chunk)
                    if not missing:
                        scope.end()
                yield chunk
                if is_too_long:
                    # There may be no end of it, and nothing is sent any more that could fail.
                    return
                if scope.is_stopped:
                    raise self._cut_off()
                scope.is_inside = True
        except GeneratorExit:
            # It is closed before its end, and ``close`` says why.
            raise
        except BaseException as error:
            scope.failed(error)
            scope.end()
            if isinstance(error, ProcessExit) and scope.is_stopped:
                raise self._cut_off() from None
            raise
        scope.end()
        if missing and not scope.is_head:
            # The client would take the next answer for the rest.
            log.warning("%s: the body is %d bytes shorter than it says", scope.path, missing)
            raise self._cut_off()

    def _cut_off(self) -> OSError:
        # To servers the same as a client that has left: they say no more on this connection.
        self._scope.end()
        return BrokenPipeError(errno.EPIPE, "the request was cut short")

    def close(self, result: Result = CLIENT_GONE) -> None:
        """Close the chunks; a scope that has not ended by now ends with ``result``."""
        close, self._close = self._close, None
        try:
            if close is not None:
                close()
        except BaseException as error:
            self._scope.failed(error)
            raise
        finally:
            self._scope.end(result)

    def discard(self) -> None:
        """Close the chunks unread: nobody wants them."""
        self.close(RESULT_NORMAL)


def note_target(target_pid: str) -> None:
    """Remember whom the running request means to hand its client to, until it has answered."""
    scope = getattr(getcurrent(), "greenrelay_scope", None)
    if isinstance(scope, RequestScope):
        scope.targets += (target_pid,)


def note_lost_body() -> None:
    """Tell the running request's scope that its body has ended before its end."""
    scope = getattr(getcurrent(), "greenrelay_scope", None)
    if isinstance(scope, RequestScope):
        scope.lost_body()


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
