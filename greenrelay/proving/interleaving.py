"""Other orders: a run queue that takes any of the ready processes, by a seed.

Source: ``docs/testing.md``, "Interleavings". Which of the processes that could run does run next is
promised to nobody, yet a queue answers it the same way each time, so a test sees one order of
many. Here chance answers it, and the seed makes it answer the same way again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from greenrelay.core.fifo import Fifo
from greenrelay.runtime.node import Node
from greenrelay.runtime.task import Task

SEEDS = range(100)


class ShuffledQueue(Fifo):
    """A run queue whose first entry is any of its entries.

    Looking at ``[0]`` settles which one; ``popleft`` takes that one.
    """

    def __init__(self, tasks: Iterable[Task], random: Random) -> None:
        super().__init__(tasks)
        self._random = random
        self._is_settled = False

    def __getitem__(self, index: int) -> Task:
        if index == 0:
            self._settle_first()
        found: Task = super().__getitem__(index)
        return found

    def popleft(self) -> Task:
        """Take one of the entries."""
        self._settle_first()
        self._is_settled = False
        taken: Task = super().popleft()
        return taken

    def appendleft(self, task: Task) -> None:
        """Put an entry back; it is no more likely to be the next than any other."""
        self._is_settled = False
        super().appendleft(task)

    def clear(self) -> None:
        """Drop all entries."""
        self._is_settled = False
        super().clear()

    def _settle_first(self) -> None:
        if self._is_settled or not self:
            return
        self._is_settled = True
        other = self._random.randrange(len(self))
        if other:
            first = super().__getitem__(0)
            self[0], self[other] = super().__getitem__(other), first


def shuffle(node: Node, seed: int) -> None:
    """Let ``node`` run its processes in an order that ``seed`` decides, from now on.

    Call it in the test and not in a process: a run queue that is at work is not looked for again.
    """
    ready = node.scheduler.ready
    node.scheduler.ready = ShuffledQueue(ready, Random(seed))


def explore(
    scenario: Callable[[Node], object], seeds: Iterable[int] = SEEDS, *, grace: float = 0.5
) -> None:
    """Run ``scenario`` with a fresh node for each of ``seeds``, each in an order of its own.

    What it raises is raised here, with a note that has the seed. The node is shut down after
    each run.
    """
    for seed in seeds:
        node = Node(f"seed-{seed}", grace=grace)
        shuffle(node, seed)
        try:
            scenario(node)
        except BaseException as error:
            error.add_note(note_of(seed))
            raise
        finally:
            node.shutdown(grace)


def note_of(seed: int) -> str:
    """Return what a failure under ``seed`` has to say of it."""
    return f"The order of processes was that of seed {seed}: it comes again with the same seed."
