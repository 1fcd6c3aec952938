"""A browser and a program with a dashboard, for all tests of its page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from greenrelay.cluster.server import DevelopmentServer
from tests.app.tab import Tab
from tests.browser import chromium
from tests.dashboard.browsing import Open
from tests.dashboard.program import Dashboard
from tests.serving import WebSocketClient, connected


@pytest.fixture(scope="package")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="package")
def engine() -> Iterator[str]:
    with DevelopmentServer() as server:
        yield server.url


@pytest.fixture(scope="package")
def program(engine: str) -> Iterator[Dashboard]:
    program = Dashboard(engine=engine)
    yield program
    assert program.stop() == 0


@pytest.fixture
def other_node(engine: str, program: Dashboard) -> Iterator[Dashboard]:
    """Another node of the same cluster, with a client of its room."""
    with Dashboard(engine=engine) as other, connected(other.address(), "/chat"):
        assert isinstance(other, Dashboard)
        yield other


@pytest.fixture
def open_page(program: Dashboard, driver: WebDriver) -> Iterator[Open]:
    """Opens a view in a window of its own; those left open are closed after the test."""
    first, *_ = driver.window_handles

    def open_view(view: str = "overview", path: str = "_greenrelay") -> Tab:
        tab = Tab(driver, f"{program.url}/{path}/#/{view}")
        if path == "_greenrelay":
            tab.wait_for("#state-text", "Live")
        return tab

    yield open_view
    for handle in driver.window_handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)


@pytest.fixture
def client(program: Dashboard) -> Iterator[WebSocketClient]:
    """A client of the room."""
    with connected(program.address(), "/chat") as client:
        yield client
