from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from greenrelay.relay.places import Place, Places


def take(places: Places, limit: int = 0) -> Place:
    place = places.take(limit)
    assert place is not None
    return place


def test_places_are_taken_up_to_the_limit_and_given_back() -> None:
    """`wsrelay.max.connections` … per worker"""
    places = Places()
    first = take(places, 2)
    take(places, 2)

    assert places.take(2) is None
    assert len(places) == 2
    places.give_back(first)
    assert places.take(2) is not None


def test_0_is_no_limit() -> None:
    """0 is no cap"""
    places = Places()
    for _ in range(5):
        place = take(places)
        assert places.count_for(place, "user", "ann", 0)

    assert len(places) == 5


def test_an_address_and_a_user_are_counted_apart() -> None:
    """`.per.ip`, `.per.user`"""
    places = Places()
    first, second = take(places), take(places)

    assert places.count_for(first, "address", "7", 1)
    assert places.count_for(first, "user", "7", 1)
    assert not places.count_for(second, "address", "7", 1)
    assert not places.count_for(second, "user", "7", 1)
    assert places.count_for(second, "user", "8", 1)
    places.give_back(first)
    assert places.count_for(second, "address", "7", 1)


def test_a_place_counts_once_for_the_same() -> None:
    places = Places()
    place = take(places)

    assert places.count_for(place, "user", "ann", 1)
    assert places.count_for(place, "user", "ann", 1)
    places.give_back(place)
    assert places.count_for(take(places), "user", "ann", 1)


def test_nobody_known_is_not_counted() -> None:
    places = Places()

    assert all(places.count_for(take(places), "address", "", 1) for _ in range(3))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2))))
def test_no_count_passes_its_limit_and_nothing_is_left_in_the_end(
    steps: list[tuple[bool, int, int]],
) -> None:
    places = Places()
    held: list[tuple[Place, str]] = []
    for is_taking, who, index in steps:
        if is_taking:
            place = take(places)
            if places.count_for(place, "user", f"u{who}", 2):
                held.append((place, f"u{who}"))
            else:
                assert sum(1 for _, name in held if name == f"u{who}") == 2
                places.give_back(place)
        elif index < len(held):
            places.give_back(held.pop(index)[0])
        assert len(places) == len(held)
    for place, _ in held:
        places.give_back(place)
    assert len(places) == 0
    assert all(places.count_for(take(places), "user", f"u{n}", 1) for n in range(4))
