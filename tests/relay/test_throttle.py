from greenrelay.relay.throttle import Throttle, Verdict


def throttle(
    *, rate: float = 2.0, capacity: int = 3, entry_ttl: float = 10.0, max_entries: int = 100
) -> Throttle:
    return Throttle(rate=rate, capacity=capacity, entry_ttl=entry_ttl, max_entries=max_entries)


def taken(limit: Throttle, key: str, now: float, count: int) -> list[bool]:
    return [limit.take(key, now).is_allowed for _ in range(count)]


def test_so_many_may_come_at_once_as_the_bucket_holds() -> None:
    assert taken(throttle(), "a", 5.0, 5) == [True, True, True, False, False]


def test_every_caller_has_a_bucket_of_its_own() -> None:
    limit = throttle(capacity=1)

    assert [limit.take(key, 5.0).is_allowed for key in "aabb"] == [True, False, True, False]


def test_a_verdict_says_how_many_remain_and_when_the_next_may_come() -> None:
    limit = throttle(rate=0.5, capacity=2)

    verdicts = [limit.take("a", 5.0) for _ in range(3)]

    assert verdicts == [Verdict(True, 1), Verdict(True, 0), Verdict(False, 0, wait=2.0)]


def test_tokens_come_back_with_time_and_never_beyond_the_capacity() -> None:
    limit = throttle(rate=2.0, capacity=3)
    taken(limit, "a", 5.0, 3)

    assert taken(limit, "a", 5.4, 1) == [False]
    assert taken(limit, "a", 5.5, 2) == [True, False]
    assert taken(limit, "a", 1000.0, 4) == [True, True, True, False]


def test_a_refusal_costs_no_token() -> None:
    limit = throttle(rate=1.0, capacity=1)
    limit.take("a", 5.0)
    taken(limit, "a", 5.5, 50)

    assert limit.take("a", 6.0).is_allowed


def test_the_last_digits_of_floats_refuse_nobody() -> None:
    limit = throttle(rate=100 / 60, capacity=20)

    verdicts = [limit.take("a", 1234567.891) for _ in range(21)]

    assert [verdict.remaining for verdict in verdicts] == [*range(19, -1, -1), 0]
    assert [verdict.is_allowed for verdict in verdicts] == [True] * 20 + [False]
    assert limit.take("a", 1234567.891 + 0.6).is_allowed


def test_over_a_long_time_no_more_come_than_the_rate_and_one_burst() -> None:
    limit = throttle(rate=2.0, capacity=3)

    allowed = sum(limit.take("a", tick / 10).is_allowed for tick in range(1001))

    assert allowed == 2 * 100 + 3


def test_what_nobody_has_used_for_long_is_forgotten() -> None:
    limit = throttle(entry_ttl=10.0)
    limit.take("a", 0.0)
    limit.take("b", 5.0)

    limit.take("c", 9.9)
    assert len(limit) == 3
    limit.take("c", 10.0)
    assert len(limit) == 2
    limit.take("c", 15.0)
    assert len(limit) == 1


def test_a_bucket_is_not_forgotten_before_it_is_full() -> None:
    limit = throttle(rate=0.1, capacity=2, entry_ttl=1.0)
    taken(limit, "a", 0.0, 2)

    limit.take("b", 9.0)

    assert not limit.take("a", 9.0).is_allowed
    assert taken(limit, "a", 19.0, 2) == [True, False]


def test_one_that_is_used_is_remembered() -> None:
    limit = throttle(entry_ttl=10.0)
    limit.take("a", 0.0)
    limit.take("b", 1.0)
    limit.take("a", 8.0)

    limit.take("c", 12.0)

    assert len(limit) == 2


def test_each_call_forgets_two_at_most() -> None:
    limit = throttle(entry_ttl=1.0)
    for number in range(10):
        limit.take(str(number), 0.0)

    limit.take("new", 100.0)

    assert len(limit) == 10 - 2 + 1


def test_there_are_never_more_than_so_many() -> None:
    limit = throttle(max_entries=5)

    for number in range(1000):
        limit.take(str(number), number / 100)
        assert len(limit) <= 5


def test_without_room_the_oldest_goes_if_its_bucket_is_full() -> None:
    limit = throttle(rate=1.0, capacity=2, entry_ttl=1000.0, max_entries=2)
    limit.take("a", 0.0)
    limit.take("b", 0.5)

    assert limit.take("c", 1.0) == Verdict(True, 1)
    assert len(limit) == 2


def test_a_flood_of_new_callers_takes_nothing_from_those_that_are_known() -> None:
    limit = throttle(rate=0.1, capacity=2, entry_ttl=0.0, max_entries=3)
    taken(limit, "spent", 0.0, 2)
    limit.take("half", 0.0)

    for number in range(1000):
        limit.take(f"flood {number}", 0.0)

    assert not limit.take("spent", 0.0).is_allowed
    assert taken(limit, "half", 0.0, 2) == [True, False]


def test_those_for_whom_there_is_no_room_share_one_bucket() -> None:
    limit = throttle(rate=0.1, capacity=2, max_entries=1)
    limit.take("known", 0.0)

    verdicts = [limit.take(key, 0.0) for key in "abc"]

    assert [verdict.is_allowed for verdict in verdicts] == [True, True, False]
    assert all(verdict.is_shared for verdict in verdicts)
    assert not limit.take("known", 0.0).is_shared


def test_once_there_is_room_again_a_caller_has_its_own() -> None:
    limit = throttle(rate=1.0, capacity=1, max_entries=1)
    for key in "abc":
        limit.take(key, 0.0)

    assert limit.take("c", 1.0) == Verdict(True, 0)
