"""One browser window with the chat in it, seen as its user sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

WAIT_SECONDS = 40

# Endless ones, as of the dots beside "is writing", do not count.
IS_AT_REST = """
return document.getAnimations().every(({effect}) => effect.getTiming().iterations === Infinity)
"""

# A page that shows what happens may replace an element between two looks at it.
PASSING = (NoSuchElementException, StaleElementReferenceException)

T = TypeVar("T")


class Tab:
    """A window of the browser; every method brings it to the front first."""

    def __init__(self, driver: WebDriver, url: str) -> None:
        self._driver = driver
        driver.switch_to.new_window("window")
        self._handle = driver.current_window_handle
        driver.set_window_size(1280, 800)
        driver.get(url)

    def join(self, nick: str, room: str) -> Tab:
        """Come in through the door and wait until the room has welcomed us."""
        self._fill("nick", nick)
        self._fill("room", room)
        self.press("#door-form button")
        self.wait(lambda: self.text("#room-pid").startswith("{"), "a welcome")
        return self

    def say(self, text: str) -> None:
        """Write a message and send it."""
        self._fill("text", text)
        self.type(Keys.ENTER)

    def type(self, text: str) -> None:
        """Write without sending."""
        self.press_keys("#text", text)

    def send_picture(self, path: Path, caption: str = "") -> None:
        """Choose a file, as in the dialog of the picture button."""
        self._fill("text", caption)
        self.find("#file").send_keys(str(path))

    def press(self, selector: str) -> None:
        """Press a button."""
        self._act(selector, WebElement.click, "press")

    def press_keys(self, selector: str, keys: str) -> None:
        """Press keys while an element has the focus."""
        self._act(selector, lambda element: element.send_keys(keys), "write to")

    def move(self, room: str) -> None:
        """Ask for another room."""
        self._fill("move-room", room)
        self.press_keys("#move-room", Keys.ENTER)

    def messages(self) -> list[str]:
        """Texts of the messages in the log."""
        return self.texts("#lines .bubble > .text, #lines figcaption")

    def people(self) -> list[str]:
        """Nicknames of those online."""
        return self.texts("#people .name")

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until an element holds a text."""
        self.wait(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def wait_for_message(self, text: str) -> None:
        """Wait until the log holds a message."""
        self.wait(lambda: text in self.messages(), f"the message {text!r}")

    def wait_for_people(self, *nicks: str) -> None:
        """Wait until exactly these are online."""
        self.wait(lambda: sorted(self.people()) == sorted(nicks), f"{nicks} online")

    def wait(self, condition: Callable[[], T], what: str) -> T:
        """Wait until a condition holds and return what it returned."""
        waiting = WebDriverWait(self._driver, WAIT_SECONDS, 0.05, PASSING)
        return waiting.until(lambda _: condition(), f"waited for {what}")

    def text(self, selector: str) -> str:
        """Text of an element, shown or not."""
        text = self.run("return document.querySelector(arguments[0])?.textContent", selector)
        if text is None:
            raise NoSuchElementException(selector)
        return str(text)

    def texts(self, selector: str) -> list[str]:
        """Texts of all elements that match, in one look at the page."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        texts: list[str] = self.run(script, selector)
        return texts

    def find(self, selector: str) -> WebElement:
        """The element that matches."""
        self.focus()
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *args: object) -> Any:
        """Run a script in the page and return what it returns."""
        self.focus()
        return self._driver.execute_script(script, *args)

    def run_async(self, script: str, *args: object) -> Any:
        """Run a script in the page and return what it hands to its last argument."""
        self.focus()
        self._driver.set_script_timeout(WAIT_SECONDS)
        return self._driver.execute_async_script(script, *args)

    def focus(self) -> None:
        """Bring the window to the front."""
        if self._driver.current_window_handle != self._handle:
            self._driver.switch_to.window(self._handle)

    def emulate(self, *, width: int, height: int, scheme: str) -> None:
        """Look at the page as on another screen; ``scheme`` is light or dark."""
        self.focus()
        size = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 500}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def take_screenshot(self, path: Path) -> None:
        """Write what is seen to a PNG file, once nothing moves any more."""
        self.wait(lambda: self.run(IS_AT_REST), "the page to be at rest")
        assert self._driver.save_screenshot(str(path))

    def close(self) -> None:
        """Close the window, as a person does."""
        self.focus()
        self._driver.close()
        self._driver.switch_to.window(self._driver.window_handles[0])

    def _act(self, selector: str, action: Callable[[WebElement], None], name: str) -> None:
        def act() -> bool:
            action(self.find(selector))
            return True

        self.wait(act, f"{selector} to {name}")

    def _fill(self, field: str, text: str) -> None:
        element = self.find(f"#{field}")
        element.clear()
        element.send_keys(text)
