"""Source: Operations, "Dashboard" (secrets masked, whatever a program keeps)."""

from __future__ import annotations

from greenrelay.dashboard.asked import Asked, BadQuestion
from greenrelay.dashboard.shown import short, short_map
from greenrelay.dashboard.walk import Kept


class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_secrets_are_masked_at_every_level() -> None:
    shown = short_map({"token": "hush", "nick": "Ada", "login": {"password": "hush", "n": 1}})

    assert shown == {"token": "***", "nick": "Ada", "login": "{'password': '***', 'n': 1}"}


def test_what_is_huge_is_cut() -> None:
    assert len(short("x" * 1_000_000)) == 301
    assert len(short(["y" * 10_000] * 10_000)) < 5_000
    assert len(short_map({str(number): 1 for number in range(1000)})) == 50


def test_what_cannot_be_shown_is_said_so() -> None:
    assert short(Nasty()).startswith("<Nasty")


def test_what_the_page_sends_is_checked() -> None:
    asked = Asked({"pid": "x", "limit": 5000, "state": "gone", "empty": ""})

    for look in (
        lambda: asked.text("empty"),
        lambda: asked.text("missing"),
        lambda: asked.window(),
        lambda: asked.choice("state", "open", "over"),
        lambda: asked.text("pid", limit=0),
        lambda: Asked([1]),
    ):
        try:
            look()
        except BadQuestion:
            continue
        raise AssertionError("it was taken")


def test_an_answer_is_kept_for_the_same_question() -> None:
    kept: Kept[int] = Kept()
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [kept.get("one", make), kept.get("one", make), kept.get("other", make)] == [1, 1, 2]
