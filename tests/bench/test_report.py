"""Medians, ratios and verdicts, on figures made up for it."""

from __future__ import annotations

import json

from bench.child import Report
from bench.contender import Contender, Target
from bench.harness import FAIR_SHARE, Results, measure
from bench.report import as_json, figure_text, judge, table
from bench.workload import Metric, Size, Workload

WORKLOAD = Workload("hop", "hop of {crowd}", Size(100, 10), Size(10, 1))
COST = Workload("cost", "", Size(1, 1), Size(1, 1), (Metric("cost", "cost of one", "B"),))
GEVENT = Contender("gevent", "plain gevent", ())
OURS = Contender(
    "ours",
    "ours",
    (),
    (Target("hop", 2.0), Target("cost", at_most=50), Target("hop", 3.0, of="other")),
)
OTHER = Contender("other", "other", ())
ALL = (GEVENT, OURS, OTHER)


def results(**rates: list[float]) -> Results:
    found = Results()
    for contender in ALL:
        for rate in rates.get(contender.name, ()):
            found.add(WORKLOAD, contender, Report(int(rate), 1.0, {}, 1.0))
    return found


def test_a_rate_is_what_was_counted_over_the_seconds() -> None:
    found = Results()

    found.add(WORKLOAD, OURS, Report(100, 0.5, {"late": 7.0}, 1.0))

    assert found.figures == {"hop": {"ours": [200.0]}, "late": {"ours": [7.0]}}
    assert found.counted == {"hop": {"ours": [100]}}


def test_a_ratio_is_taken_within_each_round() -> None:
    found = results(gevent=[10, 20, 40], ours=[30, 60, 40])

    assert found.ratio("hop", "ours") == 3.0
    assert found.median("hop", "ours") == 40


def test_a_figure_that_is_not_there_has_neither_median_nor_ratio() -> None:
    found = results(gevent=[10])

    assert found.median("hop", "ours") is None
    assert found.ratio("hop", "ours") is None


def test_each_target_with_figures_gets_a_verdict() -> None:
    found = results(gevent=[10], ours=[25], other=[10])
    found.add(COST, OURS, Report(1, 0.0, {"cost": 51.0}, 1.0))

    verdicts = judge(found, ALL)

    assert [(each.value, each.is_met) for each in verdicts] == [
        (2.5, True),
        (51.0, False),
        (2.5, False),
    ]


def test_the_table_shows_figure_ratio_target_and_whether_it_is_met() -> None:
    found = results(gevent=[10_000], ours=[25_000], other=[10_000])

    lines = table(found, ALL, [(WORKLOAD, Size(100, 1_000))]).splitlines()

    row = " ".join(lines[1].split())
    assert row == "hop of 1,000 10.0 k/s 25.0 k/s 2.50 >= 2 met 10.0 k/s 1.00"
    assert lines[-1] == "1 of 2 targets are met."


def test_figures_have_three_digits_and_a_unit() -> None:
    texts = [figure_text(1_234_567, "/s"), figure_text(99_999, "/s"), figure_text(12.3, "/s")]

    assert texts == ["1.23 M/s", "100 k/s", "12 /s"]
    assert figure_text(1.256, "ms") == "1.26 ms"
    assert figure_text(7_502.4, "B") == "7,502 B"
    assert figure_text(None, "B") == "-"


def test_json_keeps_every_round_and_no_infinity() -> None:
    found = results(gevent=[10, 20], ours=[30, 60])

    kept = json.loads(json.dumps(as_json(found, ALL, {"python": "3"}, 2), allow_nan=False))

    assert kept["metrics"]["hop"]["ours"] == {"rounds": [30, 60], "median": 45, "ratio": 3}
    assert kept["machine"] == {"python": "3"}


class Able(Contender):
    """Can run any workload, if nobody asks for it in earnest."""

    def workloads(self) -> dict[str, object]:  # type: ignore[override]
        return {"hop": None, "cost": None}


def test_contenders_take_turns_within_a_round() -> None:
    one, other = Able("one", "one", ()), Able("other", "other", (), divisor=10)
    seen: list[tuple[str, str, int]] = []

    def run(contender: Contender, workload: Workload, size: Size) -> Report:
        seen.append((contender.name, workload.name, size.count))
        return Report(size.count, 1.0, {}, 1.0)

    measure([one, other], [(WORKLOAD, Size(100, 10))], 2, run=run, tell=lambda text: None)

    assert seen == [("one", "hop", 100), ("other", "hop", 10)] * 2


def test_a_run_on_a_shared_core_is_repeated_where_the_wall_is_the_clock() -> None:
    by_wall = Able("wall", "wall", (), has_threads=True)
    shares = iter((FAIR_SHARE / 2, FAIR_SHARE))

    def run(contender: Contender, workload: Workload, size: Size) -> Report:
        share = next(shares)
        return Report(int(share * 100), 1.0, {}, share)

    found = measure([by_wall], [(WORKLOAD, Size(1, 1))], 1, run=run, tell=lambda text: None)

    assert found.counted["hop"]["wall"] == [90]
    assert found.repeated == 1
