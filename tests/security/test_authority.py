"""What decides on a node, and how it changes."""

from __future__ import annotations

import pytest

from greenrelay.errors import UnknownEntry
from greenrelay.security.actor import Actor
from greenrelay.security.authority import Authority, authority_of
from greenrelay.security.pattern import Pattern
from greenrelay.security.policy import Policy
from greenrelay.security.settings import StoreSettings

ALL = Policy("all", "allow", (Pattern("*"),), (Pattern("*"),))


def made(**stores: StoreSettings) -> Authority:
    authority = Authority(lambda: 100.0)
    given = {f"app:{name}": each for name, each in stores.items()}
    authority.configure([ALL], given, {}, "app")
    return authority


def test_nobody_and_who_has_expired_are_allowed_nothing() -> None:
    authority = made()

    assert authority.allows(Actor("ada"), "x", "y")
    assert authority.allows(Actor("ada", expires_at=100.1), "x", "y")
    assert not authority.allows(Actor("ada", expires_at=100.0), "x", "y")
    assert not authority.allows(None, "x", "y")


def test_one_that_was_told_nothing_allows_nothing() -> None:
    assert not Authority().allows(Actor("ada"), "x", "y")


def test_a_store_is_found_by_its_id_or_by_its_name_in_the_first_file() -> None:
    authority = made(tokens=StoreSettings())

    assert authority.store("tokens") is authority.store("app:tokens")
    with pytest.raises(UnknownEntry):
        authority.store("other:tokens")


def test_a_store_that_stays_as_it_is_stays() -> None:
    authority = made(tokens=StoreSettings())
    store = authority.store("tokens")

    authority.configure([], {"app:tokens": StoreSettings()}, {}, "app")

    assert authority.store("tokens") is store


def test_a_store_that_changes_knows_its_tokens_on() -> None:
    authority = made(tokens=StoreSettings())
    token = authority.store("tokens").create("ada")

    authority.configure([], {"app:tokens": StoreSettings(expiration=60.0)}, {}, "app")

    actor = authority.store("tokens").validate(token)
    assert actor is not None
    assert actor.id == "ada"


def test_settings_no_store_can_be_made_of_change_nothing() -> None:
    authority = made(tokens=StoreSettings())
    broken = StoreSettings("jwt", public_key="x", algorithms=("RS256",))

    with pytest.raises(ValueError, match="public_key"):
        authority.configure([], {"app:tokens": broken}, {}, "other")

    assert authority.namespace == "app"
    assert authority.allows(Actor("ada"), "x", "y")


def test_each_node_has_one_of_its_own() -> None:
    class Node:
        pass

    one, other = Node(), Node()

    assert authority_of(one) is authority_of(one)
    assert authority_of(one) is not authority_of(other)
