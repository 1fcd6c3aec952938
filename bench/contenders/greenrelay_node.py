"""How the greenrelay contenders run: each workload as a process of a node of its own."""

from __future__ import annotations

from collections.abc import Iterable

from bench.workload import Run, Sample, Size
from greenrelay.process import Node, Pid, terminate
from greenrelay.runtime.host import Host

# Above what any workload leaves unread: the limit is not what is measured here.
INBOX_LIMIT = 1_000_000


def in_a_process(run: Run) -> Run:
    """Return ``run`` so that it runs as a process, under the same name."""

    def run_in_node(size: Size) -> Sample:
        with Node("bench") as node:
            node.add_host(Host("bench:processes", inbox_limit=INBOX_LIMIT), default=True)
            sample: Sample = node.run(run, size)
        return sample

    run_in_node.__name__ = run.__name__
    return run_in_node


def end_all(pids: Iterable[Pid]) -> None:
    """End processes that wait for messages that will not come."""
    for pid in pids:
        terminate(pid)
