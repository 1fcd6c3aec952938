"""A module that is hung up on while it is imported, and a view whose process forks."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

import gevent

from greenrelay import inbox, spawn
from greenrelay.web import relay

os.kill(os.getpid(), signal.SIGHUP)


def child() -> dict[str, object]:
    """Start a child as multiprocessing does, terminate it, and tell how it has ended."""
    context: Any = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    started = context.Process(target=wait, args=(theirs,))
    started.start()
    mine.recv()
    started.terminate()
    started.join()
    return {"exit": started.exitcode}


def wait(pipe: Any) -> None:
    """Be a child that runs its loop."""
    gevent.sleep(0.01)
    pipe.send("here")
    gevent.sleep(3600)


def silent() -> Any:
    """Open a WebSocket to nobody who speaks."""
    return relay(spawn(listen))


def listen() -> None:
    """Read and say nothing."""
    for _ in inbox():
        pass
