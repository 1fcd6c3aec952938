"""An actor as a value, and the lease of its token."""

from typing import Any

import pytest

from greenrelay.security.actor import CONTEXT_KEY, Actor, Lease
from greenrelay.transport import term


def test_an_actor_is_a_value_nobody_changes() -> None:
    given = {"role": "admin"}
    actor = Actor("ada", given, ("members",))

    given["role"] = "guest"

    assert actor == Actor("ada", {"role": "admin"}, ("members",))
    assert len({actor, Actor("ada", {"role": "admin"}, ("members",))}) == 1
    with pytest.raises(TypeError):
        actor.meta["role"] = "guest"  # type: ignore[index]


def test_an_actor_is_valid_before_its_end() -> None:
    actor = Actor("ada", expires_at=100.0)

    assert actor.is_valid(99.9)
    assert not actor.is_valid(100.0)
    assert Actor("ada").is_valid(1e12)


def test_a_revoked_actor_is_valid_no_more() -> None:
    lease = Lease()
    actor = Actor("ada", lease=lease)

    lease.revoke()

    assert not actor.is_valid(0.0)


def test_who_watches_is_told_once_and_who_has_stopped_is_not() -> None:
    told: list[str] = []
    lease = Lease()
    actor = Actor("ada", lease=lease)

    def one() -> None:
        told.append("one")

    def other() -> None:
        told.append("other")

    actor.watch(one)
    actor.watch(other)
    actor.unwatch(other)
    lease.revoke()
    lease.revoke()

    assert told == ["one"]


def test_nothing_within_meta_can_be_changed_either() -> None:
    tags, org = ["a"], {"id": 7}
    meta: Any = Actor("ada", {"tags": tags, "org": org}).meta

    tags.append("b")
    org["id"] = 8

    assert meta["tags"] == ("a",)
    assert meta["org"] == {"id": 7}
    with pytest.raises(TypeError):
        meta["org"]["id"] = 8


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"id": ""}, "id: ''"),
        ({"id": 7}, "id: 7"),
        ({"id": "a", "meta": ["x"]}, "meta"),
        ({"id": "a", "groups": "members"}, "groups"),
    ],
)
def test_what_is_no_actor_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Actor(**options)


def test_a_connection_knows_an_actor_when_it_sees_one() -> None:
    assert term.ACTOR == CONTEXT_KEY
    assert isinstance(Actor("ada"), term.Holder)
