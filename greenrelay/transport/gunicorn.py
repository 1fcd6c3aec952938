"""gunicorn's gevent workers: handlers that give their sockets away, and draining.

Source: HTTP, "Servers it must run on". gunicorn tells nobody of SIGTERM, of a reload or of
``max_requests``: a worker's ``alive`` turns false, its server closes, and it leaves as soon as it
has no request. So draining watches ``alive`` and holds the worker's ``run`` back until the
connections have ended. The master kills a worker ``graceful_timeout`` after it was told to stop,
and everything here has to be over by then.

gunicorn is not imported here: this runs without it, too.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from time import monotonic
from types import MethodType
from typing import Any, Protocol
from weakref import WeakSet

import gevent
from gevent.event import Event as Flag

from greenrelay.core.log import ROOT, is_written
from greenrelay.errors import EngineError, UnsupportedServer
from greenrelay.transport.bounds import Bounds
from greenrelay.transport.handler import RelayHandler
from greenrelay.transport.server import Listener

log = logging.getLogger("greenrelay.transport")

WATCH_INTERVAL = 0.1
START_PAUSE = 1.0
# Of graceful_timeout: what draining may take, and when the processes are told to end. The rest is
# for their endings.
DRAIN_SHARE = 0.7
SERVE_SHARE = 0.8

_GEVENT = "gunicorn.workers.ggevent"
_STOCK = "geventwebsocket.gunicorn.workers"
_BLOCKING = tuple(f"gunicorn.workers.{name}" for name in ("sync", "gthread", "gtornado", "gasgi"))
_DRAINS = "greenrelay_drains"


class Application(Protocol):
    """What a worker serves and has to stop."""

    @property
    def addresses(self) -> Sequence[str]:
        """Where it would listen if gunicorn did not."""

    @property
    def bounds(self) -> Bounds | None:
        """What its clients may do; None where nothing says so."""

    @property
    def bounds_given(self) -> Sequence[str]:
        """Which of the bounds its configuration sets, and where."""

    def start(self) -> None:
        """Start what runs beside the requests, once."""

    def drain(self, *, at_most: float) -> None:
        """Close the connections; may wait ``at_most`` seconds."""

    def stop(self) -> None:
        """Drain, then end all processes; may wait."""


# An application knows nothing of the worker that will serve it, nor the other way round.
_applications: WeakSet[Application] = WeakSet()


def serve_with_workers(application: Application) -> None:
    """Have ``application`` started and stopped by the gunicorn worker it runs in, if it is in one.

    The workers' classes get our handler, which leaves the handshake to the application, and
    drain. Raises UnsupportedServer in a worker that is not gevent's.
    """
    workers = sys.modules.get(_GEVENT)
    if workers is None:
        _refuse_blocking_workers()
    else:
        _adapt(workers, sys.modules.get(_STOCK))
    _applications.add(application)


def _refuse_blocking_workers() -> None:
    for name in _BLOCKING:
        if name in sys.modules:
            raise refusal(name.rpartition(".")[2])


def refusal(worker: str) -> UnsupportedServer:
    """Return the error for a worker class, which gunicorn prints without a traceback."""
    errors: Any = sys.modules["gunicorn.errors"]
    made: UnsupportedServer = type(
        "UnsupportedServer", (UnsupportedServer, errors.AppImportError), {}
    )(f"gunicorn's worker {worker}")
    return made


def _adapt(workers: Any, stock: Any) -> None:
    pywsgi_worker = workers.GeventPyWSGIWorker
    if not issubclass(pywsgi_worker.wsgi_handler, RelayHandler):
        pywsgi_worker.wsgi_handler = handler_for(pywsgi_worker.wsgi_handler)
        pywsgi_worker.server_class = server_for(pywsgi_worker.server_class)
    if stock is not None:
        stock.GeventWebSocketWorker.wsgi_handler = pywsgi_worker.wsgi_handler
    workers.GeventWorker.run = draining(workers.GeventWorker.run)


def handler_for(base: Any) -> Any:
    """Return RelayHandler on top of gunicorn's own pywsgi handler, with its access log."""
    if issubclass(base, RelayHandler):
        return base

    def log_request(handler: Any) -> None:
        # What was no HTTP at all has no environ, and gunicorn's access log cannot do without.
        if handler.environ is not None:
            base.log_request(handler)

    return type("GunicornHandler", (RelayHandler, base), {"log_request": log_request})


def server_for(base: Any) -> Any:
    """Return Listener on top of gunicorn's own pywsgi server."""
    return base if issubclass(base, Listener) else type("GunicornServer", (Listener, base), {})


def drain_when_stopped(worker: Any) -> None:
    """Let one worker start its applications and drain when it stops (``post_worker_init``).

    Not now: gunicorn ends altogether when a worker fails to boot, and what fails may be an engine
    that is away for a moment.
    """
    if not any(hasattr(vars(each).get("run"), _DRAINS) for each in type(worker).__mro__):
        worker.run = MethodType(draining(type(worker).run), worker)


def start_applications() -> None:
    """Start what every application of this worker runs beside its requests."""
    for application in tuple(_applications):
        application.start()


def draining(run: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return a worker's ``run`` that drains when the worker is told to stop."""
    if hasattr(run, _DRAINS):
        return run

    @wraps(run)
    def drained_run(worker: Any) -> object:
        _log_where_gunicorn_does(worker)
        _say_what_is_ignored(worker)
        _start(worker)
        _count_requests(worker)
        is_served = Flag()
        stopping = gevent.spawn(_stop_when_told, worker, is_served)
        try:
            return run(worker)
        finally:
            worker.alive = False
            is_served.set()
            while not stopping.ready():
                # It exits when the master has gone, and then nobody waits for a sign of life.
                with contextlib.suppress(SystemExit):
                    worker.notify()
                stopping.join(1.0)

    setattr(drained_run, _DRAINS, True)
    return drained_run


def _start(worker: Any) -> None:
    """Start what this worker runs beside requests; without its engine it ends, after a moment.

    gunicorn starts another at once then. It hears signs of life and may stop the worker meanwhile.
    """
    starting = gevent.spawn(_begin)
    _wait(worker, starting)
    if not starting.ready():
        starting.kill()
        sys.exit(0)
    error = starting.get()
    if isinstance(error, EngineError):
        worker.log.error("greenrelay: %s; this worker ends, and gunicorn starts another", error)
        _wait(worker, gevent.spawn(gevent.sleep, START_PAUSE))
        sys.exit(1)
    if error is not None:
        raise error


def _begin() -> Exception | None:
    # gevent would print what a greenlet raises, although it is raised where it is waited for.
    try:
        start_applications()
    except Exception as error:
        return error
    return None


def _wait(worker: Any, greenlet: gevent.Greenlet[..., Any]) -> None:
    """Wait until a greenlet has ended, or the worker is told to stop."""
    while worker.alive and not greenlet.ready():
        worker.notify()
        greenlet.join(WATCH_INTERVAL)


def _log_where_gunicorn_does(worker: Any) -> None:
    """Let our lines, INFO among them, go where gunicorn's go, unless the program has set that up.

    Python would write warnings and errors only. gunicorn's own ``logconfig`` and what the
    application has set up are there by now, and win.
    """
    logger = logging.getLogger(ROOT)
    error_log = getattr(worker.log, "error_log", None)
    if error_log is None or is_written(ROOT):
        return
    for handler in error_log.handlers:
        logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(error_log.level)


def _say_what_is_ignored(worker: Any) -> None:
    for application in tuple(_applications):
        for address in application.addresses:
            worker.log.info("greenrelay: gunicorn listens; %s and its TLS are not used", address)
        _bound(worker, application)


def _bound(worker: Any, application: Application) -> None:
    """Let the worker's server obey the application's bounds; a worker without one cannot."""
    if worker.server_class is not None:
        if application.bounds is not None:
            application.bounds.put_on(worker.server_class)
        return
    for given in application.bounds_given:
        worker.log.warning(
            "greenrelay: %s is not applied by gunicorn's worker %s, whose HTTP parser has limits "
            "of its own; -k greenrelay.gunicorn.Worker applies it",
            given,
            type(worker).__name__,
        )


def _stop_when_told(worker: Any, is_served: Flag) -> None:
    while worker.alive:
        gevent.sleep(WATCH_INTERVAL)
    grace = worker.cfg.graceful_timeout
    stopping = [
        gevent.spawn(_stop, application, grace, is_served) for application in tuple(_applications)
    ]
    gevent.joinall(stopping, timeout=grace)


def _stop(application: Application, grace: float, is_served: Flag) -> None:
    told_at = monotonic()
    application.drain(at_most=grace * DRAIN_SHARE)
    # Requests that have begun may still need their processes.
    is_served.wait(max(0.0, told_at + grace * SERVE_SHARE - monotonic()))
    application.stop()


def _count_requests(worker: Any) -> None:
    """Let ``max_requests`` hold for the workers that serve with pywsgi, too."""
    if worker.server_class is None or not worker.cfg.max_requests:
        return
    serve = worker.wsgi

    def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        worker.nr += 1
        if worker.nr >= worker.max_requests and worker.alive:
            worker.log.info("Autorestarting worker after current request.")
            worker.alive = False
        answer: Iterable[bytes] = serve(environ, start_response)
        return answer

    worker.wsgi = counted
