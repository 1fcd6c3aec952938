"""Who asks a program that says hello and then nothing. Source: Operations, "Command line"."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenrelay.admin import client
from greenrelay.admin.client import Endpoint, Unanswered
from greenrelay.admin.wire import encode


@contextmanager
def saying_hello(path: Path) -> Iterator[Endpoint]:
    """Listen as a program does whose second answer takes for ever."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as first:
                # An answer to nothing would cut off who asks.
                assert first.makefile("rb").readline()
                first.sendall(encode({"result": {}}))
            with listener.accept()[0] as second:
                while second.recv(1000):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        yield Endpoint(7, path)
        thread.join()


def test_a_command_that_takes_too_long_is_not_told_as_a_busy_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONG_PATIENCE", 0.1)

    with saying_hello(tmp_path / "socket") as program, pytest.raises(Unanswered) as raised:
        program.ask("drain")

    text = "program 7 has not ended 'drain' within 0.1 s, and goes on with it"
    assert str(raised.value) == text
