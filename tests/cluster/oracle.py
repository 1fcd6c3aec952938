"""nats-py, which is not ours, on the other side: ``python -m tests.cluster.oracle URL WHAT …``.

``echo SUBJECT`` answers requests with their header and data, ``publish SUBJECT COUNT`` sends
numbered messages with headers, ``rows BUCKET`` prints each row of a bucket as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.probe import wait_for

ROOT = Path(__file__).parents[2]

Job = Callable[..., Awaitable[None]]


@contextmanager
def oracle(folder: Path, *arguments: str) -> Iterator[Path]:
    """Run the oracle; yield the file it prints to, once it has printed ``ready``."""
    path = folder / "oracle"
    command = [sys.executable, "-m", "tests.cluster.oracle", *arguments]
    with path.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output)
    try:
        wait_for(lambda: "ready\n" in path.read_text(), 10)
        yield path
    finally:
        process.kill()
        process.wait()


async def echo(client: Client, subject: str) -> None:
    """Answer requests until killed."""

    async def answer(message: Msg) -> None:
        await client.publish(message.reply, message.data, headers=message.headers)

    await client.subscribe(subject, cb=answer)
    await client.flush()
    print("ready", flush=True)
    await asyncio.sleep(3600)


async def publish(client: Client, subject: str, count: str) -> None:
    """Send numbered messages."""
    for number in range(int(count)):
        headers = {"X-Number": str(number)} if number % 2 else None
        await client.publish(subject, b"%d" % number, headers=headers)
    await client.flush()
    print("ready", flush=True)


async def rows(client: Client, bucket: str) -> None:
    """Print each row of a bucket."""
    store = await client.jetstream().key_value(bucket)
    for key in await store.keys():
        entry = await store.get(key)
        assert entry.value is not None
        print(json.dumps([key, entry.value.decode(), entry.revision]))
    print("ready", flush=True)


async def main() -> None:
    """Do what the command line says."""
    url, what, *arguments = sys.argv[1:]
    client = await nats.connect(url)
    jobs: dict[str, Job] = {"echo": echo, "publish": publish, "rows": rows}
    await jobs[what](client, *arguments)


if __name__ == "__main__":
    asyncio.run(main())
