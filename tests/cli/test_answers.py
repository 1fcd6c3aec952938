"""Source: Operations, "Command line": answers that are long, or of another version."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import greenrelay as gr
from greenrelay.admin.client import AdminError, running
from greenrelay.admin.place import make_folder
from greenrelay.admin.wire import MAX_REQUEST_BYTES, encode
from tests.cli.commands import greenrelay
from tests.program import Program
from tests.servers.running import ROOT

NAMES, CHILDREN = 15_000, 120
SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: named, kind: process.service, process: "tests.cli.test_answers:named"}
- {name: crowd, kind: process.service, process: "tests.cli.test_answers:crowd"}
"""


def named() -> None:
    """Have so many names that they are more than a megabyte."""
    for number in range(NAMES):
        gr.register(f"{number:080}")
    for _ in gr.inbox():
        pass


def crowd() -> None:
    """Supervise more than a list tells of."""
    children = [gr.Child(f"child {each}", "tests.probe:wait") for each in range(CHILDREN)]
    gr.Supervisor(children)()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    return make_folder()


@pytest.fixture
def large(folder: Path, tmp_path: Path) -> Iterator[Program]:
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as started:
        started.wait_for("app:crowd started")
        yield started


@contextmanager
def answering(folder: Path, *answers: bytes) -> Iterator[None]:
    """Be a program, of this process, that answers everything with the same lines."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / f"{os.getpid()}.1.sock"))
        listener.listen()
        serving = threading.Thread(target=_answer, args=(listener, b"".join(answers)), daemon=True)
        serving.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(30)


def _answer(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, client.makefile("rb") as asked:
            # A look whether somebody is here asks nothing.
            if asked.readline():
                client.sendall(answer)


def part(**facts: object) -> bytes:
    return encode({"part": facts})


@pytest.mark.timeout(120)
def test_a_list_has_the_counts_and_the_first_of_what_is_much(large: Program) -> None:
    found = json.loads(greenrelay("ps", "--json").out)

    by_entry = {each["entry"]: each for each in found}
    much = by_entry["tests.cli.test_answers:named"]
    assert (much["name_count"], len(much["names"])) == (NAMES, 100)
    info = json.loads(greenrelay("info", much["pid"], "--json").out)
    assert len(info["names"]) == NAMES
    above = by_entry["tests.cli.test_answers:crowd"]
    counts = [above[name] for name in ("child_count", "link_count", "monitor_count")]
    assert counts == [CHILDREN, CHILDREN + 1, CHILDREN]
    assert [len(above[name]) for name in ("children", "links", "monitors")] == [100] * 3


@pytest.mark.timeout(120)
def test_the_tree_has_all_children_and_not_all_links(large: Program) -> None:
    text = greenrelay("tree").out
    nested = json.loads(greenrelay("tree", "--json").out)[str(large.pid)]

    (head,) = [line for line in text.splitlines() if "test_answers:crowd" in line]
    assert "linked to {" in head
    assert f" and {CHILDREN + 1 - 5} more  monitors {{" in head
    assert len([line for line in text.splitlines() if line.startswith("    {")]) == CHILDREN
    (supervisor,) = [each for each in nested if each["child_count"]]
    assert [len(each["processes"]) for each in supervisor["processes"]] == [0, CHILDREN]


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (("ps",), "host"),
        (("tree",), "supervisor"),
        (("top", "--count", "1"), "depth"),
        (("sockets",), "rtt"),
        (("closes",), "code"),
        (("reports",), "at"),
    ],
)
def test_what_another_version_does_not_tell_is_named(
    folder: Path, command: tuple[str, ...], field: str
) -> None:
    answer = part(pid="{a@b|1}", entry="x", age=1.0, user="")
    with answering(folder, answer, encode({"result": None})):
        done = greenrelay(*command)

    text = f"its answer has no {field!r}: it runs another version of greenrelay\n"
    assert (done.status, done.err) == (1, f"program {os.getpid()}: {text}")


@pytest.mark.parametrize(
    ("command", "answer"),
    [(("info", "a name"), {"pid": "{a@b|1}"}), (("drain",), {}), (("doctor",), {"python": "3"})],
)
def test_that_is_so_for_one_answer_too(
    folder: Path, command: tuple[str, ...], answer: Mapping[str, object]
) -> None:
    with answering(folder, encode({"result": answer})):
        done = greenrelay(*command)

    assert done.status == 1
    assert "its answer has no '" in done.out + done.err


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1]\n", b"{}\n", b'{"a": 1, "b": 2}\n'])
@pytest.mark.parametrize("command", [("ps",), ("doctor",), ("top", "--count", "1")])
def test_an_answer_that_makes_no_sense_is_a_sentence(
    folder: Path, command: tuple[str, ...], line: bytes
) -> None:
    with answering(folder, line):
        done = greenrelay(*command)

    assert done.status == 1
    assert f"program {os.getpid()}: its answer cannot be read: " in done.out + done.err


def test_a_program_that_goes_before_it_has_answered_is_told(folder: Path) -> None:
    with answering(folder, part(pid="{a@b|1}")):
        done = greenrelay("ps")

    text = f"program {os.getpid()} has gone before it had answered\n"
    assert (done.status, done.err) == (1, text)


def test_a_request_that_is_too_long_is_not_sent(folder: Path) -> None:
    # Longer than what one argument of a command may be.
    with answering(folder, encode({"result": {}})):
        (endpoint,) = running()

        with pytest.raises(AdminError, match=f"is too long; {MAX_REQUEST_BYTES} at most"):
            endpoint.ask("send", {"payload": "x" * MAX_REQUEST_BYTES})
