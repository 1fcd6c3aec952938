"""The judge of Autobahn's verdicts lets nothing pass silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.autobahn import __main__ as program
from bench.autobahn import suite
from bench.autobahn.cases import ALL, COUNTS, FAST, Case, as_json, expected, problems, table
from bench.autobahn.suite import NoPython2, SuiteFailed, read_index

OK = Case("OK", "OK", 1000)


def test_the_full_run_has_all_517_cases() -> None:
    assert expected(ALL) == COUNTS
    assert sum(COUNTS.values()) == 517


def test_the_fast_run_leaves_out_limits_and_compression() -> None:
    assert set(COUNTS) - set(expected(FAST)) == {"9", "12", "13"}


@pytest.mark.parametrize(
    "case",
    [
        Case("NON-STRICT", "OK", 1000),
        Case("FAILED", "OK", None),
        Case("OK", "UNCLEAN", None),
        Case("UNIMPLEMENTED", "OK", 1000),
    ],
)
def test_a_case_that_is_not_strictly_right_is_a_problem(case: Case) -> None:
    [found] = problems({"1.1.1": case}, {"1": 1})

    assert found.startswith(f"case 1.1.1: {case.behavior}, closed {case.behavior_close}")


def test_informational_cases_are_none() -> None:
    assert problems({"7.1.6": Case("INFORMATIONAL", "INFORMATIONAL", None)}, {"7": 1}) == []


def test_a_case_that_was_not_run_is_a_problem() -> None:
    assert problems({"1.1.1": OK}, {"1": 2, "2": 1}) == [
        "section 1: 1 of its 2 cases were run",
        "section 2: 0 of its 1 cases were run",
    ]


def test_the_table_counts_by_section() -> None:
    rows = table({"1.1.1": OK, "2.1": Case("FAILED", "UNCLEAN", None)}, {"1": 1, "2": 1})

    assert [row.split() for row in rows.splitlines()[1:]] == [
        ["1", "1", "1", "0", "0", "0"],
        ["2", "1", "0", "0", "1", "1"],
        ["all", "2", "1", "0", "1", "1"],
    ]


def test_results_are_kept_in_the_order_of_the_cases(tmp_path: Path) -> None:
    index = tmp_path / "index.json"
    verdict = {"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000}
    index.write_text(json.dumps({"greenrelay": {"10.1.1": verdict, "2.1": verdict}}))

    cases = read_index(index)

    assert list(as_json(cases)) == ["2.1", "10.1.1"]
    assert as_json(cases)["2.1"] == verdict


def test_no_results_are_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SuiteFailed, match="has written no results"):
        read_index(tmp_path / "index.json")


def test_without_python_2_the_run_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no 2.7 is to be had, `make autobahn` says so and fails; it never passes silently."""
    monkeypatch.setattr(suite, "_candidates", lambda: iter(()))
    monkeypatch.setattr(program, "environment_folder", lambda: tmp_path / "autobahn")

    assert program.main(["--fast"]) == 1

    assert str(NoPython2()) in capsys.readouterr().err
