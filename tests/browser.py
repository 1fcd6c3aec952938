"""A headless Chromium for tests of what only a browser can tell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Two windows at a time: the one behind has to stay as quick as the one in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)


@contextmanager
def chromium(profile: Path) -> Iterator[WebDriver]:
    """Start a browser whose profile is the folder ``profile``; end it."""
    browser, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert browser, "there is no chromium on PATH: run `make test-setup`"
    assert chromedriver, "there is no chromedriver on PATH: run `make test-setup`"
    options = ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    driver = Chrome(options, Service(chromedriver))
    try:
        yield driver
    finally:
        driver.quit()
