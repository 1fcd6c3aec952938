"""The page "Scaling" quotes what ``python -m bench.scaling`` prints, from measured costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import scaling
from bench.scaling import RESULTS, measured, read_costs
from bench.scaling_model import Costs, Traffic, broadcast, load, rooms_of, spread_of, waits

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
KEPT = json.loads((RESULTS / "scaling.json").read_text())
FAST = ("one_worker", "huge_room", "waiting", "storm", "names", "beats")


@pytest.fixture(scope="module")
def costs() -> Costs:
    """The costs that were kept."""
    return read_costs()


@pytest.mark.parametrize("title", list(KEPT["tables"]))
def test_the_page_has_every_table_as_it_was_kept(title: str) -> None:
    assert "\n".join(KEPT["tables"][title]) in PAGE


def test_the_page_has_no_other_table_of_figures() -> None:
    heads = {lines[0] for lines in KEPT["tables"].values()}
    rules = [number for number, line in enumerate(PAGE.splitlines()) if line.startswith("| ---")]

    found = {PAGE.splitlines()[number - 1] for number in rules}

    assert found - heads == {"| you have | first limit | what to do |"}


@pytest.mark.parametrize("name", FAST)
def test_a_kept_table_is_what_is_printed(costs: Costs, name: str) -> None:
    table = getattr(scaling, name)(costs)

    assert KEPT["tables"][table.title] == table.lines()


def test_the_workers_that_are_needed_are_what_is_printed(costs: Costs) -> None:
    table = scaling.growth(costs, (10_000, 100_000))

    kept = KEPT["tables"][table.title]
    assert kept[: len(table.lines())] == table.lines()


@pytest.mark.parametrize("name", list(scaling._MEASURED))
def test_a_cost_is_about_what_the_other_results_have(costs: Costs, name: str) -> None:
    # Results are measured anew now and then, and differ by so much from one day to the next.
    assert 0.5 <= getattr(costs, name) / measured(name) <= 2.0


def test_every_cost_says_where_it_comes_from() -> None:
    assert all(each["from"] and each["unit"] for each in KEPT["costs"].values())


@pytest.mark.parametrize(
    "quoted", ["10.4 us", "0.76 ms", "150,000 in a GiB", "0.25 us", "0.4 us", "370 bytes", "42 s"]
)
def test_figures_in_the_text_are_those_of_the_costs(costs: Costs, quoted: str) -> None:
    made = {
        "10.4 us": f"{costs.write_us:g} us",
        "0.76 ms": f"{costs.handshake_us / 1000:.2g} ms",
        "150,000 in a GiB": f"{2**30 / (costs.socket_bytes + costs.kernel_bytes):,.3g} in a GiB",
        "0.25 us": f"{costs.engine_publish_us:g} us",
        "0.4 us": f"{costs.engine_copy_us:g} us",
        "370 bytes": f"{costs.row_bytes:g} bytes",
        "42 s": f"{1e6 / costs.claims_per_second:.0f} s",
    }
    assert quoted in " ".join(PAGE.split())
    assert made[quoted].replace("1.5e+05", "150,000") == quoted


def test_the_same_seed_gives_the_same(costs: Costs) -> None:
    assert rooms_of(5_000, 1) == rooms_of.__wrapped__(5_000, 1)
    assert waits(costs, 0.5, 1, 1_000) == waits(costs, 0.5, 1, 1_000)
    assert rooms_of(5_000, 1) != rooms_of(5_000, 2)


def test_rooms_have_all_members_and_are_of_all_sizes() -> None:
    rooms = rooms_of(100_000, 1)

    assert sum(rooms) == 100_000
    assert sorted(rooms)[len(rooms) // 2] < 8
    assert max(rooms) > 1_000


def test_by_room_a_message_of_a_small_room_stays_on_its_worker() -> None:
    assert spread_of(1_000, 64, by_room=True) == 1
    assert spread_of(2_500, 64, by_room=True) == 3
    assert spread_of(100_000, 8, by_room=True) == 8


def test_anywhere_a_room_of_two_is_on_two_workers_of_many() -> None:
    assert spread_of(2, 1, by_room=False) == 1
    assert spread_of(2, 2, by_room=False) == 1.5
    assert spread_of(2, 1_000, by_room=False) == pytest.approx(1.999)


def test_one_worker_sends_no_copies(costs: Costs) -> None:
    found = load(costs, rooms_of(10_000, 1), Traffic("any", 1.0), 1, by_room=False, seed=1)

    assert (found.copies, found.frames, found.busiest) == (0, 0, 1)


def test_the_more_a_worker_is_busy_the_longer_a_message_waits(costs: Costs) -> None:
    medians = [waits(costs, busy, 1, 5_000)[2_500] for busy in (0.3, 0.6, 0.9)]

    assert medians == sorted(medians)


def test_a_tree_sends_as_many_frames_and_takes_less_of_the_sender(costs: Costs) -> None:
    directly, tree = broadcast(costs, 10_000, 512, 0), broadcast(costs, 10_000, 512, 8)

    assert directly[2] == tree[2] == 511
    assert tree[1] < directly[1] / 10
    assert tree[0] < directly[0]
