"""Server-sent Events Relay, with a browser's own ``EventSource`` at the other end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.browser import chromium
from tests.servers.kinds import SERVERS, address_of
from tests.servers.running import Running, running

# Collects what the page gets, until there is enough of it.
LISTEN = """
const [path, name, count, hand] = arguments;
const source = new EventSource(path);
const seen = [];
source.addEventListener(name, (event) => {
  seen.push([event.data, event.lastEventId]);
  if (seen.length < count) return;
  source.close();
  hand(seen);
});
"""
# Listens, and waits until the job behind it speaks.
HELLO = """
window.source = new EventSource('/events/work');
source.addEventListener('hello', () => arguments[0]());
"""
# How many jobs run, after a second at most.
JOBS = """
fetch('/events/jobs' + arguments[0], {signal: AbortSignal.timeout(1000)})
  .then((answer) => answer.text(), String).then(arguments[1]);
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.set_script_timeout(20)
        yield driver


@pytest.fixture(scope="module", params=["run", "worker", "gevent"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(SERVERS[request.param]) as server:
        yield server
        assert server.stop() == 0
        assert not server.trouble


@pytest.fixture
def page(server: Running, driver: WebDriver) -> WebDriver:
    """A page of the server's own origin."""
    driver.get(f"http://{address_of(server)}/")
    return driver


def test_a_browser_comes_back_and_says_what_it_has_seen(page: WebDriver) -> None:
    """A ``Last-Event-ID`` request header is handed to the target in ``sse.join``"""
    seen = page.execute_async_script(LISTEN, "/events/brief", "seen", 3)

    assert seen == [["None\nü\n", "42"], ["42\nü\n", "43"], ["43\nü\n", "44"]]


def test_a_browser_reads_all_and_then_why_it_ended(page: WebDriver) -> None:
    numbers = page.execute_async_script(LISTEN, "/events/numbers", "number", 100)
    ((reason, last_event_id),) = page.execute_async_script(LISTEN, "/events/numbers", "done", 1)

    assert [data.split()[0] for data, _ in numbers] == [str(number) for number in range(100)]
    assert (reason, last_event_id) == ('{"reason":"target exited"}', "100")


def test_a_tab_that_closes_ends_its_job_within_a_second(page: WebDriver, server: Running) -> None:
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    page.get(f"http://{address_of(server)}/")
    page.execute_async_script(HELLO)
    assert page.execute_async_script(JOBS, "") == "1"

    page.close()
    page.switch_to.window(first)

    assert page.execute_async_script(JOBS, "?most=0") == "0"


def test_what_is_refused_is_an_error_and_no_stream(page: WebDriver) -> None:
    script = """
    const source = new EventSource('/events/private');
    source.onerror = () => arguments[0](source.readyState);
    """

    assert page.execute_async_script(script) == 2
