"""The bridge of the demo, as a person would start it: two servers, and browsers at one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from urllib.request import urlopen

import pytest

from greenrelay.client import Client, connect
from tests.program import Program

ROOT = Path(__file__).parents[2]
UP = '{"topic":"bridge.state","data":{"is_up":true}}'
DOWN = '{"topic":"bridge.state","data":{"is_up":false}}'


@contextmanager
def started(file: str, **environment: str) -> Iterator[str]:
    """Run a configuration; yields its address."""
    program = Program(["greenrelay", "run", file], ROOT, environment)
    try:
        yield program.address()
    finally:
        program.stop()


@pytest.fixture
def upstream_address() -> str:
    """An address of this machine that is free now."""
    with create_server(("127.0.0.1", 0)) as sock:
        host, port = sock.getsockname()
        return f"{host}:{port}"


def wait_for_text(client: Client, wanted: str) -> None:
    """Read until the state ``wanted`` comes."""
    while client.receive(timeout=30).data != wanted:
        pass


def wait_for_tick(client: Client) -> None:
    """Read until the upstream's own text comes."""
    while str(client.receive(timeout=30).data).startswith("{"):
        pass


def test_browsers_follow_an_upstream_that_comes_late_and_restarts(upstream_address: str) -> None:
    upstream = f"ws://{upstream_address}/ticks"

    with started("bridge.yaml", GREENRELAY_ADDR="127.0.0.1:0", GREENRELAY_UPSTREAM=upstream) as at:
        one, other = (connect(f"ws://{at}/ws/feed") for _ in range(2))
        with one, other:
            assert one.receive(timeout=30).data == DOWN
            for _ in range(2):
                with started("upstream.yaml", GREENRELAY_ADDR=upstream_address):
                    for browser in (one, other):
                        wait_for_text(browser, UP)
                        wait_for_tick(browser)
                for browser in (one, other):
                    wait_for_text(browser, DOWN)
            assert one.is_open


def test_the_page_of_the_bridge_is_served() -> None:
    with started("bridge.yaml", GREENRELAY_ADDR="127.0.0.1:0") as address:
        with urlopen(f"http://{address}/", timeout=30) as answer:
            assert b"/assets/bridge.js" in answer.read()
        with urlopen(f"http://{address}/assets/bridge.js", timeout=30) as answer:
            assert answer.status == 200
