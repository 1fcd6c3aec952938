"""Conditions: every operator, what is missing, and what cannot be compared."""

import math
from typing import Any

import pytest

from greenrelay.security.actor import Actor
from greenrelay.security.condition import (
    OPERATORS,
    Access,
    Condition,
    Undecided,
    parse_conditions,
)

META = {"role": "admin", "age": 36, "tags": ["a", "b"], "org": {"id": 7}, "ok": True}
ADA = Actor("ada", {**META, "pairs": [["k", [1, True]]], "map": {"k": {"l": [1]}}})
ACCESS = Access(ADA, "doc.read", "app:docs/1", {"owner": "ada", "method": "GET"})


def parsed(field: str, operator: str, *value: object, **more: object) -> Condition:
    item: dict[str, object] = {"field": field, "operator": operator, **more}
    if value:
        item["value"] = value[0]
    return parse_conditions([item])[0]


HOLDS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("actor.id", "eq", ("ada",)),
    ("action", "eq", ("doc.read",)),
    ("resource", "eq", ("app:docs/1",)),
    ("meta.method", "eq", ("GET",)),
    ("actor.meta.org.id", "eq", (7,)),
    ("actor.meta.ok", "eq", (True,)),
    ("actor.meta.tags", "eq", (["a", "b"],)),
    ("actor.meta.org", "eq", ({"id": 7},)),
    ("actor.meta.map", "eq", ({"k": {"l": [1]}},)),
    ("actor.meta.tags", "in", ([["a", "b"], "x"],)),
    ("actor.meta.pairs", "contains", (["k", [1, True]],)),
    ("actor.meta.role", "ne", ("guest",)),
    ("actor.meta.age", "lt", (37,)),
    ("actor.meta.age", "gt", (35.5,)),
    ("actor.meta.age", "lte", (36,)),
    ("actor.meta.age", "gte", (36,)),
    ("actor.id", "lt", ("b",)),
    ("actor.meta.role", "in", (["admin", "staff"],)),
    ("actor.meta.role", "nin", (["guest"],)),
    ("actor.meta.role", "exists", ()),
    ("actor.meta.nothing", "nexists", ()),
    ("actor.meta.tags", "contains", ("a",)),
    ("actor.meta.role", "contains", ("dmi",)),
    ("actor.meta.tags", "ncontains", ("c",)),
    ("resource", "matches", ("^app:docs/[0-9]+$",)),
    ("resource", "nmatches", ("^app:users/",)),
]


@pytest.mark.parametrize(("field", "operator", "value"), HOLDS)
def test_a_condition_holds(field: str, operator: str, value: tuple[object, ...]) -> None:
    assert parsed(field, operator, *value).holds(ACCESS)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("actor.id", "eq", ("bob",)),
        # To Python 1 is True, to a policy it is not.
        ("actor.meta.ok", "eq", (1,)),
        ("actor.meta.org.id", "eq", ("7",)),
        ("actor.meta.tags", "eq", (["a", "b", "c"],)),
        ("actor.meta.org", "eq", ({"id": 7, "x": 1},)),
        ("actor.meta.org", "eq", ({"no": 7},)),
        ("actor.meta.pairs", "eq", ([["k", [1, 1]]],)),
        ("actor.meta.tags", "ne", (["a", "b"],)),
        ("actor.id", "ne", ("ada",)),
        ("actor.meta.age", "lt", (36,)),
        ("actor.meta.age", "gt", (36,)),
        ("actor.meta.age", "lte", (35,)),
        ("actor.meta.age", "gte", (37,)),
        ("actor.meta.role", "in", (["guest"],)),
        ("actor.meta.role", "nin", (["admin"],)),
        ("actor.meta.role", "nexists", ()),
        ("actor.meta.nothing", "exists", ()),
        ("actor.meta.org.id.x", "exists", ()),
        ("actor.meta.tags", "contains", ("c",)),
        ("actor.meta.role", "ncontains", ("dmi",)),
        ("resource", "matches", ("^docs",)),
        ("resource", "nmatches", ("docs",)),
        ("actor.meta.nothing", "eq", ("x",)),
        ("actor.meta.nothing", "in", (["x"],)),
        ("actor.meta.nothing", "contains", ("x",)),
    ],
)
def test_a_condition_does_not_hold(field: str, operator: str, value: tuple[object, ...]) -> None:
    assert not parsed(field, operator, *value).holds(ACCESS)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("actor.meta.nothing", "ne", "x"),
        ("actor.meta.nothing", "nin", ["x"]),
        ("actor.meta.nothing", "ncontains", "x"),
        ("actor.meta.nothing", "lt", 1),
        ("actor.meta.nothing", "matches", "x"),
        ("actor.meta.nothing", "nmatches", "x"),
        ("actor.meta.role", "lt", 1),
        ("actor.meta.ok", "lt", 2),
        ("actor.meta.age", "lt", math.nan),
        ("actor.meta.age", "gt", math.nan),
        ("actor.meta.age", "lte", math.nan),
        ("actor.meta.age", "gte", math.nan),
        ("actor.meta.age", "matches", "3"),
        ("actor.meta.age", "contains", 3),
        ("actor.meta.role", "contains", 3),
    ],
)
def test_a_condition_cannot_be_told(field: str, operator: str, value: object) -> None:
    with pytest.raises(Undecided):
        parsed(field, operator, value).holds(ACCESS)


def test_an_expression_is_not_asked_about_a_long_text() -> None:
    condition = parsed("meta.name", "matches", "^a*a*a*$")

    with pytest.raises(Undecided, match="256 characters"):
        condition.holds(Access(ADA, "x", "y", {"name": "a" * 257}))


def test_a_number_that_is_none_has_no_order_either() -> None:
    access = Access(Actor("ada", {"age": math.nan}), "x", "y")

    for operator in ("lt", "gt", "lte", "gte"):
        with pytest.raises(Undecided, match="have no order"):
            parsed("actor.meta.age", operator, 36).holds(access)


def test_a_value_may_come_from_another_field() -> None:
    condition = parsed("meta.owner", "eq", value_from="actor.id")

    assert condition.holds(ACCESS)
    assert not condition.holds(Access(Actor("bob"), "x", "y", {"owner": "ada"}))
    assert not condition.holds(Access(ADA, "x", "y"))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (parsed("actor.id", "eq", "ada"), "actor.id eq 'ada'"),
        (parsed("action", "in", ["a", 1]), "action in ('a', 1)"),
        (parsed("action", "matches", "^a$"), "action matches '^a$'"),
        (parsed("action", "exists"), "action exists"),
        (parsed("meta.owner", "ne", value_from="actor.id"), "meta.owner ne actor.id"),
    ],
)
def test_a_condition_reads_as_it_is_written(condition: Condition, text: str) -> None:
    assert str(condition) == text


def test_every_operator_is_tested_here() -> None:
    assert {operator for _, operator, _ in HOLDS} == set(OPERATORS)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("actor.id", "must be a map"),
        ({"field": "actor.id", "operator": "is", "value": 1}, "operator 'is' must be one of eq,"),
        ({"field": "actor.id", "value": 1}, "operator None must be one of eq,"),
        ({"field": "actor.name", "operator": "eq", "value": 1}, "field 'actor.name' must be actor"),
        ({"field": "actor.meta", "operator": "eq", "value": 1}, "field 'actor.meta' must be"),
        ({"operator": "eq", "value": 1}, "field None must be"),
        ({"field": "action", "operator": "eq"}, "eq takes value or value_from"),
        ({"field": "action", "operator": "exists", "value": 1}, "exists takes neither"),
        ({"field": "action", "operator": "in", "value": "a"}, "value 'a' must be a list"),
        ({"field": "action", "operator": "lt", "value": True}, "must be a number or text"),
        ({"field": "action", "operator": "matches", "value": "("}, r"value '\(' is no regular"),
        ({"field": "action", "operator": "matches", "value": 1}, "must be a regular expression"),
        ({"field": "action", "operator": "eq", "value_from": "x"}, "value_from 'x' must be"),
        (
            {"field": "action", "operator": "matches", "value_from": "actor.id"},
            "matches takes value: an expression is no outside text",
        ),
        ({"field": "action", "operator": "eq", "vale": 1}, "unknown key 'vale'; known: field"),
    ],
)
def test_a_typo_says_which_item_and_what_is_allowed(item: object, why: str) -> None:
    good = {"field": "action", "operator": "exists"}

    with pytest.raises(ValueError, match=f"^item 2: .*{why}"):
        parse_conditions([good, item])


def test_conditions_are_a_list() -> None:
    with pytest.raises(ValueError, match="it must be a list of conditions"):
        parse_conditions({"field": "action"})
