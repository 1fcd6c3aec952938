"""How a view says that its client listens to a process, and what becomes of that request.

Source: Server-sent Events Relay; WebSocket Relay, "Refusals before the upgrade".

Theory. Flask's answer is held back from the moment the middleware accepts it, until Flask's and
the user's teardown functions have run. Then one of these follows, each with the target of a
request that fails cancelled if it is an orphan: the view's teardown raises; a hook has changed
the status, and its answer goes out as it is; the server drains or the target is gone, 503; the
head cannot be written, 500; the client has left; or the stream is joined.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from greenrelay.core.pid import Pid
from greenrelay.errors import UnsupportedServer
from greenrelay.http.relay_response import cancel_orphan, going_away, gone, refuse
from greenrelay.http.scope import Body, RequestScope, note_target
from greenrelay.relay.sse_command import DEFAULT_TOPIC, HEADER, StreamCommand, stream_header
from greenrelay.transport.ledger import ROUTE, STREAM, UNMATCHED
from greenrelay.transport.opening import Opened
from greenrelay.transport.stream_opening import STATUS, StreamRequest
from greenrelay.transport.upgrade import Environ

if TYPE_CHECKING:
    from greenrelay.http.middleware.sse_relay import StreamOptions
    from greenrelay.http.state import AppState

log = logging.getLogger("greenrelay.http")


def stream(
    target_pid: str | None = None,
    *,
    message_topic: str = DEFAULT_TOPIC,
    heartbeat_interval: float | str | None = None,
    idle_timeout: float | str | None = None,
    hard_timeout: float | str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Response:
    """Return the response that lets the client of this request listen to ``target_pid``.

    ``target_pid`` is a PID or a registered name; without one the stream is detached: its first
    event, ``ready``, tells the client its PID. What is sent to the stream on ``message_topic``
    (``*``: on any topic) becomes an event. The times are durations (None: off). ``metadata`` is
    attached to everything the relay sends to the target. Raises InvalidRelayCommand.
    """
    header = stream_header(
        target_pid,
        message_topic=message_topic,
        heartbeat_interval=heartbeat_interval,
        idle_timeout=idle_timeout,
        hard_timeout=hard_timeout,
        metadata=metadata,
    )
    if target_pid is not None:
        note_target(target_pid)
    return Response(status=200, headers={HEADER: header})


class StreamAnswer:
    """The answer of one request that has passed every check, on its way to be a stream."""

    def __init__(
        self,
        state: AppState,
        scope: RequestScope,
        request: StreamRequest,
        command: StreamCommand,
        target: Pid | None,
        options: StreamOptions,
    ) -> None:
        self._state = state
        self._scope = scope
        self._request = request
        self._command = command
        self._target = target
        self._options = options
        self._held: tuple[str, list[tuple[str, str]], Any] = ("", [], None)

    def hold(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Take the head of Flask's answer, to be sent or not."""
        self._held = (status, headers, exc_info)
        return _write_nothing

    def give_up(self) -> None:
        """Keep no place any more, and cancel the target if it would be left with nobody."""
        self._state.streams.places.give_back(self._request.place)
        scope = self._scope
        cancel_orphan(self._state.node, self._target, scope.children, scope.process)

    def answer(self, environ: Environ, start_response: Any, body: Body) -> Iterable[bytes]:
        """Begin the stream, or answer with what has become of it; ``body`` is Flask's."""
        status, headers, exc_info = self._held
        if not status.startswith("2"):
            self.give_up()
            start_response(status, headers, exc_info)
            return body
        try:
            body.discard()
            opened, refusal = self._open(environ, headers)
        except BaseException:
            self.give_up()
            raise
        if opened is None:
            self.give_up()
            return refusal(environ, start_response)
        if not opened.is_joined:
            scope = self._scope
            cancel_orphan(self._state.node, self._target, scope.children, scope.process)
        # The client has its head already; the server's access log and middleware hear of it here.
        start_response(STATUS, [])
        return opened.leave()

    def _open(
        self, environ: Environ, headers: list[tuple[str, str]]
    ) -> tuple[Opened | None, Response]:
        state = self._state
        if state.connections.is_draining:
            ledger = state.connections.ledger
            ledger.became(STREAM, environ.get(ROUTE, UNMATCHED), "draining")
            return None, going_away()
        try:
            opened = state.streams.open(
                environ, self._request, self._command, self._target, self._options, headers
            )
        except (UnsupportedServer, ValueError, OSError) as error:
            log.error("%s: the stream failed: %s", self._request.path, error)
            return None, refuse(500, "The stream failed; the server's log says why.")
        return opened, gone()


def _write_nothing(data: bytes) -> None:
    return None
