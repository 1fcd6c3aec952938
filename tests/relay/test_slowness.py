from __future__ import annotations

import pytest

from greenrelay.relay.slowness import BLOCK, CLOSES, SlowPolicy, parse_slow_policy


@pytest.mark.parametrize("kind", ["close", "drop_oldest", "drop_newest"])
def test_three_kinds_are_one_word(kind: str) -> None:
    """`wsrelay.slow.policy` | `close` | or `drop_oldest`, `drop_newest`, …"""
    assert parse_slow_policy(f" {kind} ") == SlowPolicy(kind)


@pytest.mark.parametrize(("text", "seconds"), [("block 5s", 5.0), ("block  1m30s", 90.0)])
def test_block_is_followed_by_a_duration(text: str, seconds: float) -> None:
    """`block <duration>`"""
    assert parse_slow_policy(text) == SlowPolicy(BLOCK, seconds)


@pytest.mark.parametrize(
    "value", ["", "drop", "block", "block 0s", "block soon", "block 1s 2s", "close 5s", 5, None, []]
)
def test_anything_else_is_refused_with_what_is_allowed(value: object) -> None:
    with pytest.raises(ValueError, match=r"it must be|is 'soon'"):
        parse_slow_policy(value)


def test_only_the_dropping_kinds_lose_frames_while_the_connection_lives() -> None:
    assert SlowPolicy("drop_oldest").drops
    assert SlowPolicy("drop_newest").drops
    assert not CLOSES.drops
    assert not SlowPolicy(BLOCK, 1.0).drops
