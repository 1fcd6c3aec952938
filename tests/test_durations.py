import sys

import pytest

from greenrelay.durations import format_duration, parse_duration, parse_size
from greenrelay.errors import InvalidDuration, InvalidSize


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("1m30s", 90.0), ("2h", 7200.0), (1.5, 1.5), ("10", 10.0)],
)
def test_a_duration_is_seconds_or_text_with_units(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "1s2", True, None, "10s-", "1.s"])
def test_text_that_is_no_duration_is_refused_with_what_is_allowed(text: object) -> None:
    with pytest.raises(InvalidDuration, match="it must be seconds or text such as"):
        parse_duration(text)


@pytest.mark.parametrize("text", [-1, "-5s", "-1"])
def test_a_negative_duration_is_refused(text: object) -> None:
    with pytest.raises(InvalidDuration, match="it must not be negative"):
        parse_duration(text)


@pytest.mark.parametrize(
    "seconds", [float("nan"), float("inf"), 10**400, "9" * 400, "9" * 400 + "s"]
)
def test_an_endless_duration_is_refused(seconds: object) -> None:
    with pytest.raises(InvalidDuration, match="finite"):
        parse_duration(seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.25, 1.0, 90.0, 3661.5, 7200.0])
def test_a_formatted_duration_reads_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("64KiB", 65536), ("1 MiB", 1048576), ("500kB", 500_000), (7, 7), ("1.5KiB", 1536)],
)
def test_a_size_is_bytes_or_text_with_units(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "64 apples", True, None, -1, "0.3B", 1.5])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(InvalidSize):
        parse_size(text)


@pytest.mark.parametrize(
    "text", [sys.maxsize + 1, "9" * 400, "1" + "0" * 300 + "KiB", "8589934592GiB"]
)
def test_a_size_that_no_buffer_can_have_is_refused(text: object) -> None:
    with pytest.raises(InvalidSize, match="it must be at most 9223372036854775807 bytes"):
        parse_size(text)


def test_the_largest_size_is_that_of_a_buffer() -> None:
    assert parse_size(sys.maxsize) == sys.maxsize
