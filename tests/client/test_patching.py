"""Cooperative under gevent with and without monkey patching."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
from gevent import ssl as gevent_ssl
from gevent import subprocess

from tests.client.upstream import echo, upstream

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from gevent import monkey
if sys.argv[1] == "patched":
    monkey.patch_all()
import ssl
import gevent
import greenrelay
from greenrelay.client import connect

turns = 0

def count():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.001)

def work(url, certificate):
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    with connect(url, ssl_context=context) as client:
        before = turns
        for number in range(20):
            client.send(b"x" * 200_000)
            assert len(client.receive(timeout=20).data) == 200_000
            client.ping()
        try:
            client.receive(timeout=0.05)
        except greenrelay.Timeout:
            pass
        assert turns - before > 10, turns
    return client.code

gevent.spawn(count)
with greenrelay.Node() as node:
    assert node.run(work, *sys.argv[2:], timeout=30) == 1000
print("done")
"""


@pytest.mark.parametrize("patched", ["patched", "plain"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["tcp", "tls"])
def test_only_the_caller_waits(patched: str, is_secure: bool, certificate: tuple[str, str]) -> None:
    tls = {}
    if is_secure:
        context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        tls = {"ssl_context": context}
    trust = certificate[0] if is_secure else ""

    with upstream(echo, **tls) as url:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, patched, url, trust]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
