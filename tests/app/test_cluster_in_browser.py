"""The demo on several workers, used by people whose tabs are connected to different ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys

from greenrelay.cluster.server import DevelopmentServer
from tests.app.demo import APP, GUNICORN, RUN, Demo, workers
from tests.app.tab import Tab
from tests.probe import wait_for

WORKERS = 4
OpenTab = Callable[..., Tab]
# Never opens, so that who has lost a connection stays away.
CUT_OFF = "window.WebSocket = class { close() {} }"


@pytest.fixture(scope="module", params=["run", "gunicorn"])
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """Four workers that are one system: of the command of ours, and of gunicorn."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GREENRELAY_RUN_DIR", str(tmp_path_factory.mktemp("run", numbered=True)))
    with DevelopmentServer() as engine:
        env = {"GREENRELAY_CLUSTER": engine.url, "GREENRELAY_ADMIN": "1"}
        commands = {
            "run": ([*RUN, "--workers", str(WORKERS)], {}),
            "gunicorn": ([*GUNICORN, "-k", "gevent", "-w", str(WORKERS), APP], env),
        }
        try:
            with Demo(*commands[request.param]) as demo:
                wait_for(lambda: len(workers()) == WORKERS, timeout="60s")
                yield demo
        finally:
            patch.undo()
    assert demo.wait() == 0


@pytest.fixture
def open_tab(system: Demo, windows: WebDriver) -> OpenTab:
    """Opens a window and comes in, on another worker than a tab that is there."""

    def open_one(nick: str, room: str, elsewhere_than: Tab | None = None) -> Tab:
        while True:
            tab = Tab(windows, system.url).join(nick, room)
            if elsewhere_than is None or node_of(tab) != node_of(elsewhere_than):
                return tab
            tab.close()

    return open_one


def node_of(tab: Tab) -> str:
    """Return the node whose process a tab is connected to: of each worker its own."""
    return tab.text("#my-pid")[1:].partition("@")[0]


def kill_worker_of(tab: Tab) -> None:
    os.kill(workers()[node_of(tab)], signal.SIGKILL)


def test_people_on_two_workers_see_each_other_come_write_and_speak(
    open_tab: OpenTab, screenshots: Path
) -> None:
    ann = open_tab("Ann", "tea")
    ben = open_tab("Ben", "tea", elsewhere_than=ann)

    ann.wait_for_people("Ann", "Ben")
    ben.wait_for_people("Ann", "Ben")
    ann.wait_for("#lines", "Ben came in")
    ann.wait_for("#rooms [data-room=tea] .count", "2")
    ben.type("Hello from another worker")
    ann.wait_for("#typing", "Ben is writing")
    ben.type(Keys.ENTER)
    ann.wait_for_message("Hello from another worker")
    ann.take_screenshot(screenshots / "two-workers.png")
    assert ann.texts("#people .far") == [node_of(ben).rpartition(".")[2]]
    assert ann.text("#room-pid") != ben.text("#room-pid")


def test_who_was_on_a_killed_worker_vanishes(open_tab: OpenTab, screenshots: Path) -> None:
    ann = open_tab("Ann", "lost")
    ben = open_tab("Ben", "lost", elsewhere_than=ann)
    ann.wait_for_people("Ann", "Ben")
    ben.run(CUT_OFF)

    kill_worker_of(ben)

    ann.wait_for_people("Ann")
    ann.wait_for("#lines", "Ben: lost, with a whole worker")
    ann.wait_for("#rooms [data-room=lost] .count", "1")
    ann.take_screenshot(screenshots / "worker-killed.png")
    ben.take_screenshot(screenshots / "own-worker-killed.png")
    ann.say("I am still here")
    ann.wait_for_message("I am still here")
    assert ann.text("#sockets") == "1"
    assert ann.text("#last-close") == "none"


def test_who_has_lost_his_worker_comes_back_on_another(open_tab: OpenTab) -> None:
    ann = open_tab("Ann", "back")
    ben = open_tab("Ben", "back", elsewhere_than=ann)
    ann.say("Said before")
    ben.wait_for_message("Said before")
    lost = node_of(ben)

    kill_worker_of(ben)

    ben.wait(lambda: node_of(ben) != lost, "another worker")
    ben.wait_for("#state-text", "Online")
    ben.wait_for_message("Said before")
    ann.wait_for_people("Ann", "Ben")
    ben.say("Back again")
    ann.wait_for_message("Back again")
    assert ann.text("#sockets") == "1"


def test_who_comes_late_sees_what_was_said_on_another_worker(open_tab: OpenTab) -> None:
    ann = open_tab("Ann", "late")
    ann.say("Early")
    ann.wait_for_message("Early")

    ben = open_tab("Ben", "late", elsewhere_than=ann)

    assert ben.messages() == ["Early"]
    assert ben.texts("#lines .who strong") == ["Ann"]


def test_who_is_kicked_from_another_worker_is_gone(open_tab: OpenTab) -> None:
    ann = open_tab("Ann", "kick")
    ben = open_tab("Ben", "kick", elsewhere_than=ann)
    ann.wait_for_people("Ann", "Ben")

    ann.press("[aria-label='Kick Ben']")

    ben.wait_for("#state-text", "Closed 4001")
    ann.wait_for_people("Ann")


def test_a_crash_is_one_of_the_whole_room(open_tab: OpenTab) -> None:
    ann = open_tab("Ann", "crash")
    ben = open_tab("Ben", "crash", elsewhere_than=ann)
    ann.wait_for_people("Ann", "Ben")

    ann.press("#crash")

    for tab in (ann, ben):
        tab.wait_for("#last-close", "1011 target failed")
        tab.wait_for("#state-text", "Online")
        tab.wait_for_people("Ann", "Ben")
        tab.wait_for("#lines", "This room has crashed once")
