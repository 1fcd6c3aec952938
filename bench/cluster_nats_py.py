"""nats-py, the asyncio client of the NATS project: see ``bench/cluster_work.py``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from bench.cluster_far import Far, Work, serve, times
from bench.cluster_work import BURST, PAYLOAD, WINDOW
from bench.workload import Sample, Size

PROGRAM = "bench.cluster_nats_py"


class Credit:
    """How much may still be sent, before the receivers have spoken."""

    def __init__(self, receivers: int) -> None:
        self._left = WINDOW * BURST
        self._receivers = receivers
        self._words: asyncio.Queue[None] = asyncio.Queue()
        self._done = 0
        self._is_over = asyncio.Event()

    async def on_word(self, message: Msg) -> None:
        """Take the word of a receiver."""
        if message.data == b"done":
            self._done += 1
            if self._done == self._receivers:
                self._is_over.set()
        else:
            self._words.put_nowait(None)

    async def flood(self, client: Client, subject: str, reply: str, count: int) -> None:
        """Publish as fast as those who get it let it, until all have all."""
        for _ in range(count):
            if not self._left:
                for _ in range(self._receivers):
                    await self._words.get()
                self._left = BURST
            await client.publish(subject, PAYLOAD, reply=reply)
            self._left -= 1
        await self._is_over.wait()


def _with_others(
    work: Callable[[Size, Client], Awaitable[Sample]], role: str, nodes: int = 1
) -> Work:
    """Return ``work`` with so many other programs, or with a crowd of them."""

    async def run(size: Size, url: str) -> Sample:
        client = await nats.connect(url)
        try:
            return await work(size, client)
        finally:
            await client.close()

    def run_beside(size: Size, url: str) -> Sample:
        with ExitStack() as stack:
            for number in range(nodes or size.crowd):
                stack.enter_context(Far(PROGRAM, role, url, number=number, count=size.count))
            return asyncio.run(run(size, url))

    return run_beside


async def _broadcast(size: Size, client: Client) -> Sample:
    credit = Credit(size.crowd)
    await client.subscribe("words", cb=credit.on_word)
    start = time.perf_counter()
    await credit.flood(client, "member", "words", size.count)
    return Sample(size.count, time.perf_counter() - start)


async def _round_trip(size: Size, client: Client) -> Sample:
    answers: asyncio.Queue[Msg] = asyncio.Queue()
    await client.subscribe("answers", cb=answers.put)
    found = []
    for _ in range(size.count):
        start = time.perf_counter()
        await client.publish("echo", PAYLOAD, reply="answers")
        await answers.get()
        found.append(time.perf_counter() - start)
    return times("round_trip", found)


async def _call(size: Size, client: Client) -> Sample:
    found = []
    for _ in range(size.count):
        start = time.perf_counter()
        await client.request("echo", PAYLOAD, timeout=5.0)
        found.append(time.perf_counter() - start)
    return times("call", found)


async def _be_member(client: Client, count: int) -> None:
    got = 0

    async def take(message: Msg) -> None:
        nonlocal got
        got += 1
        if not got % BURST:
            await client.publish(message.reply, b"more")
        if got == count:
            await client.publish(message.reply, b"done")

    await client.subscribe("member", cb=take)


async def _be_echo(client: Client, count: int) -> None:
    async def answer(message: Msg) -> None:
        await client.publish(message.reply, message.data)

    await client.subscribe("echo", cb=answer)


def _role(
    function: Callable[[Client, int], Awaitable[object]],
) -> Callable[[str, int, str], None]:
    async def be(name: str, count: int, url: str) -> None:
        client = await nats.connect(url)
        await function(client, count)
        await client.flush()
        print(name, flush=True)
        await asyncio.sleep(3600)

    return lambda name, count, url: asyncio.run(be(name, count, url))


WORKLOADS: dict[str, Work] = {
    # One way is a broadcast to one.
    "one_way": _with_others(_broadcast, "member"),
    "round_trip": _with_others(_round_trip, "echo"),
    "call": _with_others(_call, "echo"),
    "broadcast": _with_others(_broadcast, "member", nodes=0),
}
ROLES = {"member": _role(_be_member), "echo": _role(_be_echo)}

if __name__ == "__main__":
    serve(sys.argv[1:], WORKLOADS, ROLES)
