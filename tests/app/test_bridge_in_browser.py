"""The page of the bridge, in two windows of a browser, while its upstream restarts."""

from __future__ import annotations

from selenium.webdriver.chrome.webdriver import WebDriver

from tests.app.tab import Tab
from tests.app.test_bridge import started, upstream_address

__all__ = ["upstream_address"]


def test_two_windows_follow_the_upstream_over_its_restart(
    windows: WebDriver,
    upstream_address: str,
) -> None:
    upstream = f"ws://{upstream_address}/ticks"

    with started("bridge.yaml", GREENRELAY_ADDR="127.0.0.1:0", GREENRELAY_UPSTREAM=upstream) as at:
        tabs = [Tab(windows, f"http://{at}/") for _ in range(2)]
        for _ in range(2):
            with started("upstream.yaml", GREENRELAY_ADDR=upstream_address):
                for tab in tabs:
                    tab.wait_for("#state", "The upstream is there.")
                    tab.wait_for("#feed li", ":")
            for tab in tabs:
                tab.wait_for("#state", "The upstream is gone")
