"""When a stream has to do something. Source: Server-sent Events Relay."""

from __future__ import annotations

from greenrelay.relay.sse_schedule import Schedule


def test_nothing_is_ever_due_where_nothing_is_set() -> None:
    schedule = Schedule(100.0)

    assert schedule.due_at is None
    assert (schedule.end_due(1e9), schedule.ping_due(1e9), schedule.beat_due(1e9)) == (
        "",
        False,
        False,
    )


def test_the_next_thing_is_the_earliest() -> None:
    schedule = Schedule(100.0, ping=25.0)
    schedule.set_heartbeat(10.0, 100.0)
    schedule.set_idle(60.0, 100.0)
    schedule.hard = 105.0

    assert schedule.due_at == 105.0


def test_a_comment_is_due_each_interval_and_what_was_missed_once() -> None:
    schedule = Schedule(100.0, ping=25.0)

    assert not schedule.ping_due(124.9)
    assert schedule.ping_due(200.0)
    assert not schedule.ping_due(200.0)
    assert schedule.due_at == 225.0


def test_a_heartbeat_is_due_each_interval_until_it_is_switched_off() -> None:
    schedule = Schedule(100.0)
    schedule.set_heartbeat(10.0, 100.0)

    assert not schedule.beat_due(109.0)
    assert schedule.beat_due(110.0)
    assert schedule.due_at == 120.0
    schedule.set_heartbeat(None, 115.0)
    assert schedule.due_at is None
    assert not schedule.beat_due(120.0)


def test_an_event_puts_the_idle_timeout_off_and_nothing_else_does() -> None:
    schedule = Schedule(100.0, ping=5.0)
    schedule.set_idle(10.0, 100.0)
    schedule.active_at = 108.0

    assert schedule.ping_due(110.0)
    assert schedule.end_due(117.9) == ""
    assert schedule.end_due(118.0) == "idle timeout"


def test_the_hard_timeout_waits_for_nothing() -> None:
    schedule = Schedule(100.0)
    schedule.set_idle(10.0, 100.0)
    schedule.hard = 110.0
    schedule.active_at = 109.0

    assert schedule.end_due(109.9) == ""
    assert schedule.end_due(110.0) == "hard timeout"
