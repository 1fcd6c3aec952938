from __future__ import annotations

import subprocess
import sys

import pytest

import greenrelay as gr
from tests.probe import Probe, assert_receive

WITHOUT_MSGSPEC = """
import sys
sys.modules["msgspec"] = None
import greenrelay as gr
with gr.Node("before") as node:
    assert node.run(gr.nodes) == ()
try:
    gr.Node("a", cluster="local")
except gr.EngineError as error:
    print(error)
"""


def test_the_engine_local_is_a_cluster_of_one() -> None:
    """the default engine is local, with no server and no socket, behind the same interface"""
    with gr.Node("alone", cluster="local") as node, Probe(node) as probe:
        probe.do(gr.register, "leader", scope="cluster")
        probe.do(gr.join, "room")

        assert probe.do(gr.lookup, "leader") == probe.pid
        assert probe.do(gr.members, "room") == (probe.pid,)
        assert probe.do(gr.broadcast, "room", "hello") == 1
        assert assert_receive(probe, topic="hello").sender == probe.pid
        assert probe.do(gr.nodes) == ()


def test_a_payload_that_stays_on_its_node_may_be_anything() -> None:
    with gr.Node("alone", cluster="local") as node, Probe(node) as probe:
        odd = object()

        node.send(probe.pid, "odd", odd)

        assert assert_receive(probe, topic="odd").payload is odd


@pytest.mark.parametrize("engine", ["redis://x", "nats://", ""])
def test_an_address_that_is_none_says_so(engine: str) -> None:
    with pytest.raises(gr.EngineError):
        gr.Node("a", cluster=engine)


def test_without_its_library_a_cluster_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MSGSPEC], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == (
        "cluster engine local: msgspec is missing: pip install 'greenrelay[cluster]'"
    )


def test_a_broadcast_under_strict_payloads_refuses_what_could_not_leave() -> None:
    def say() -> None:
        gr.join("room")
        gr.broadcast("room", "odd", {1})

    with gr.Node("strict", strict_payloads=True) as node, pytest.raises(gr.UnsendablePayload):
        node.run(say)
