"""How the asyncio contenders run: each workload as the main task of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from bench.workload import Run, Sample, Size, by_name

Main = Callable[[Size], Coroutine[Any, Any, Sample]]
MakeLoop = Callable[[], asyncio.AbstractEventLoop]


def run_all(make_loop: MakeLoop, mains: Iterable[Main]) -> dict[str, Run]:
    """Return ``mains`` by their names, each run by a loop of its own."""
    return by_name(*(_run(make_loop, main) for main in mains))


def _run(make_loop: MakeLoop, main: Main) -> Run:
    def run_in_loop(size: Size) -> Sample:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(main(size))

    run_in_loop.__name__ = main.__name__
    return run_in_loop


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks that wait for messages that will not come."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
