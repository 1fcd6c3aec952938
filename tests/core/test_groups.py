"""Process groups as tables. Source: Processes, "Functions", row join."""

from __future__ import annotations

import pytest

from greenrelay.core.groups import Groups
from greenrelay.core.pid import Pid
from greenrelay.errors import NotMember

ONE, OTHER = Pid("n", "h", 1), Pid("n", "h", 2)


def test_join_twice_leave_twice() -> None:
    """join twice, leave twice."""
    groups = Groups()

    assert groups.join("g", ONE) is True
    assert groups.join("g", ONE) is False
    assert groups.leave("g", ONE) is False
    assert groups.members("g") == (ONE,)
    assert groups.leave("g", ONE) is True

    assert groups.members("g") == groups.names() == ()
    assert len(groups) == 0
    assert ONE not in groups


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "group '': it must be text"),
        (5, "group 5: it must be text"),
        ("room \ud800", r"group 'room \\ud800': it has half a character, a lone surrogate, at 5"),
        ("ü" * 8193, "it has 16386 bytes; 16384 at most"),
    ],
)
def test_a_name_that_no_other_node_could_be_told_is_refused(name: str, why: str) -> None:
    groups = Groups()

    for function in (groups.join, groups.watch):
        with pytest.raises(ValueError, match=why):
            function(name, ONE)

    assert len(groups) == 0
    assert ONE not in groups


def test_a_name_may_have_sixteen_kibibytes() -> None:
    groups = Groups()

    assert groups.join("ü" * 8192, ONE)


def test_members_are_listed_once_in_order_of_joining() -> None:
    groups = Groups()

    for pid in (OTHER, ONE, OTHER):
        groups.join("g", pid)

    assert groups.members("g") == (OTHER, ONE)
    assert groups.joined(ONE) == groups.names() == ("g",)


def test_who_is_no_member_cannot_leave() -> None:
    groups = Groups()
    groups.join("g", OTHER)

    with pytest.raises(NotMember):
        groups.leave("g", ONE)
    with pytest.raises(NotMember):
        groups.leave("nothing", ONE)

    assert groups.names() == ("g",)


@pytest.mark.parametrize("group", ["", None, 7])
def test_a_group_has_a_name(group: object) -> None:
    groups = Groups()

    with pytest.raises(ValueError, match="it must be text"):
        groups.join(group, ONE)  # type: ignore[arg-type]

    assert len(groups) == 0


def test_membership_ends_with_the_process() -> None:
    """membership ends with the process."""
    groups = Groups()
    groups.join("a", ONE)
    groups.join("a", ONE)
    groups.join("b", ONE)
    groups.join("b", OTHER)
    groups.watch("c", ONE)

    assert groups.ended(ONE) == ("a", "b")
    assert groups.ended(ONE) == ()

    assert groups.names() == ("b",)
    assert groups.watchers("c") == ()
    assert ONE not in groups
    assert OTHER in groups


def test_a_watcher_is_listed_once_until_it_takes_that_back() -> None:
    groups = Groups()
    groups.watch("g", ONE)
    groups.watch("g", ONE)
    groups.watch("g", OTHER)

    assert groups.watchers("g") == (ONE, OTHER)
    assert ONE in groups
    groups.unwatch("g", ONE)
    groups.unwatch("g", ONE)
    groups.unwatch("other", ONE)

    assert groups.watchers("g") == (OTHER,)
    assert ONE not in groups


def test_what_a_process_watches_is_known_until_it_ends() -> None:
    groups = Groups()
    groups.watch("g", ONE)
    groups.watch("h", ONE)

    assert groups.watched(ONE) == ("g", "h")
    groups.ended(ONE)
    assert groups.watched(ONE) == ()
