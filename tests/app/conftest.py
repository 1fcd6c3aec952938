from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from app import lobby
from greenrelay import Node
from tests.app.client import Scenario
from tests.app.demo import Demo
from tests.browser import chromium


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Scenario], object]]:
    """Runs a function as a process that plays the browsers' connections."""
    monkeypatch.setattr(lobby, "HOST", None)
    with Node() as node:
        yield node.run


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """The whole demo, started once for all tests."""
    demo = Demo()
    yield demo
    assert demo.stop() == 0


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """A browser for the tests of one module."""
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def windows(driver: WebDriver) -> Iterator[WebDriver]:
    """The browser; windows that the test leaves open are closed after it."""
    first, *_ = driver.window_handles
    yield driver
    for handle in driver.window_handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the pictures of the pages."""
    named = os.environ.get("GREENRELAY_SCREENSHOTS")
    directory = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    return directory
