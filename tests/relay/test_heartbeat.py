from __future__ import annotations

import math

import pytest

from greenrelay.errors import InvalidRelayCommand
from greenrelay.relay.heartbeat import Heartbeat

CLIENT = "{n1@ws|7}"


def make_heartbeat(interval: float = 30.0, opened_at: float = 100.0) -> Heartbeat:
    return Heartbeat(client_pid=CLIENT, interval=interval, opened_at=opened_at)


def test_the_payload_is_that_of_the_table() -> None:
    """`client_pid`, `uptime`, `message_count`, `metadata`, `rtt` (seconds or None), `queued`"""
    heartbeat = make_heartbeat()

    payload = heartbeat.beat(130.0, 4, metadata={"user_id": 1}, rtt=0.02, queued=3)

    assert payload == {
        "client_pid": CLIENT,
        "uptime": 30.0,
        "message_count": 4,
        "metadata": {"user_id": 1},
        "rtt": 0.02,
        "queued": 3,
    }


def test_without_a_pong_yet_rtt_is_none() -> None:
    assert make_heartbeat().beat(130.0, 0, metadata={})["rtt"] is None


def test_the_first_beat_is_due_one_interval_after_the_opening() -> None:
    assert make_heartbeat().due_at == 130.0


@pytest.mark.parametrize(("now", "due_at"), [(129.0, 130.0), (130.0, 160.0), (131.0, 160.0)])
def test_a_beat_makes_the_next_one_due(now: float, due_at: float) -> None:
    heartbeat = make_heartbeat()

    heartbeat.beat(now, 0, metadata={})

    assert heartbeat.due_at == due_at


def test_beats_missed_while_busy_are_skipped() -> None:
    heartbeat = make_heartbeat()

    payload = heartbeat.beat(195.0, 4, metadata={})  # was due at 130, 160 and 190

    assert payload["uptime"] == 95.0
    assert heartbeat.due_at == 220.0


def test_a_tiny_interval_does_not_keep_the_beat_busy() -> None:
    heartbeat = make_heartbeat(interval=1e-6)

    heartbeat.beat(100_000.0, 0, metadata={})

    assert heartbeat.due_at > 100_000.0


def test_an_interval_below_what_the_clock_can_tell_is_due_at_the_next_tick() -> None:
    heartbeat = make_heartbeat(interval=1e-30)

    heartbeat.beat(100.0, 0, metadata={})

    assert heartbeat.due_at > 100.0


def test_a_restart_keeps_the_uptime_and_moves_the_next_beat() -> None:
    heartbeat = make_heartbeat()

    heartbeat.restart(5.0, now=117.0)

    assert heartbeat.due_at == 122.0
    assert heartbeat.beat(122.0, 0, metadata={})["uptime"] == 22.0


@pytest.mark.parametrize("interval", [0.0, -1.0, math.nan, math.inf])
def test_an_interval_that_is_not_above_zero_is_refused(interval: float) -> None:
    with pytest.raises(
        InvalidRelayCommand, match=r"heartbeat_interval is .*; it must be above 0 s"
    ):
        make_heartbeat(interval=interval)
