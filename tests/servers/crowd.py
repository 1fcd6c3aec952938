"""Many clients at once, for a server that is to count them or to let them go."""

from __future__ import annotations

import selectors
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.servers.conftest import Site
from tests.servers.raw import BINARY, CLOSE, PING, PONG, RawClient, frame, raw_client


@contextmanager
def crowd(site: Site, path: str, count: int) -> Iterator[list[RawClient]]:
    """Open ``count`` WebSockets, each of which has heard from its target."""
    with ExitStack() as stack:
        clients: list[RawClient] = []
        for _ in range(count):
            client = stack.enter_context(raw_client(site, path))
            client.send(frame(BINARY, b"hello"))
            assert client.read_frame() == (BINARY, b"hello")
            clients.append(client)
        yield clients


def part(clients: list[RawClient], timeout: float) -> Counter[int]:
    """Answer the close frame of the server at each client; return how many had which code.

    Waits ``timeout`` seconds at most for the next one to say anything.
    """
    codes: Counter[int] = Counter()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        while selector.get_map():
            ready = selector.select(timeout)
            assert ready, f"{len(selector.get_map())} clients wait in vain; so far {codes}"
            for key, _ in ready:
                selector.unregister(key.fileobj)
                codes[_answer(key.data)] += 1
    return codes


def _answer(client: RawClient) -> int:
    while (found := client.read_frame()) is not None:
        opcode, payload = found
        if opcode == CLOSE:
            client.send(frame(CLOSE, payload[:2]))
            return int.from_bytes(payload[:2])
        # A server that took long to fill has pinged its first clients.
        assert opcode == PING
        client.send(frame(PONG, payload))
    return 1006
