"""Registered names. Source: Processes, "Functions", row register."""

from __future__ import annotations

import pytest

from greenrelay.core.names import Names
from greenrelay.core.pid import Pid
from greenrelay.errors import NameTaken, NotOwner, UnknownName

ONE, OTHER = Pid("n", "h", 1), Pid("n", "h", 2)


def test_a_process_may_have_several_names() -> None:
    names = Names()

    names.register("a", ONE)
    names.register("b", ONE)

    assert names.names(ONE) == ("a", "b")
    assert names.owner("b") == ONE
    assert len(names) == 2


def test_registering_again_changes_nothing() -> None:
    names = Names()

    names.register("a", ONE)
    names.register("a", ONE)

    assert names.names(ONE) == ("a",)


def test_a_taken_name_says_whose_it_is() -> None:
    """`NameTaken(name, owner)`."""
    names = Names()
    names.register("a", ONE)

    with pytest.raises(NameTaken) as caught:
        names.register("a", OTHER)

    assert (caught.value.name, caught.value.owner) == ("a", ONE)
    assert OTHER not in names


def test_only_its_owner_releases_a_name() -> None:
    """only its owner releases it."""
    names = Names()
    names.register("a", ONE)

    with pytest.raises(NotOwner) as caught:
        names.unregister("a", OTHER)

    assert caught.value.owner == ONE
    assert names.owner("a") == ONE


def test_an_unknown_name_cannot_be_released() -> None:
    with pytest.raises(UnknownName):
        Names().unregister("a", ONE)


def test_a_released_name_leaves_no_trace() -> None:
    names = Names()
    names.register("a", ONE)
    names.register("b", ONE)

    names.unregister("a", ONE)
    assert names.names(ONE) == ("b",)
    names.unregister("b", ONE)

    assert ONE not in names
    assert names.owner("b") is None
    assert len(names) == 0


def test_release_frees_every_name_of_a_process() -> None:
    """a name goes with its process."""
    names = Names()
    names.register("a", ONE)
    names.register("b", ONE)
    names.register("c", OTHER)

    names.release(ONE)
    names.release(ONE)

    assert names.names(ONE) == ()
    assert names.owner("a") is None
    assert names.owner("c") == OTHER


@pytest.mark.parametrize("name", ["", "{n@h|1}", "@me", "two\nlines", None, 7])
def test_a_name_cannot_be_mistaken_for_anything_else(name: object) -> None:
    names = Names()

    with pytest.raises(ValueError, match="must be text that starts with neither"):
        names.register(name, ONE)  # type: ignore[arg-type]

    assert len(names) == 0
    assert ONE not in names
