"""The page of the bridge, in two windows of a browser, while its upstream restarts."""

from __future__ import annotations

from selenium.webdriver.chrome.webdriver import WebDriver

from tests.app.tab import Tab
from tests.app.test_bridge import started, upstream_address
from tests.app.test_chat_in_browser import driver

__all__ = ["driver", "upstream_address"]


def test_two_windows_follow_the_upstream_over_its_restart(
    driver: WebDriver,
    upstream_address: str,
) -> None:
    upstream = f"ws://{upstream_address}/ticks"
    first = driver.current_window_handle

    with started("bridge.yaml", GREENRELAY_ADDR="127.0.0.1:0", GREENRELAY_UPSTREAM=upstream) as at:
        tabs = [Tab(driver, f"http://{at}/") for _ in range(2)]
        for _ in range(2):
            with started("upstream.yaml", GREENRELAY_ADDR=upstream_address):
                for tab in tabs:
                    tab.wait_for("#state", "The upstream is there.")
                    tab.wait_for("#feed li", ":")
            for tab in tabs:
                tab.wait_for("#state", "The upstream is gone")
        for window in driver.window_handles[1:]:
            driver.switch_to.window(window)
            driver.close()
        driver.switch_to.window(first)
