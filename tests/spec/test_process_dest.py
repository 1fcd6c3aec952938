"""The page "Processes", section "Functions", what holds for every row of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import greenrelay as gr
from tests.probe import Probe, assert_receive, settle

FORMS: dict[str, Callable[[gr.Pid], str]] = {
    "pid": lambda pid: pid,
    "text": lambda pid: str(pid),
    "name": lambda pid: "target",
}


def serve() -> None:
    gr.set_options(trap_links=True)
    while True:
        item = gr.receive()
        if isinstance(item, gr.Cancel):
            gr.exit("cancelled")
        if isinstance(item, gr.Message) and item.reply_to is not None:
            gr.reply(item, "answer")


def monitored(dest: str) -> bool:
    gr.monitor(dest)
    return gr.unmonitor(dest) is not None


def linked(dest: str) -> tuple[gr.Pid, ...]:
    gr.link(dest)
    info = gr.info(dest)
    gr.unlink(dest)
    again = gr.info(dest)
    assert info is not None
    assert again is not None
    assert again.links == ()
    return info.links


def joined(dest: str) -> tuple[gr.Pid, ...]:
    gr.join("group", dest)
    return tuple(gr.members("group"))


def named(dest: str) -> gr.Pid:
    gr.register("second", dest)
    return gr.lookup("second")


def shown(dest: str) -> gr.Pid:
    info = gr.info(dest)
    assert info is not None
    return info.pid


ME, TARGET = object(), object()
CALLS: list[tuple[Callable[[str], object], object]] = [
    (lambda dest: gr.send(dest, "topic"), True),
    (lambda dest: gr.send_after("1h", dest, "topic").cancel(), True),
    (lambda dest: gr.call(dest, "ask"), "answer"),
    (monitored, True),
    (linked, (ME,)),
    (joined, (TARGET,)),
    (named, TARGET),
    (shown, TARGET),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("call", "expected"), CALLS)
def test_dest_is_a_pid_its_text_or_a_name_in_every_function(
    node: gr.Node, probe: Probe, form: str, call: Any, expected: object
) -> None:
    """All take a PID, its text, or a registered name wherever `dest` stands."""
    target = node.spawn(serve, name="target")
    settle(node)
    known = {ME: probe.pid, TARGET: target}

    found = probe.do(call, FORMS[form](target))

    if isinstance(expected, tuple):
        assert found == tuple(known[each] for each in expected)
    else:
        assert found == known.get(expected, expected)
    node.terminate(target)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("end", "reason"), [(gr.cancel, "cancelled"), (gr.terminate, "killed")], ids=["cancel", "kill"]
)
def test_dest_of_what_ends_a_process_is_any_of_them(
    node: gr.Node, probe: Probe, form: str, end: Any, reason: str
) -> None:
    """All take a PID, its text, or a registered name wherever `dest` stands."""
    target = probe.do(gr.spawn_monitored, serve, name="target")
    settle(node)

    assert end(FORMS[form](target)) is True

    assert assert_receive(probe, kind="EXIT").result.reason == reason


@pytest.mark.parametrize("duration", [0.001, "1ms", "0.001s"])
@pytest.mark.parametrize(
    "call",
    [
        lambda duration: gr.receive(timeout=duration),
        lambda duration: gr.receive("topic", timeout=duration),
        lambda duration: gr.inbox().receive(timeout=duration),
        lambda duration: gr.events().receive(timeout=duration),
        lambda duration: gr.exec(gr.receive, timeout=duration),
        lambda duration: gr.call("silent", "ask", timeout=duration),
    ],
)
def test_every_timeout_is_seconds_or_text(
    node: gr.Node, duration: float | str, call: Callable[[float | str], object]
) -> None:
    """Durations are seconds or `"250ms"`, `"30s"`, `"1m30s"`, `"2h"`."""
    silent = node.spawn(gr.receive, "never", name="silent")

    with pytest.raises(gr.Timeout, match=r"within 0\.001 s"):
        node.run(call, duration)

    node.terminate(silent)


@pytest.mark.parametrize("duration", [0.001, "1ms"])
def test_a_deadline_and_a_delay_are_seconds_or_text(
    node: gr.Node, probe: Probe, duration: float | str
) -> None:
    """Durations are seconds or `"250ms"`, `"30s"`, `"1m30s"`, `"2h"`."""
    deaf = probe.do(gr.spawn_monitored, gr.receive, "never")

    gr.cancel(deaf, deadline=duration)
    gr.send_after(duration, probe.pid, "later")

    assert assert_receive(probe, kind="EXIT").result.reason == "killed"
    assert assert_receive(probe, topic="later")


def test_taken_names_say_whose_they_are(node: gr.Node, probe: Probe) -> None:
    """`NameTaken(name, owner)`, `UnknownName`, `NotOwner`."""
    probe.do(gr.register, "name")

    with pytest.raises(gr.NameTaken) as caught:
        node.spawn(serve, name="name")

    assert (caught.value.name, caught.value.owner) == ("name", probe.pid)
    probe.do(gr.unregister, "name")
    with pytest.raises(gr.UnknownName, match="name"):
        gr.send("name", "topic")
