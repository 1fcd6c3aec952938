"""The vault of the demo in a real browser: what its WebSocket tells the page.

$GREENRELAY_SCREENSHOTS names the directory for the pictures of the page; by default it is a
temporary one.
"""

from __future__ import annotations

import os
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
    return lambda: Tab(windows, f"{demo.url}/vault")


def sign_in(tab: Tab, name: str, seconds: int) -> None:
    for selector, value in (("#name", name), ("#seconds", str(seconds))):
        field = tab.find(selector)
        field.clear()
        field.send_keys(value)
    tab.press("#sign-in")
    tab.wait_for("#state", "Signed in")


def test_a_visitor_sees_who_he_is_and_the_end_of_his_token(open_page: Open) -> None:
    tab = open_page()
    sign_in(tab, "Ada", 3)

    tab.press("#enter")

    tab.wait_for("#who", "Ada")
    assert tab.text("#vault-pid").startswith("{")
    tab.wait_for("#code", "1008 actor expired")
    assert tab.text("#state") == "Closed: actor expired"


def test_revoking_closes_the_vault(open_page: Open) -> None:
    tab = open_page()
    sign_in(tab, "Ada", 60)
    tab.press("#enter")
    tab.wait_for("#state", "Open")
    tab.find("#text").send_keys("a secret")
    tab.press("#send")
    tab.wait_for("#kept", "a secret")

    tab.press("#sign-out")

    tab.wait_for("#code", "1008 actor revoked")


@pytest.mark.parametrize("name", ["", "mallory"])
def test_who_may_not_is_refused(open_page: Open, name: str) -> None:
    tab = open_page()
    if name:
        sign_in(tab, name, 60)

    tab.press("#enter")

    tab.wait_for("#state", "Refused")
    assert not tab.text("#vault-pid").startswith("{")


def test_pictures_of_the_page(open_page: Open, tmp_path: Path) -> None:
    named = os.environ.get("GREENRELAY_SCREENSHOTS")
    folder = Path(named) if named else tmp_path
    tab = open_page()
    sign_in(tab, "Ada", 60)
    tab.press("#enter")
    tab.wait_for("#who", "Ada")

    for name, width, height, scheme in (
        ("desktop", 1280, 860, "light"),
        ("desktop-dark", 1280, 860, "dark"),
        ("phone", 390, 844, "light"),
    ):
        tab.emulate(width=width, height=height, scheme=scheme)
        tab.take_screenshot(folder / f"vault-{name}.png")
        assert tab.run("return document.documentElement.scrollWidth <= innerWidth")

    assert list(folder.glob("vault-*.png"))
