"""What a person does with the page of a dashboard in a browser."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.app.tab import Tab

Open = Callable[..., Tab]


def rows(tab: Tab) -> list[str]:
    return tab.texts(".rows .row .whole")


def wait_for_rows(tab: Tab, count: int = 1) -> None:
    tab.wait(lambda: len(rows(tab)) >= count and rows(tab)[0], f"{count} rows")


def follow(tab: Tab, text: str) -> None:
    """Press the link or button that says so."""

    def press() -> bool:
        found = tab.run(
            "const found = [...document.querySelectorAll('a, button')]"
            ".find((each) => each.offsetParent && each.textContent.includes(arguments[0]));"
            "found?.click(); return !!found",
            text,
        )
        return bool(found)

    tab.wait(press, f"something that says {text!r}")


class Hand:
    """Presses what a person would, and counts: each question is answered within three."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.presses = 0

    def press(self, selector: str) -> None:
        """Press what matches."""
        self.presses += 1
        self.tab.press(selector)

    def follow(self, text: str) -> None:
        """Press what says so."""
        self.presses += 1
        follow(self.tab, text)

    def choose(self, selector: str, text: str) -> None:
        """Open a list of choices and press one of them."""
        self.presses += 2
        self.tab.press_keys(selector, text)

    def search(self, selector: str, text: str, found: str) -> None:
        """Type into a field until one row is left, which has ``found`` in it."""
        self.tab.press_keys(selector, text)
        self.tab.wait(lambda: len(rows(self.tab)) == 1, "one row")
        self.tab.wait_for(".rows .row", found)


def confirm(tab: Tab, **values: str) -> None:
    """Fill in the dialog and press its last button."""
    for name, value in values.items():
        field = tab.find(f"#field-{name}")
        field.clear()
        field.send_keys(value)
    tab.press("#dialog button[type=submit]")


def focused(tab: Tab) -> str:
    """Return what is said of the element that has the focus."""
    return str(
        tab.run(
            "const e = document.activeElement;"
            "return e.ariaLabel || e.labels?.[0]?.textContent || e.textContent.trim()"
        )
    )


def my_socket(tab: Tab) -> None:
    """Go to the newest socket of the chat; one of an earlier test may be about to end."""
    tab.run("location.hash = '#/sockets?path=%2Fchat&order=newest'")
    tab.wait_for("h1", "Sockets")
    wait_for_rows(tab)
    tab.wait_for(".rows .c-path", "/chat")
    tab.run("document.querySelector('.rows .whole').click()")
    tab.wait_for("h1", "Socket gateway|")


def go(tab: Tab, view: str) -> None:
    """Go to a view and wait until it is there."""
    tab.run("location.hash = arguments[0]", f"#/{view}")
    tab.wait(lambda: shows(tab, view), view)


def shows(tab: Tab, view: str) -> bool:
    current = tab.run("return document.querySelector('[aria-current]').dataset.view")
    return current == view and bool(tab.run("return document.querySelector('main').innerText"))


def violations(tab: Tab) -> list[str]:
    """Return what axe has found, each with the element that it is about."""
    tab.run(_axe())
    found: dict[str, Any] = tab.run_async("axe.run().then(arguments[arguments.length - 1])")
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary')}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def _axe() -> str:
    spec = find_spec("axe_core_python")
    assert spec is not None, "axe is missing: it comes with the extra `dev`"
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text()
