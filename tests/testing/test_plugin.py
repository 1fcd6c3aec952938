"""The plug-in as a user has it: a test file of theirs, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STRICT = ("-p", "greenrelay.testing", "--strict-markers", "-W", "error", "-p", "no:cacheprovider")


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(text)
    return pytester.runpytest_subprocess(*STRICT, *options, timeout=60)


def test_the_fixtures_are_there_and_what_they_make_is_gone_afterwards(
    pytester: pytest.Pytester,
) -> None:
    outcome = run(
        pytester,
        """
        import greenrelay as gr
        from greenrelay.testing import assert_receive

        seen = []

        def test_node(node):
            seen.append(node)
            node.spawn(gr.receive)
            assert node.name == "test"

        def test_each_test_has_its_own(node, process_probe, virtual_clock):
            assert node not in seen
            assert seen[0].is_stopped and not seen[0].processes
            node.send_after(3600, process_probe.pid, "late")
            virtual_clock.advance("1h")
            assert_receive(process_probe, topic="late")
        """,
    )

    outcome.assert_outcomes(passed=2)


def test_a_node_is_made_with_the_options_of_its_marker_or_of_an_override(
    pytester: pytest.Pytester,
) -> None:
    outcome = run(
        pytester,
        """
        import pytest

        @pytest.fixture
        def node_options(node_options):
            return {"name": "shop", **node_options}

        def test_override(node):
            assert (node.name, node.grace) == ("shop", 0.5)

        @pytest.mark.node_options(grace=2)
        def test_both(node):
            assert (node.name, node.grace) == ("shop", 2)
        """,
    )

    outcome.assert_outcomes(passed=2)


LEAKS = """
    import gevent, pytest, socket
    import greenrelay as gr
    from greenrelay.runtime.timers import Timer

    kept = []

    {mark}
    def test_process(node{fixture}):
        node.spawn(gr.receive)

    {mark}
    def test_timer(node{fixture}):
        node.timers.start(3600, Timer(int, "an alarm"))

    {mark}
    def test_socket({fixture_alone}):
        kept.append(socket.socket())

    {mark}
    def test_greenlet({fixture_alone}):
        kept.append(gevent.spawn(gevent.sleep, 3600))

    {mark}
    def test_clean(node{fixture}):
        node.run(int)
"""
FOUND = [
    "*1 process(es) of test.*receive*",
    "*timer is still to fire: an alarm*",
    "*file * is open: socket:*",
    "*greenlet *lives, at*",
]


@pytest.mark.parametrize(
    ("mark", "fixture", "option"),
    [
        ("", ", no_leaks", None),
        ("@pytest.mark.no_leaks", "", None),
        ("", "", "greenrelay_no_leaks=true"),
    ],
    ids=["fixture", "marker", "ini"],
)
def test_leaks_are_found_where_the_check_is_wanted(
    pytester: pytest.Pytester, mark: str, fixture: str, option: str | None
) -> None:
    text = LEAKS.format(mark=mark, fixture=fixture, fixture_alone=fixture.strip(", "))

    outcome = run(pytester, text, *(["-o", option] if option else []))

    outcome.assert_outcomes(passed=5, errors=4)
    outcome.stdout.fnmatch_lines(FOUND)


def test_nothing_is_checked_where_nobody_wants_it(pytester: pytest.Pytester) -> None:
    text = LEAKS.format(mark="@pytest.mark.no_leaks(False)", fixture="", fixture_alone="")

    run(pytester, text, "-o", "greenrelay_no_leaks=true").assert_outcomes(passed=5)


def test_a_failed_test_is_not_blamed_for_what_it_left_as_well(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester,
        """
        import greenrelay as gr

        def test_fails(node, no_leaks):
            node.spawn(gr.receive)
            assert 1 + 1 == 3
        """,
    )

    outcome.assert_outcomes(failed=1)


RACE = """
    import pytest
    from greenrelay.testing import settle

    {mark}
    def test_order(node):
        ran = []
        for number in range(3):
            node.spawn(ran.append, number)
        settle(node)
        assert ran[0] != 2, "the last came first"
"""


def test_a_marked_test_runs_under_many_orders_and_names_the_seed_that_fails(
    pytester: pytest.Pytester,
) -> None:
    outcome = run(pytester, RACE.format(mark="@pytest.mark.interleavings(12)"))

    counts = outcome.parseoutcomes()
    assert counts["passed"] + counts["failed"] == 12
    assert min(counts["passed"], counts["failed"]) > 0
    outcome.stdout.fnmatch_lines(["*FAILED*test_order[[]seed*[]]*"])
    outcome.stdout.fnmatch_lines(["pytest --interleaving-seed * *::test_order"])


def test_the_seed_of_a_failure_can_be_given_again(pytester: pytest.Pytester) -> None:
    text = RACE.format(mark="@pytest.mark.interleavings")
    first = run(pytester, text)
    again = next(line for line in first.outlines if line.startswith("pytest --interleaving-seed"))

    outcome = pytester.runpytest_subprocess(*STRICT, *again.split()[1:], timeout=60)

    outcome.assert_outcomes(failed=1)


def test_the_command_line_says_how_many_orders(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester, RACE.format(mark="@pytest.mark.interleavings(seeds=2)"), "--interleavings", "30"
    )

    counts = outcome.parseoutcomes()
    assert counts["passed"] + counts["failed"] == 30


def test_without_the_marker_the_order_is_the_usual_one(pytester: pytest.Pytester) -> None:
    run(pytester, RACE.format(mark=""), "--interleavings", "30").assert_outcomes(passed=1)


def test_the_marker_on_a_test_without_a_node_is_refused(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester,
        """
        import pytest

        @pytest.mark.interleavings
        def test_alone():
            pass
        """,
    )

    outcome.stdout.fnmatch_lines(["*test_alone: marked interleavings, but it uses neither*"])
    assert outcome.ret != 0


@pytest.mark.parametrize(
    ("mark", "option", "complaint"),
    [
        ("('ten')", (), "*test_order: marker interleavings is 'ten'; it must be a number*"),
        ("(0)", (), "*test_order: marker interleavings is 0; it must be a number*"),
        ("(5)", ("--interleavings", "-1"), "*--interleavings is -1; it must be a number*"),
    ],
)
def test_a_number_of_orders_that_is_none_is_refused(
    pytester: pytest.Pytester, mark: str, option: tuple[str, ...], complaint: str
) -> None:
    outcome = run(pytester, RACE.format(mark=f"@pytest.mark.interleavings{mark}"), *option)

    outcome.stdout.fnmatch_lines([complaint])
    assert outcome.ret != 0


def test_pytest_finds_the_plug_in_by_its_entry_point(pytester: pytest.Pytester) -> None:
    """A user who has installed greenrelay writes nothing but the test."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = config["options.entry_points"]["pytest11"].strip()
    installed = pytester.mkdir("greenrelay_of_a_user-0.1.0.dist-info")
    metadata = "Metadata-Version: 2.1\nName: greenrelay-of-a-user\nVersion: 0.1.0\n"
    (installed / "METADATA").write_text(metadata)
    (installed / "entry_points.txt").write_text(f"[pytest11]\n{declared}\n")
    pytester.makepyfile("def test_room(node, process_probe):\n    assert process_probe.pid")

    outcome = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", timeout=60)

    outcome.assert_outcomes(passed=1)


def test_importing_greenrelay_loads_no_pytest_and_its_plug_in_no_flask() -> None:
    check = """
import sys
import greenrelay.testing
assert "pytest" not in sys.modules and "_pytest" not in sys.modules
import greenrelay.proving.plugin
loaded = {"flask", "yaml", "geventwebsocket", "hypothesis"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True, timeout=60)
