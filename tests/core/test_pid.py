"""PIDs. Source: Processes, "PIDs"."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.core.pid import Pid, make_pid
from greenrelay.errors import InvalidPid

PARTS = st.text(st.characters(exclude_characters="{}|@\r\n", codec="utf-8"), min_size=1)


def test_its_text_form_is_node_at_host_bar_id() -> None:
    """Text form `{node@host|id}`; `str(pid)` gives it."""
    pid = Pid("n1", "app:processes", 7)

    assert str(pid) == "{n1@app:processes|7}"


def test_parse_reads_it_back() -> None:
    """`Pid.parse(text)` reads it back."""
    pid = Pid.parse("{n1@app:processes|7}")

    assert (pid.node, pid.host, pid.id) == ("n1", "app:processes", "7")


@given(PARTS, PARTS, PARTS)
def test_every_pid_survives_the_way_through_its_text(node: str, host: str, number: str) -> None:
    pid = Pid(node, host, number)

    assert Pid.parse(str(pid)) == pid
    assert (pid.node, pid.host, pid.id) == (node, host, number)


def test_it_is_frozen_hashable_and_equal_to_its_text() -> None:
    """`Pid` is a frozen, hashable value; it is accepted everywhere its text is."""
    pid = Pid("n", "h", 1)

    with pytest.raises(AttributeError):
        pid.node = "other"  # type: ignore[misc]
    assert {pid: "found"}["{n@h|1}"] == "found"  # type: ignore[index]
    assert json.dumps({"pid": pid}) == '{"pid": "{n@h|1}"}'


def test_a_pid_is_parsed_to_itself() -> None:
    pid = Pid("n", "h", 1)

    assert Pid.parse(pid) is pid


def test_it_survives_copies_and_pickles_as_a_pid() -> None:
    pid = Pid("n", "h", 1)

    for other in (copy.copy(pid), copy.deepcopy(pid), pickle.loads(pickle.dumps(pid))):
        assert other == pid
        assert isinstance(other, Pid)


def test_its_repr_says_how_to_make_it() -> None:
    pid = Pid("n", "h", 1)

    assert repr(pid) == "Pid.parse('{n@h|1}')"
    assert eval(repr(pid)) == pid


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (7, "it is int, not text"),
        (None, "it is NoneType, not text"),
        ("", "it lacks its braces"),
        ("{", "it lacks its braces"),
        ("n@h|1", "it lacks its braces"),
        ("{n@h|1", "it lacks its braces"),
        ("{n@h1}", "it lacks its '@' or '|'"),
        ("{nh|1}", "it lacks its '@' or '|'"),
        ("{@h|1}", "its node is empty"),
        ("{n@|1}", "its host is empty"),
        ("{n@h|}", "its id is empty"),
        ("{n@h|1|2}", "its id holds"),
        ("{n@h@i|1}", "its host holds"),
        ("{{n@h|1}", "its node holds"),
        ("{n@h|1\n}", "its id holds"),
    ],
)
def test_bad_text_is_refused_with_the_reason(text: object, why: str) -> None:
    """Bad text: `InvalidPid(text, why)`."""
    with pytest.raises(InvalidPid) as caught:
        Pid.parse(text)

    assert caught.value.text == text
    assert caught.value.why.startswith(why)


def test_make_pid_needs_no_check_of_a_checked_prefix() -> None:
    assert make_pid("{n@h|", 12) == Pid("n", "h", 12)
