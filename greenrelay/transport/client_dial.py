"""A connection to one of the addresses of a host, none of which may keep the others waiting.

Source: RFC 8305, "Happy Eyeballs"; WebSocket client, ``open_timeout``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

import gevent
from gevent import socket as gevent_socket
from gevent.queue import Empty, SimpleQueue

# How long an address is waited for alone, in seconds (section 8).
HEAD_START = 0.25
# What getaddrinfo returns: family, kind, protocol, canonical name, address.
Found = tuple[Any, Any, int, str, Any]


def dial(host: str, port: int) -> Any:
    """Return a socket that is connected; raises OSError, where all fail that of the last one.

    It waits without end: who calls has a deadline.
    """
    found = gevent_socket.getaddrinfo(host, port, type=gevent_socket.SOCK_STREAM)
    if len(found) == 1:
        return _connected(found[0])
    return _first_of(in_turns(found))


def in_turns(found: Sequence[Found]) -> list[Found]:
    """Return addresses with the families taking turns, as one of them may lead nowhere."""
    favourite = found[0][0]
    pairs = zip_longest(
        [each for each in found if each[0] == favourite],
        [each for each in found if each[0] != favourite],
    )
    return [each for each in chain.from_iterable(pairs) if each is not None]


def _first_of(found: Sequence[Found]) -> Any:
    """Return the first that connects; the next is tried when one has failed or is slow."""
    ended: SimpleQueue[Any] = SimpleQueue()
    waiting = list(found)
    tries: list[gevent.Greenlet[..., None]] = []
    error = OSError("it has no address")
    failed = 0
    try:
        while waiting or failed < len(tries):
            if waiting:
                tries.append(gevent.spawn(_try, waiting.pop(0), ended))
            try:
                end = ended.get(timeout=HEAD_START if waiting else None)
            except Empty:
                continue
            if not isinstance(end, OSError):
                return end
            error, failed = end, failed + 1
        raise error
    finally:
        gevent.killall(tries)
        # What has connected as well while the first was taken, or while nobody waits any more.
        while not ended.empty():
            late = ended.get()
            if not isinstance(late, OSError):
                late.close()


def _try(address: Found, ended: SimpleQueue[Any]) -> None:
    try:
        ended.put(_connected(address))
    except OSError as error:
        ended.put(error)


def _connected(address: Found) -> Any:
    family, kind, protocol, _, where = address
    sock = gevent_socket.socket(family, kind, protocol)
    try:
        sock.connect(where)
    except BaseException:
        sock.close()
        raise
    return sock
