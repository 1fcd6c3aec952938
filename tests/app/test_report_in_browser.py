"""The reports of the demo in a real browser: its ``EventSource`` and closed tabs.

$GREENRELAY_SCREENSHOTS names the directory for the pictures of the page; by default it is a
temporary one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.app.demo import Demo
from tests.app.tab import Tab

Open = Callable[[], Tab]


@pytest.fixture
def open_page(demo: Demo, windows: WebDriver) -> Open:
    """Opens the page in a window of its own."""
    return lambda: Tab(windows, f"{demo.url}/reports")


def start(tab: Tab, title: str) -> None:
    """Start a report and wait until it tells of itself."""
    field = tab.find("#title")
    field.clear()
    field.send_keys(title)
    tab.press("#start")
    tab.wait_for("#stream-pid", "{")


def board(tab: Tab, title: str) -> list[str]:
    """What the board says of the reports of a title."""
    script = """
    return [...document.querySelectorAll('#board li')]
      .filter(line => line.querySelector('strong').textContent === arguments[0])
      .map(line => line.querySelector('.badge').dataset.state)
    """
    found: list[str] = tab.run(script, title)
    return found


def test_a_report_tells_how_far_it_is_until_it_is_finished(open_page: Open) -> None:
    tab = open_page()

    start(tab, "To the end")

    assert tab.text("#report-pid").startswith("{")
    tab.wait_for("#state", "Finished")
    assert tab.text("#percent") == "100 %"
    assert tab.text("#event-id") == "36"
    assert len(tab.texts("#log li")) == 36
    assert len(tab.texts("#chart li")) == 12
    tab.wait(lambda: board(tab, "To the end") == ["finished"], "the board to say so")


def test_closing_the_tab_cancels_its_report(open_page: Open) -> None:
    witness, tab = open_page(), open_page()
    start(tab, "Left alone")
    witness.wait(lambda: board(witness, "Left alone") == ["running"], "the report to run")

    tab.close()

    witness.wait(lambda: board(witness, "Left alone") == ["cancelled"], "the end of the report")
    assert "cancelled at" in " ".join(witness.texts("#board .badge"))


def test_the_button_cancels_it_too_and_another_can_be_made(open_page: Open) -> None:
    tab = open_page()
    start(tab, "Changed my mind")

    tab.press("#cancel")

    tab.wait_for("#state", "Cancelled")
    tab.wait(lambda: board(tab, "Changed my mind") == ["cancelled"], "the end of the report")
    start(tab, "Another one")
    tab.wait(lambda: board(tab, "Another one") == ["running"], "another report")


def test_pictures_of_the_page(open_page: Open, screenshots: Path) -> None:
    tab, other = open_page(), open_page()
    start(other, "Visits of the shop")
    start(tab, "Visits of 2026")
    tab.emulate(width=1280, height=860, scheme="light")
    tab.wait(lambda: len(tab.texts("#log li")) > 6, "some steps")
    tab.take_screenshot(screenshots / "report-running.png")
    tab.wait_for("#state", "Finished")
    other.close()
    tab.wait(lambda: "running" not in board(tab, "Visits of the shop"), "its end")
    for name, width, height, scheme in (
        ("desktop", 1280, 960, "light"),
        ("desktop-dark", 1280, 960, "dark"),
        ("phone", 390, 844, "light"),
        ("phone-dark", 390, 844, "dark"),
    ):
        tab.emulate(width=width, height=height, scheme=scheme)
        tab.take_screenshot(screenshots / f"report-{name}.png")
        assert tab.run("return document.documentElement.scrollWidth <= innerWidth")
    assert list(screenshots.glob("report-*.png"))
