"""The demo, run as a person runs it and used by people with a browser.

$GREENRELAY_SCREENSHOTS names the directory for the pictures of the page; by default it is a
temporary one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys

from tests.app.demo import Demo
from tests.app.picture import write_png
from tests.app.tab import Tab

OpenTab = Callable[[str, str], Tab]


@pytest.fixture
def open_tab(demo: Demo, windows: WebDriver) -> OpenTab:
    """Opens a window and comes in."""
    return lambda nick, room: Tab(windows, demo.url).join(nick, room)


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_png(tmp_path_factory.mktemp("picture") / "landscape.png", 1600, 900)


def test_what_ann_says_appears_at_ben(open_tab: OpenTab) -> None:
    ann, ben = open_tab("Ann", "say"), open_tab("Ben", "say")

    ann.say("Hello from Ann")

    ben.wait_for_message("Hello from Ann")
    ann.wait_for_message("Hello from Ann")
    assert ann.texts("#lines .line.mine .text") == ["Hello from Ann"]
    assert ben.texts("#lines .line:not(.mine) .who strong") == ["Ann"]


def test_both_tabs_list_who_is_online(open_tab: OpenTab) -> None:
    ann, ben = open_tab("Ann", "online"), open_tab("Ben", "online")

    ann.wait_for_people("Ann", "Ben")
    ben.wait_for_people("Ann", "Ben")
    ann.wait_for("#rooms [data-room=online] .count", "2")


def test_the_second_ann_gets_a_number(open_tab: OpenTab) -> None:
    first, second = open_tab("Ann", "twins"), open_tab("Ann", "twins")

    first.wait_for_people("Ann", "Ann 2")
    second.wait_for_people("Ann", "Ann 2")


def test_writing_is_shown_until_the_message_comes(open_tab: OpenTab) -> None:
    ann, ben = open_tab("Ann", "typing"), open_tab("Ben", "typing")

    ann.type("Hm")
    ben.wait_for("#typing", "Ann is writing")
    ann.type(Keys.ENTER)

    ben.wait(lambda: not ben.text("#typing"), "nobody writing")
    assert not ann.text("#typing")


def test_who_comes_late_sees_what_was_said(open_tab: OpenTab) -> None:
    ann = open_tab("Ann", "late")
    for text in ("first", "second"):
        ann.say(text)
        ann.wait_for_message(text)

    ben = open_tab("Ben", "late")

    assert ben.messages() == ["first", "second"]


def test_a_picture_arrives_smaller_and_is_displayed(open_tab: OpenTab, landscape: Path) -> None:
    ann, ben = open_tab("Ann", "picture"), open_tab("Ben", "picture")

    ann.send_picture(landscape, caption="Where I grew up")

    for tab in (ben, ann, open_tab("Cleo", "picture")):
        tab.wait_for_message("Where I grew up")
        assert wait_for_picture(tab) == 1280
        assert tab.find("#lines img").get_attribute("alt") == "Where I grew up"


def test_a_file_that_is_no_picture_is_not_sent(open_tab: OpenTab, tmp_path: Path) -> None:
    ann = open_tab("Ann", "no-picture")
    (tmp_path / "notes.txt").write_text("not a picture")

    ann.send_picture(tmp_path / "notes.txt")

    ann.wait_for("#problem", "not a picture")
    assert not ann.messages()


def test_markup_in_a_message_or_a_nick_stays_text(open_tab: OpenTab) -> None:
    ann, ben = open_tab("<img src=x>", "markup"), open_tab("Ben", "markup")

    ann.say("<img src=x onerror=alert(1)>")

    ben.wait_for_message("<img src=x onerror=alert(1)>")
    assert ben.run("return document.querySelectorAll('#lines img, #people img').length") == 0


def test_who_is_kicked_sees_4001_and_stays_out_until_joining_again(open_tab: OpenTab) -> None:
    ann, ben = open_tab("Ann", "kick"), open_tab("Ben", "kick")
    ann.wait_for_people("Ann", "Ben")

    ann.press("[aria-label='Kick Ben']")

    ben.wait_for("#state-text", "Closed 4001")
    assert "4001 kicked by Ann" in ben.text("#banner-text")
    assert "4001 kicked by Ann" in ben.text("#last-close")
    ann.wait_for_people("Ann")
    ben.press("#banner-action")
    ann.wait_for_people("Ann", "Ben")
    assert ben.text("#sockets") == "2"


def test_moving_to_another_room_keeps_the_socket(open_tab: OpenTab) -> None:
    ann, ben, cleo = open_tab("Ann", "from"), open_tab("Ben", "from"), open_tab("Cleo", "to")
    cleo.say("Welcome to this room")
    address = ann.text("#my-pid")
    room = ann.text("#room-pid")

    ann.move("to")

    ann.wait_for("#room-name", "to")
    ann.wait_for_message("Welcome to this room")
    ben.wait_for_people("Ben")
    cleo.wait_for_people("Ann", "Cleo")
    ann.say("Here I am")
    cleo.wait_for_message("Here I am")
    assert "Here I am" not in ben.messages()
    assert ann.text("#sockets") == "1"
    assert ann.text("#my-pid") == address
    assert ann.text("#room-pid") not in ("", room)
    assert ann.text("#last-close") == "none"


def test_a_crash_shows_1011_and_both_tabs_come_back(open_tab: OpenTab, demo: Demo) -> None:
    ann, ben = open_tab("Ann", "crash"), open_tab("Ben", "crash")
    ann.wait_for_people("Ann", "Ben")
    room = ann.text("#room-pid")

    ann.press("#crash")

    for tab in (ann, ben):
        tab.wait_for("#last-close", "1011 target failed")
        tab.wait_for("#state-text", "Online")
        tab.wait_for_people("Ann", "Ben")
        assert tab.text("#sockets") == "2"
        assert tab.text("#room-pid") != room
        tab.wait_for("#lines", "This room has crashed once")
    ben.say("Still there?")
    ann.wait_for_message("Still there?")
    assert any("room crash" in line and "crashed" in line for line in demo.output)


def test_a_closed_tab_is_no_longer_online(open_tab: OpenTab) -> None:
    ann, ben = open_tab("Ann", "close"), open_tab("Ben", "close")
    ann.wait_for_people("Ann", "Ben")

    ben.close()

    ann.wait_for_people("Ann")
    ann.wait_for("#lines", "Ben left")


def test_nothing_a_browser_sends_ends_a_room(open_tab: OpenTab) -> None:
    ann = open_tab("Ann", "nonsense")

    frames = ann.run_async(SEND_NONSENSE, "ws/chat?room=nonsense&nick=Mal")

    assert frames == ["error"] * 7
    ann.wait_for_people("Ann")
    ann.say("Nothing happened")
    ann.wait_for_message("Nothing happened")
    assert ann.text("#last-close") == "none"


def test_the_door_says_what_is_wrong_with_a_name(
    driver: WebDriver, demo: Demo, open_tab: OpenTab
) -> None:
    tab = Tab(driver, demo.url)

    # The browser remembers the nickname of an earlier test.
    tab.find("#nick").clear()
    tab.find("#room").clear()
    tab.find("#room").send_keys("no spaces", Keys.ENTER)

    tab.wait_for("#door-problem", "nickname is needed")
    tab.find("#nick").send_keys("Ann", Keys.ENTER)
    tab.wait_for("#door-problem", "room's name")
    assert not tab.find("#chat").is_displayed()


def test_the_keyboard_is_enough(open_tab: OpenTab, driver: WebDriver) -> None:
    ann, ben = open_tab("Ann", "keys"), open_tab("Ben", "keys")
    ann.wait_for_people("Ann", "Ben")
    ann.focus()
    assert driver.switch_to.active_element.get_attribute("id") == "text"

    tab_to(driver, "Kick Ben")
    ActionChains(driver).send_keys(Keys.ENTER).perform()

    ben.wait_for("#state-text", "Closed 4001")


def test_the_page_looks_well_on_a_desk_and_on_a_phone(
    open_tab: OpenTab, driver: WebDriver, landscape: Path, screenshots: Path
) -> None:
    ann, ben, cleo = (open_tab(nick, "lounge") for nick in ("Ann", "Ben", "Cleo"))
    open_tab("Dora", "tea")
    ann.say("Good evening! Has anyone seen the hills today?")
    ben.wait_for_message("Good evening! Has anyone seen the hills today?")
    ben.send_picture(landscape, caption="From my window, five minutes ago")
    wait_for_picture(ann)
    ben.say("It is a real binary frame, by the way.")
    ann.wait_for_message("It is a real binary frame, by the way.")
    ann.say("And this room is a process. So is my socket.")
    ben.wait_for_message("And this room is a process. So is my socket.")
    cleo.type("Lovely")
    ann.wait_for("#typing", "Cleo is writing")

    ann.emulate(width=1280, height=800, scheme="light")
    ann.take_screenshot(screenshots / "desktop-light.png")
    ben.emulate(width=375, height=812, scheme="dark")
    ben.take_screenshot(screenshots / "phone-dark.png")
    ben.press("#people-toggle")
    ben.take_screenshot(screenshots / "phone-dark-people.png")

    for tab in (ann, ben):
        assert tab.run("return document.documentElement.scrollWidth <= innerWidth")
    ActionChains(driver).send_keys(Keys.ESCAPE).perform()
    ben.wait(lambda: not ben.find("#people-panel").is_displayed(), "the panel to be gone")


def wait_for_picture(tab: Tab) -> int:
    script = "return document.querySelector('#lines img')?.naturalWidth ?? 0"
    return int(tab.wait(lambda: tab.run(script), "a picture"))


def tab_to(driver: WebDriver, label: str) -> None:
    for _ in range(30):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        if driver.switch_to.active_element.get_attribute("aria-label") == label:
            return
    pytest.fail(f"the Tab key does not reach {label!r}")


SEND_NONSENSE = """
const [path, done] = arguments;
const socket = new WebSocket(new URL(path, document.baseURI.replace("http", "ws")));
const types = [];
socket.onopen = () => {
  for (const text of ["", "nonsense", "[]", '{"type": "say", "text": "\\\\ud800"}',
                      "[".repeat(9999), '{"type": "say", "text": "' + "x".repeat(1001) + '"}']) {
    socket.send(text);
  }
  socket.send(new Uint8Array([255, 255, 0]));
};
socket.onmessage = ({ data }) => {
  const { type } = JSON.parse(data);
  if (type === "error") types.push(type);
  if (types.length === 7) socket.close();
};
socket.onclose = () => done(types);
"""
