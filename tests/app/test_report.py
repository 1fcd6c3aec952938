from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from app import report, report_board
from greenrelay import (
    Exit,
    cancel,
    monitor,
    pid,
    receive,
    register,
    send,
    spawn,
    spawn_monitored,
    terminate,
)
from tests.app.client import Scenario, payload_of
from tests.app.demo import Demo

Run = Callable[[Scenario], object]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "STEP", "1ms")


def join(target: str) -> None:
    """Tells a target what the relay tells it when a page listens; the page is the caller."""
    send(target, "sse.join", {"client_pid": pid()})


def ending(of: str) -> Any:
    """Returns the result of a monitored process, passing over what else comes."""
    while True:
        match receive(timeout=30):
            case Exit(pid=ended, result=result) if ended == of:
                return result


def test_a_report_goes_from_1_to_100_percent_and_ends(run: Run) -> None:
    def scenario() -> None:
        job = spawn_monitored(report.run, "All")
        join(job)

        steps = [payload_of("progress") for _ in report.steps()]

        assert steps[0]["text"] == "Read the visits of Jan"
        assert (steps[0]["report_pid"], steps[0]["stream_pid"]) == (job, pid())
        assert [step["percent"] for step in steps] == sorted(step["percent"] for step in steps)
        assert steps[-1]["percent"] == 100
        result = payload_of("result")
        assert result["title"] == "All"
        assert [month for month, _ in result["visits"]] == list(report.MONTHS)
        assert ending(job).is_normal

    run(scenario)


def test_the_same_title_gives_the_same_report(run: Run) -> None:
    def scenario() -> None:
        results = []
        for _ in range(2):
            join(spawn(report.run, "Same"))
            results.append(payload_of("result"))

        assert results[0] == results[1]

    run(scenario)


def test_a_report_ends_with_the_stream_it_is_linked_to(run: Run) -> None:
    def scenario() -> None:
        job = spawn_monitored(report.run, "Lost")
        stream = spawn(_play_stream, job)
        receive("progress", timeout=30)

        terminate(stream)

        assert not ending(job).is_normal

    def _play_stream(job: str) -> None:
        join(job)
        send(main[0], "progress", None)
        receive("never")

    main: list[str] = []

    def with_main() -> None:
        main.append(pid())
        scenario()

    run(with_main)


@pytest.mark.parametrize("word", ["leave", "cancel"])
def test_a_report_nobody_wants_any_more_ends_well(run: Run, word: str) -> None:
    def scenario() -> None:
        job = spawn_monitored(report.run, "Enough")
        join(job)
        receive("progress", timeout=30)

        if word == "leave":
            send(job, "sse.leave", {"client_pid": pid(), "reason": "drain"})
        else:
            cancel(job)

        assert ending(job).is_normal

    run(scenario)


def test_a_report_nobody_listens_to_never_begins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "JOIN_TIMEOUT", "10ms")

    def scenario() -> None:
        job = spawn_monitored(report.run, "Nobody")

        assert ending(job).is_normal

    run(scenario)


def test_the_board_shows_what_runs_and_how_it_ended(run: Run) -> None:
    def scenario() -> None:
        board = spawn(report_board.run)
        job = spawn(receive, "go on")
        join(board)
        assert payload_of("reports") == []
        send(board, "report.started", {"pid": job, "title": "One"})
        send(board, "report.progress", {"pid": job, "percent": 40})
        send(board, "report.progress", {"pid": "nobody", "percent": 40})

        terminate(job)

        shown = [payload_of("reports") for _ in range(4)]
        assert [(lines[0]["percent"], lines[0]["state"]) for lines in shown] == [
            (0, "running"),
            (40, "running"),
            (40, "running"),
            (40, "cancelled"),
        ]
        monitor(board)
        cancel(board)
        assert ending(board).is_normal

    run(scenario)


def test_a_report_that_is_finished_is_not_taken_for_a_cancelled_one(run: Run) -> None:
    def scenario() -> None:
        board = spawn(report_board.run)
        join(board)
        payload_of("reports")
        register("client")
        join(spawn(report.run, "Done"))

        while not (lines := payload_of("reports")) or lines[0]["state"] == "running":
            pass

        assert [(line["title"], line["state"]) for line in lines] == [("Done", "finished")]

    run(scenario)


def test_a_page_that_has_left_is_told_nothing(run: Run) -> None:
    def scenario() -> None:
        board = spawn(report_board.run)
        join(board)
        payload_of("reports")
        send(board, "sse.leave", {"client_pid": pid()})
        send(board, "report.progress", {"pid": "nobody", "percent": 1})
        join(board)

        assert payload_of("reports") == []
        with pytest.raises(Exception, match="nothing came"):
            receive("reports", timeout=0.05)

    run(scenario)


def get(demo: Demo, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(demo.url).netloc, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_page_is_served(demo: Demo) -> None:
    status, body = get(demo, "/reports")

    assert status == 200
    assert b"greenrelay reports" in body


@pytest.mark.parametrize("query", ["", "title=", "title=%20", f"title={'x' * 41}", "title=a%00b"])
def test_a_report_needs_a_title(demo: Demo, query: str) -> None:
    status, body = get(demo, f"/events/report?{query}")

    assert status == 400
    assert json.loads(body)["error"] == "bad_request"
