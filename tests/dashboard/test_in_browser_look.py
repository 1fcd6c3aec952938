"""The page of the dashboard: what it looks like, to whom, and on which screen.

Source: Operations, "Dashboard". $GREENRELAY_SCREENSHOTS names the directory for the pictures of the
page; by default it is a temporary one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.dashboard.browsing import (
    Open,
    confirm,
    focused,
    follow,
    go,
    my_socket,
    rows,
    violations,
    wait_for_rows,
)
from tests.dashboard.crowd import crowd
from tests.dashboard.program import Dashboard
from tests.serving import WebSocketClient

VIEWS = (
    *("overview", "sockets", "processes", "groups", "services"),
    *("cluster", "closes", "log", "settings"),
)
# The rows that a list may have at most, whatever it lists.
MOST_ROWS = 150


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_a_cluster_of_two_fits_every_screen(
    open_page: Open, other_node: Dashboard, width: int
) -> None:
    tab = open_page("cluster")
    tab.wait(lambda: tab.texts("main a[href*='sockets?node=']"), "what the other node tells")

    tab.emulate(width=width, height=844, scheme="light")

    assert tab.run("return document.documentElement.scrollWidth") <= width
    assert violations(tab) == []


def console(driver: Any) -> list[dict[str, object]]:
    """Return what the page has said to the console since the last time."""
    found: list[dict[str, object]] = driver.get_log("browser")
    return found


def test_a_list_of_many_has_few_rows(open_page: Open, program: Dashboard) -> None:
    with crowd(program.address(), "/chat", 2_000):
        tab = open_page("sockets?path=%2Fchat&order=newest")
        tab.wait_for(".sum", "2,000 of ")
        wait_for_rows(tab)

        tab.run("const list = document.querySelector('.list'); list.scrollTop = list.scrollHeight")

        def is_at_end() -> bool:
            last = tab.texts(".rows .row:last-child .whole")
            return bool(last and last[0]) and tab.run(
                "return document.querySelector('.rows .row:last-child').ariaRowIndex === '2001'"
            )

        tab.wait(is_at_end, "the last row")
        assert len(rows(tab)) <= MOST_ROWS
        assert tab.find(".list").get_attribute("aria-rowcount") == "2001"


def test_it_comes_back_when_the_connection_is_lost(open_page: Open) -> None:
    tab = open_page("sockets?path=_greenrelay")
    wait_for_rows(tab)
    first = tab.run("return document.querySelector('#node').title")

    # The page cannot kill itself, so another one does.
    other = open_page("sockets?path=_greenrelay%2Fsocket")
    wait_for_rows(other, 2)
    other.run("document.querySelector('.rows .whole').click()")
    follow(other, "Kill…")
    confirm(other)

    tab.wait(lambda: tab.run("return document.querySelector('#node').title") != first, "another")
    tab.wait_for("#state-text", "Live")


def test_the_keyboard_reaches_everything(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    tab.wait_for(".tile .value", "")

    seen = []
    for _ in range(20):
        tab._driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(focused(tab))
    assert seen[0] == "Skip to what is shown"
    assert [each for each in seen if each in ("Sockets", "Configuration", "Drain this worker…")]

    tab.press_keys("[data-view=sockets]", Keys.ENTER)
    wait_for_rows(tab)
    # Whoever hears the page is told that there is another view.
    assert focused(tab) == "Sockets"
    tab.press_keys(".rows .whole", Keys.ENTER)
    tab.wait_for("h1", "Socket gateway|")
    assert focused(tab).startswith("Socket gateway|")


def test_a_dialog_is_left_with_escape(open_page: Open) -> None:
    tab = open_page()
    follow(tab, "Drain this worker…")
    assert tab.find("#dialog").is_displayed()

    tab._driver.switch_to.active_element.send_keys(Keys.ESCAPE)

    tab.wait(lambda: not tab.find("#dialog").is_displayed(), "no dialog")
    assert "drains" not in tab.texts(".notice:not([hidden])")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(
    open_page: Open, client: WebSocketClient, scheme: str, width: int
) -> None:
    tab = open_page()
    tab.emulate(width=width, height=844, scheme=scheme)
    found = {}
    for view in VIEWS:
        go(tab, view)
        found[view] = violations(tab)
    my_socket(tab)
    tab.wait_for("main", "ws.message")
    found["socket"] = violations(tab)
    follow(tab, "Close…")
    found["dialog"] = violations(tab)

    assert {view: each for view, each in found.items() if each} == {}


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_the_screen(open_page: Open, view: str, width: int) -> None:
    tab = open_page(view)

    tab.emulate(width=width, height=844, scheme="light")

    assert tab.run("return document.documentElement.scrollWidth") <= width


def test_the_page_says_nothing_to_the_console(open_page: Open, driver: WebDriver) -> None:
    console(driver)
    tab = open_page()
    for view in VIEWS:
        go(tab, view)

    # A policy that is broken, or a file that is missing, would be told there.
    assert console(driver) == []


def test_pictures_of_the_page(
    open_page: Open, program: Dashboard, client: WebSocketClient, tmp_path: Path
) -> None:
    named = os.environ.get("GREENRELAY_SCREENSHOTS")
    folder = Path(named) if named else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    tab = open_page()

    with crowd(program.address(), "/chat", 60):
        for view in VIEWS:
            go(tab, view)
            for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
                tab.emulate(width=width, height=844, scheme=scheme)
                tab.take_screenshot(folder / f"{view}-{width}-{scheme}.png")

    assert len(list(folder.glob("*.png"))) >= 4 * len(VIEWS)
    assert tab._driver.find_elements(By.CSS_SELECTOR, "main h1")
