"""Source: Operations, "Logs and traces": PID, target, request id, code on each line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from greenrelay.transport import logged
from tests.relaying import relaying
from tests.streaming import streaming

FORGED = 'x\n2026 ERROR "forged"\x1b[2J code=1000'
NAMED = {"X-Request-ID": "r-7"}


@pytest.fixture
def info(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Any]]:
    """What is logged of connections, as records."""
    caplog.set_level(logging.INFO, "greenrelay.transport")
    return lambda: [each for each in caplog.records if each.name == "greenrelay.transport"]


def test_both_lines_of_a_socket_have_pid_target_path_user_and_request_id(
    info: Callable[[], list[Any]],
) -> None:
    with relaying(command={"metadata": {"user_id": "ann"}}) as bench:
        target = bench.target.pid
        with bench.connect(headers=NAMED) as client:
            client_pid = bench.joined()
            client.close(4000, "bye")
            bench.wait_gone(client_pid)

    opened, closed = info()
    for each in (opened, closed):
        found = (each.pid, each.target, each.path, each.client, each.user, each.request_id)
        assert found == (client_pid, target, "/ws", "127.0.0.1", "ann", "r-7")
        text = f" path=/ws client=127.0.0.1 target={target} user=ann request_id=r-7"
        assert each.getMessage().endswith(text)
    assert (closed.code, closed.reason, closed.clean) == (4000, "bye", True)
    assert " closed: code=4000 clean=True duration=" in closed.getMessage()


def test_a_request_without_a_name_or_a_user_has_none_in_its_lines(
    info: Callable[[], list[Any]],
) -> None:
    with relaying() as bench, bench.connect():
        bench.joined()

    for each in info():
        assert "request_id" not in each.getMessage()
        assert "user" not in each.getMessage()


def test_a_stream_has_no_code_and_all_the_rest(info: Callable[[], list[Any]]) -> None:
    with streaming() as bench, bench.listen(headers=NAMED) as client:
        stream_pid = bench.joined()
        client.drop()
        bench.wait_gone(stream_pid)

    opened, closed = info()
    assert (opened.pid, opened.request_id) == (closed.pid, closed.request_id) == (stream_pid, "r-7")
    assert not hasattr(closed, "code")
    assert " closed: clean=False duration=" in closed.getMessage()


def test_a_client_cannot_write_into_the_log_by_its_reason(info: Callable[[], list[Any]]) -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.close(4000, FORGED)
        bench.wait_gone(client_pid)

    text = info()[-1].getMessage()
    assert text.isprintable()
    assert r'reason="x\n2026 ERROR \"forged\"\x1b[2J code=1000" path=' in text
    assert info()[-1].reason == FORGED


def test_a_long_request_id_is_cut() -> None:
    assert logged.request_id_of({"HTTP_X_REQUEST_ID": "x" * 1000}) == "x" * 200


def test_where_nobody_wants_the_lines_nothing_is_looked_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Log lines cost nothing when INFO is off."""
    caplog.set_level(logging.WARNING, "greenrelay.transport")
    asked: list[object] = []
    monkeypatch.setattr(logged, "user_of", asked.append)

    with relaying() as bench, bench.connect():
        bench.joined()

    assert asked == []
