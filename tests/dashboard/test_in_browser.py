"""The dashboard in a real browser. Source: Operations, "Dashboard".

$GREENRELAY_SCREENSHOTS names the directory for the pictures of the page; by default it is a
temporary one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from greenrelay.cluster.server import DevelopmentServer
from tests.app.tab import Tab
from tests.browser import chromium
from tests.dashboard.crowd import crowd
from tests.dashboard.program import PASSWORD, Dashboard
from tests.serving import WebSocketClient, connected, http

Open = Callable[..., Tab]
VIEWS = (
    *("overview", "sockets", "processes", "groups", "services"),
    *("cluster", "closes", "log", "settings"),
)
# The rows that a list may have at most, whatever it lists.
MOST_ROWS = 150


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with DevelopmentServer() as server:
        yield server.url


@pytest.fixture(scope="module")
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


def confirm(tab: Tab, **values: str) -> None:
    """Fill in the dialog and press its last button."""
    for name, value in values.items():
        field = tab.find(f"#field-{name}")
        field.clear()
        field.send_keys(value)
    tab.press("#dialog button[type=submit]")


def my_socket(tab: Tab) -> None:
    """Go to the newest socket of the chat; one of an earlier test may be about to end."""
    tab.run("location.hash = '#/sockets?path=%2Fchat&order=newest'")
    tab.wait_for("h1", "Sockets")
    wait_for_rows(tab)
    tab.wait_for(".rows .c-path", "/chat")
    tab.run("document.querySelector('.rows .whole').click()")
    tab.wait_for("h1", "Socket gateway|")


def test_who_is_connected_to_this_room(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()

    tab.press("[data-view=processes]")
    tab.wait_for("h1", "Processes")
    tab.press_keys("#process-text", "room:tea")
    tab.wait(lambda: len(rows(tab)) == 1 and "room:tea" in tab.text(".rows .row"), "the room")
    tab.run("document.querySelector('.rows .whole').click()")
    follow(tab, "who is connected to it")

    tab.wait_for("h1", "Sockets")
    tab.wait_for(".rows .row", "/chat")
    # What a program says of its users is text, whatever is in it.
    assert tab.text(".rows .c-user") == "<i>ada</i>"


def test_why_this_socket_has_closed(open_page: Open, program: Dashboard) -> None:
    with connected(program.address(), "/chat") as client:
        client.close(4321, "bored")
    tab = open_page()

    tab.press("[data-view=closes]")
    tab.wait_for("h1", "Closes")
    tab.press_keys("#closes-text", "bored")
    tab.wait_for(".rows .row", "bored")
    tab.run("document.querySelector('.rows .whole').click()")

    tab.wait_for("h1", "Socket gateway|")
    tab.wait_for("main", "4321")
    assert "the client" in tab.text("main")


def test_which_process_has_a_growing_inbox(open_page: Open, program: Dashboard) -> None:
    tab = open_page("processes?order=growth")
    wait_for_rows(tab)

    assert http(program.address(), "/fill")[0] == 200

    tab.wait_for(".rows .row .c-number", "25")
    tab.wait(lambda: tab.find(".rows .row.busy"), "a row that says it grows")


def test_which_view_blocks_the_hub(open_page: Open, program: Dashboard) -> None:
    assert http(program.address(), "/block")[0] == 200
    tab = open_page()

    tab.press("[data-view=log]")

    tab.wait_for(".log .hub", "has kept the hub busy")
    tab.press(".log .hub summary")
    assert any("in block" in stack for stack in tab.texts(".log .hub pre"))


def test_what_this_user_says(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    my_socket(tab)
    tab.wait_for("main", "Live traffic")
    tab.wait_for("main", "ws.message")

    client.send("hello <b>there</b>")

    assert client.recv() == "hello <b>there</b>"
    tab.wait_for(".traffic .in .said", "hello <b>there</b>")
    tab.wait_for(".traffic .out .said", "hello <b>there</b>")
    assert tab.texts(".traffic .said b") == []


def test_what_a_process_without_a_socket_is_sent(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page("processes?text=room%3Aops&order=oldest")
    tab.wait(lambda: len(rows(tab)) == 1 and "room:ops" in tab.text(".rows .row"), "the room")
    tab.run("document.querySelector('.rows .whole').click()")
    tab.wait_for("main", "Live messages")
    tab.wait_for("main", "room:ops")

    follow(tab, "Send…")
    confirm(tab, topic="ops.restart", payload='{"at": "03:00", "token": "hush"}')

    tab.wait_for(".traffic .in .said", "{'at': '03:00', 'token': '***'}")
    assert tab.text(".traffic .in .way") == "from nobody"
    follow(tab, "Pause")
    tab.wait_for("main", "Look again")


def test_what_another_node_does(open_page: Open, other_node: Dashboard) -> None:
    tab = open_page()

    tab.press("[data-view=cluster]")
    tab.wait_for("h1", "Cluster")
    tab.wait(lambda: tab.texts("main a[href*='sockets?node=']"), "what the other node tells")
    assert "connected" in tab.text("main")
    tab.press_keys("main a[href*='sockets?node=']", Keys.ENTER)

    tab.wait_for("h1", "Sockets of ")
    tab.wait_for(".rows .c-path", "/chat")
    tab.run("document.querySelector('.rows .whole').click()")
    tab.wait_for("main", "The page of its own node shows what goes over it.")
    assert tab.texts(".buttons button") == ["Kill…"]
    follow(tab, "room:tea")
    tab.wait_for("h1", "Process ")
    tab.wait_for("main", "tests.dashboard.demo_app:Room")
    tab.wait_for("main", "The page of its own node shows its messages.")


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_a_cluster_of_two_fits_every_screen(
    open_page: Open, other_node: Dashboard, width: int
) -> None:
    tab = open_page("cluster")
    tab.wait(lambda: tab.texts("main a[href*='sockets?node=']"), "what the other node tells")

    tab.emulate(width=width, height=844, scheme="light")

    assert tab.run("return document.documentElement.scrollWidth") <= width
    assert violations(tab) == []


def test_a_client_is_sent_a_text_and_thrown_out(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    my_socket(tab)

    follow(tab, "Send…")
    confirm(tab, text="you have a minute")
    assert client.recv() == "you have a minute"
    tab.wait_for("#toast", "Sent.")
    follow(tab, "Close…")
    confirm(tab, code="4003", reason="time is over")

    assert client.wait_closed() == (4003, "time is over")
    tab.wait_for("main", "This socket is over")


def test_a_client_is_handed_on(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    my_socket(tab)

    follow(tab, "Transfer…")
    confirm(tab, target="room:ops")

    tab.wait_for("main", "room:ops")


def test_where_a_setting_comes_from(open_page: Open) -> None:
    tab = open_page()

    tab.press("[data-view=settings]")
    tab.wait_for("h1", "Configuration")
    tab.press_keys("#settings-text", "password")

    tab.wait(lambda: len(tab.texts(".rows .row")) == 2, "the passwords of both dashboards")
    assert tab.texts(".rows .c-value").count("***") == 1
    assert "tests/dashboard/demo.yaml:" in "".join(tab.texts(".rows .c-origin"))
    assert "environment DASHBOARD_PASSWORD" in "".join(tab.texts(".rows .c-origin"))
    assert PASSWORD not in tab.text("body")


def test_what_is_kept_alive(open_page: Open) -> None:
    tab = open_page("services")

    tab.wait_for("main", "app:rooms")
    assert {"tea", "ops"} <= set(tab.texts("td.first"))


def test_a_password_opens_a_page_that_cannot_act(open_page: Open) -> None:
    tab = open_page(path="_guarded")
    tab.press_keys("#password", "not this one" + Keys.ENTER)
    tab.wait_for("#problem", "This is not the password.")

    tab.press_keys("#password", PASSWORD + Keys.ENTER)
    tab.wait_for("#state-text", "Live")

    assert tab.texts("main button.dangerous") == []
    follow(tab, "Sign out")
    tab.wait(lambda: tab.find("#password"), "the door")


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

    def focused() -> str:
        return str(
            tab.run(
                "const e = document.activeElement;"
                "return e.ariaLabel || e.labels?.[0]?.textContent || e.textContent.trim()"
            )
        )

    seen = []
    for _ in range(20):
        tab._driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(focused())
    assert seen[0] == "Skip to what is shown"
    assert [each for each in seen if each in ("Sockets", "Configuration", "Drain this worker…")]

    tab.press_keys("[data-view=sockets]", Keys.ENTER)
    wait_for_rows(tab)
    # Whoever hears the page is told that there is another view.
    assert focused() == "Sockets"
    tab.press_keys(".rows .whole", Keys.ENTER)
    tab.wait_for("h1", "Socket gateway|")
    assert focused().startswith("Socket gateway|")


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


def go(tab: Tab, view: str) -> None:
    """Go to a view and wait until it is there."""
    tab.run("location.hash = arguments[0]", f"#/{view}")
    tab.wait(lambda: shows(tab, view), view)


def console(driver: Any) -> list[dict[str, object]]:
    """Return what the page has said to the console since the last time."""
    found: list[dict[str, object]] = driver.get_log("browser")
    return found


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
