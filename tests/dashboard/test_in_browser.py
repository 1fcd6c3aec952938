"""The questions of three in the morning, and what one does about the answers, in a real browser.

Source: Operations, "Dashboard"; how the terminal answers them is in
``tests/cli/test_three_at_night.py``.
"""

from __future__ import annotations

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys

from tests.app.tab import Tab
from tests.dashboard.browsing import (
    Hand,
    Open,
    confirm,
    focused,
    follow,
    go,
    my_socket,
    rows,
    wait_for_rows,
)
from tests.dashboard.program import PASSWORD, Dashboard
from tests.serving import WebSocketClient, connected, http


def test_who_is_connected_to_this_room(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    hand = Hand(tab)

    hand.press("[data-view=processes]")
    tab.wait_for("h1", "Processes")
    hand.search("#process-text", "room:tea", "room:tea")
    hand.press(".rows .whole")
    hand.follow("who is connected to it")

    tab.wait_for("h1", "Sockets")
    tab.wait_for(".rows .row", "/chat")
    # What a program says of its users is text, whatever is in it.
    assert tab.text(".rows .c-user") == "<i>ada</i>"
    assert hand.presses == 3


def test_why_this_socket_has_closed(open_page: Open, program: Dashboard) -> None:
    with connected(program.address(), "/chat") as client:
        client.close(4321, "bored")
    tab = open_page()
    hand = Hand(tab)

    hand.press("[data-view=closes]")
    tab.wait_for("h1", "Closes")
    tab.press_keys("#closes-text", "bored")
    tab.wait_for(".rows .row", "bored")
    hand.press(".rows .whole")

    tab.wait_for("h1", "Socket gateway|")
    tab.wait_for("main", "4321")
    assert "the client" in tab.text("main")
    assert hand.presses == 2


def test_which_process_has_a_growing_inbox(open_page: Open, program: Dashboard) -> None:
    tab = open_page()
    hand = Hand(tab)

    hand.press("[data-view=processes]")
    hand.choose("#process-order", "inbox grows fastest")
    wait_for_rows(tab)
    assert http(program.address(), "/fill")[0] == 200

    tab.wait_for(".rows .row .c-number", "25")
    tab.wait(lambda: tab.find(".rows .row.busy"), "a row that says it grows")
    assert hand.presses == 3


def test_which_view_blocks_the_hub(open_page: Open, program: Dashboard) -> None:
    assert http(program.address(), "/block")[0] == 200
    tab = open_page()
    hand = Hand(tab)

    hand.press("[data-view=log]")

    said = "a request that is no process (GET /block) has kept the hub busy"
    # A machine that has much to do may have reported something else since.
    tab.wait(lambda: any(said in each for each in tab.texts(".log .hub")), "what has blocked it")
    hand.press(".log .hub summary")
    assert any("in block" in stack for stack in tab.texts(".log .hub pre"))
    assert hand.presses == 2


def test_what_this_user_says(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    hand = Hand(tab)
    hand.press("[data-view=sockets]")
    hand.search("#filter-text", "ada", "/chat")
    hand.press(".rows .whole")
    tab.wait_for("main", "Live traffic")
    tab.wait_for("main", "ws.message")
    tab.wait_for("main", "0, 0 B, the last never")

    client.send("hello <b>there</b>")

    assert client.recv() == "hello <b>there</b>"
    tab.wait_for(".traffic .in .said", "hello <b>there</b>")
    tab.wait_for(".traffic .out .said", "hello <b>there</b>")
    tab.wait_for("main", "ago")
    assert tab.texts(".traffic .said b") == []
    assert hand.presses == 2


def test_how_everybody_is_moved_off_this_worker(open_page: Open, driver: WebDriver) -> None:
    with Dashboard() as other, connected(other.address(), "/chat") as client:
        tab = Tab(driver, f"http://{other.address()}/_greenrelay/#/overview")
        hand = Hand(tab)

        hand.follow("Drain this worker…")
        hand.press("#dialog button[type=submit]")

        assert client.wait_closed()[0] == 1012
        assert hand.presses == 2


def test_how_this_one_is_thrown_out(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page()
    hand = Hand(tab)

    hand.press("[data-view=sockets]")
    hand.search("#filter-text", "ada", "/chat")
    socket = tab.text(".rows .whole")
    hand.press(".rows .c-end button")
    assert f"{socket} of <i>ada</i> at /chat" in tab.text("#dialog")
    hand.press("#dialog button[type=submit]")

    assert client.wait_closed() == (1000, "")
    tab.wait_for("#toast", "Closing with 1000.")
    assert hand.presses == 3


def test_where_a_setting_comes_from(open_page: Open) -> None:
    tab = open_page()
    hand = Hand(tab)

    hand.press("[data-view=settings]")
    tab.wait_for("h1", "Configuration")
    tab.press_keys("#settings-text", "password")

    tab.wait(lambda: len(tab.texts(".rows .row")) == 2, "the passwords of both dashboards")
    assert tab.texts(".rows .c-value").count("***") == 1
    assert "tests/dashboard/demo.yaml:" in "".join(tab.texts(".rows .c-origin"))
    assert "environment DASHBOARD_PASSWORD" in "".join(tab.texts(".rows .c-origin"))
    assert PASSWORD not in tab.text("body")
    assert hand.presses == 1


def test_one_is_thrown_out_by_keyboard(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page("sockets?path=%2Fchat&order=newest")
    tab.wait(lambda: len(rows(tab)) == 1, "the socket")
    socket = tab.text(".rows .whole")

    tab.press_keys(".rows .whole", Keys.TAB)
    assert focused(tab) == f"Close… {socket}"
    tab.press_keys(":focus", Keys.ENTER)
    tab.wait(lambda: focused(tab) == "Code", "the dialog")
    tab.press_keys("#field-reason", "by hand" + Keys.ENTER)

    assert client.wait_closed() == (1000, "by hand")
    # The row goes with the socket, and whoever has pressed its button is left at the list.
    tab.wait(lambda: not rows(tab), "an empty list")
    assert tab.run("return document.activeElement.className") == "list"


def test_what_closes_already_can_only_be_killed(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page("sockets?path=%2Fchat&order=newest")
    tab.wait(lambda: len(rows(tab)) == 1, "the socket")

    follow(tab, "Close…")
    confirm(tab, reason="enough")

    # The client does not answer the close frame.
    tab.wait(lambda: tab.texts(".rows .c-end button") == ["Kill…"], "that it can be killed")
    assert tab.text(".rows .c-state") == "closing"


def test_a_page_cannot_throw_itself_out(open_page: Open) -> None:
    tab, other = open_page("sockets?path=_greenrelay"), open_page("sockets?path=_greenrelay")

    wait_for_rows(other, 2)

    mine = str(tab.run("return document.querySelector('#node').title")).split()[2]
    tab.wait(lambda: mine in rows(tab) and len(rows(tab)) > 1, "the sockets of both pages")
    buttons = tab.texts(".rows .c-end")
    assert [bool(each) for each in buttons] == [each != mine for each in rows(tab)]


def test_a_list_on_a_phone_has_no_button(open_page: Open, client: WebSocketClient) -> None:
    tab = open_page("sockets?path=%2Fchat&order=newest")
    tab.wait_for(".rows .c-end button", "Close…")

    tab.emulate(width=390, height=844, scheme="light")

    tab.wait(lambda: not tab.find(".rows .c-end button").is_displayed(), "no button")
    tab.press(".rows .whole")
    tab.wait_for(".buttons", "Close…")


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
    assert tab.texts(".rows .c-end button") == ["Kill…"]
    tab.run("document.querySelector('.rows .whole').click()")
    tab.wait_for("main", "The page of its own node shows what goes over it.")
    assert tab.texts(".buttons button") == ["Kill…"]
    follow(tab, "room:tea")
    tab.wait_for("h1", "Process ")
    tab.wait_for("main", "tests.dashboard.demo_app:Room")
    tab.wait_for("main", "The page of its own node shows its messages.")


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
    go(tab, "sockets")
    wait_for_rows(tab)
    assert tab.texts("main .c-end") == []
    follow(tab, "Sign out")
    tab.wait(lambda: tab.find("#password"), "the door")
