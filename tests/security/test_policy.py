"""What several policies say together."""

import itertools

import pytest

from greenrelay.security.actor import Actor
from greenrelay.security.condition import Access, parse_conditions
from greenrelay.security.pattern import Pattern
from greenrelay.security.policy import Policy, decide

ADA = Actor("ada", {"level": 3}, ("members",))
ACCESS = Access(ADA, "doc.read", "docs/1")


def policy(
    effect: str,
    actions: str = "*",
    resources: str = "*",
    groups: tuple[str, ...] = (),
    **condition: object,
) -> Policy:
    conditions = parse_conditions([condition] if condition else [])
    return Policy("p", effect, (Pattern(actions),), (Pattern(resources),), conditions, groups)


def test_nothing_matched_is_deny() -> None:
    assert not decide([], ACCESS)
    assert not decide([policy("allow", "doc.write"), policy("allow", "*", "docs/2")], ACCESS)


def test_what_is_allowed_is_allowed() -> None:
    assert decide([policy("allow", "doc.*", "docs/*")], ACCESS)


@pytest.mark.parametrize("number", range(6))
def test_any_deny_wins_in_whatever_order(number: int) -> None:
    policies = [policy("allow"), policy("allow", "doc.*"), policy("deny", "*", "docs/1")]
    in_order = list(itertools.permutations(policies))[number]

    assert not decide(in_order, ACCESS)


def test_a_deny_of_something_else_denies_nothing() -> None:
    assert decide([policy("allow"), policy("deny", "doc.write")], ACCESS)


def test_a_policy_with_groups_is_for_their_members_only() -> None:
    assert decide([policy("allow", groups=("admins", "members"))], ACCESS)
    assert not decide([policy("allow", groups=("admins",))], ACCESS)
    assert decide([policy("allow"), policy("deny", groups=("admins",))], ACCESS)


def test_all_conditions_must_hold() -> None:
    both = parse_conditions(
        [
            {"field": "actor.id", "operator": "eq", "value": "ada"},
            {"field": "actor.meta.level", "operator": "gte", "value": 4},
        ]
    )
    allow = Policy("p", "allow", (Pattern("*"),), (Pattern("*"),), both)

    assert not decide([allow], ACCESS)
    assert decide([allow], Access(Actor("ada", {"level": 4}), "x", "y"))


def test_a_deny_whose_condition_cannot_be_told_denies() -> None:
    deny = policy("deny", field="actor.meta.age", operator="lt", value=18)

    assert not decide([policy("allow"), deny], ACCESS)
    assert decide([policy("allow"), deny], Access(Actor("b", {"age": 18}), "x", "y"))


def test_an_allow_whose_condition_cannot_be_told_does_not_allow() -> None:
    allow = policy("allow", field="actor.meta.status", operator="ne", value="banned")

    assert not decide([allow], ACCESS)


def test_a_deny_with_a_condition_that_does_not_hold_denies_nothing_whatever_the_others() -> None:
    conditions = parse_conditions(
        [
            {"field": "actor.meta.age", "operator": "lt", "value": 18},
            {"field": "actor.id", "operator": "eq", "value": "bob"},
        ]
    )
    deny = Policy("p", "deny", (Pattern("*"),), (Pattern("*"),), conditions)

    assert decide([policy("allow"), deny], ACCESS)
