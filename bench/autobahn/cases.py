"""Autobahn's cases: how many there are, in which runs they are done, what may be said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# By section, in version 25.10.1. Section 8 is empty; 11 is of the old "simple" kind.
COUNTS = {
    "1": 16,
    "2": 11,
    "3": 7,
    "4": 10,
    "5": 20,
    "6": 145,
    "7": 37,
    "9": 54,
    "10": 1,
    "12": 90,
    "13": 126,
}
GOOD = ("OK", "INFORMATIONAL")
_COMPRESSION = [f"12.{part}.*" for part in range(1, 6)] + [f"13.{part}.*" for part in range(1, 8)]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Cases that are run at once, and how long that may take in seconds."""

    patterns: tuple[str, ...]
    timeout: float


FAST = (Chunk(tuple(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)), 120.0),)
ALL = (*FAST, Chunk(("9.*",), 240.0), *(Chunk((pattern,), 600.0) for pattern in _COMPRESSION))


@dataclass(frozen=True, slots=True)
class Case:
    """The verdict on one case: on what was done, and on how the connection was closed."""

    behavior: str
    behavior_close: str
    close_code: int | None

    @property
    def is_good(self) -> bool:
        """Whether it is strictly right, or Autobahn only tells what it saw."""
        return self.behavior in GOOD and self.behavior_close in GOOD


Cases = Mapping[str, Case]


def section_of(name: str) -> str:
    """Return the section of a case or a pattern, such as "12" of "12.1.3"."""
    return name.partition(".")[0]


def expected(chunks: Iterable[Chunk]) -> dict[str, int]:
    """Return how many cases each section of ``chunks`` has."""
    sections = {section_of(pattern) for chunk in chunks for pattern in chunk.patterns}
    return {section: count for section, count in COUNTS.items() if section in sections}


def problems(cases: Cases, wanted: Mapping[str, int]) -> list[str]:
    """Return what is wrong: a case that is not good, and a section that is not whole."""
    found = [
        f"case {name}: {case.behavior}, closed {case.behavior_close} ({case.close_code})"
        for name, case in sorted(cases.items(), key=_order)
        if not case.is_good
    ]
    done = Counter(map(section_of, cases))
    for section, count in wanted.items():
        if done[section] != count:
            found.append(f"section {section}: {done[section]} of its {count} cases were run")
    return found


def table(cases: Cases, wanted: Mapping[str, int]) -> str:
    """Return the counts of each verdict, a row for each section."""
    rows = [["section", "cases", "OK", "informational", "other", "closed badly"]]
    for section in wanted:
        rows.append([section, *_counts([c for n, c in cases.items() if section_of(n) == section])])
    rows.append(["all", *_counts(list(cases.values()))])
    return "\n".join("  ".join(f"{cell:>13}" for cell in row) for row in rows)


def as_json(cases: Cases) -> dict[str, dict[str, object]]:
    """Return the cases in their order, for a file, by the names Autobahn gives its fields."""
    return {
        name: {
            "behavior": case.behavior,
            "behaviorClose": case.behavior_close,
            "remoteCloseCode": case.close_code,
        }
        for name, case in sorted(cases.items(), key=_order)
    }


def _counts(cases: Sequence[Case]) -> list[str]:
    verdicts = Counter(case.behavior for case in cases)
    ok, informational = verdicts["OK"], verdicts["INFORMATIONAL"]
    bad_closes = sum(case.behavior_close not in GOOD for case in cases)
    numbers = (len(cases), ok, informational, len(cases) - ok - informational, bad_closes)
    return [str(number) for number in numbers]


def _order(item: tuple[str, Case]) -> list[int]:
    return [int(part) for part in item[0].split(".")]
