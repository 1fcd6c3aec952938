"""A node as an OS process that a test leads: ``python -m tests.cluster.far URL APP NAME``.

It reads jobs, a line each with the words of one, runs each as a process, and prints what becomes of
it, a line each. ``Far`` is the test's side of it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import gevent
from gevent.fileobject import FileObject

import greenrelay as gr
from greenrelay.runtime.current import current_node
from tests.cluster.joined import mesh_of
from tests.probe import wait_for

ROOT = Path(__file__).parents[2]
# A program starts while others of the machine do, too.
PATIENCE = 30.0


class Far:
    """A started node; ``pid`` answers calls, ``output`` is what was printed, ``kill`` ends it."""

    def __init__(self, path: Path, url: str, app: str, name: str, *before: str) -> None:
        self.name = name
        self._path = path
        command = [*before, sys.executable, "-m", "tests.cluster.far", url, app, name]
        with path.open("w") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            self.pid = gr.Pid.parse(self.told("ready"))
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    @property
    def output(self) -> list[str]:
        """The lines so far that are complete."""
        return self._path.read_text().split("\n")[:-1]

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def do(self, job: str, *words: object) -> None:
        """Let it run a job."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join([job, *map(str, words)]).encode() + b"\n")
        self._process.stdin.flush()

    def all_told(self, word: str) -> list[str]:
        """Return what has followed ``word``, for each line that begins with it."""
        lines = [line.partition(" ") for line in self.output]
        return [rest for first, _, rest in lines if first == word]

    def told(self, word: str, timeout: float = PATIENCE) -> str:
        """Wait for a line that begins with ``word``; return what follows it there first."""
        wait_for(lambda: self.all_told(word) or self._process.poll() is not None, timeout)
        told = self.all_told(word)
        assert told, f"{self.name} has ended:\n" + "\n".join(self.output)
        return told[0]

    def wait_for(self, line: str, timeout: float = PATIENCE) -> None:
        """Wait until it has printed a line."""
        wait_for(lambda: line in self.output, timeout)


def say(*words: object) -> None:
    """Print a line at once, in one piece."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def answer() -> None:
    """Answer calls with what they ask, for ever, whoever is linked with it ends."""
    gr.set_options(trap_links=True)
    for message in gr.inbox():
        gr.reply(message, message.payload)


def tell_nodes() -> None:
    """Say which nodes come and go, for ever."""
    channel = gr.node_events()
    for node in gr.nodes():
        say("up", node)
    for event in channel:
        say("up" if isinstance(event, gr.NodeUp) else "down", event.node)


def watch(target: str) -> None:
    """Monitor and link a process, and say what is heard of it."""
    gr.set_options(trap_links=True)
    gr.monitor(target)
    gr.link(target)
    say("watches", target)
    for event in gr.events():
        if isinstance(event, (gr.Exit, gr.LinkDown)):
            say("heard", event.kind, event.result.reason)


def own(name: str) -> None:
    """Have a name of the cluster until it is lost."""
    gr.register(name, scope="cluster")
    say("owns", name)
    gr.receive("@name.lost")
    say("lost", name, gr.whereis(name))


def believe(name: str) -> None:
    """Have a name, and say who has it at once after this program has stood still."""
    gr.register(name, scope="cluster")
    # Before it says so, as it may be stopped at once.
    looked_at = time.monotonic()
    say("believes", name)
    while time.monotonic() - looked_at < 1.0:
        looked_at = time.monotonic()
        gevent.sleep(0.001)
    say("found", name, gr.whereis(name))


def whereis(name: str) -> None:
    """Say who has a name."""
    say("whereis", name, gr.whereis(name))


def join(group: str, pid: str = "") -> None:
    """Let a process of this node be a member of a group, or be one for ever."""
    gr.join(group, pid or gr.pid())
    say("joined", group, pid or gr.pid())
    if not pid:
        gr.receive("never")


def work(count: str) -> None:
    """Ask a process of this node so many times."""
    local = gr.spawn(answer)
    numbers = [gr.call(local, "ask", number) for number in range(int(count))]
    gr.terminate(local)
    say("worked", len(numbers))


def ask(target: str, *_: str) -> None:
    """Call a process, and say how that ends."""
    try:
        say("answer", gr.call(target, "ask", "hello", timeout=20))
    except (gr.ProcessDown, gr.Timeout) as error:
        say("no_answer", getattr(error, "reason", "timeout"))


def flood(target: str, rate: str, count: str) -> None:
    """Send numbers at a rate; what is refused for want of room is sent again."""
    begun_at, refused, taken = time.monotonic(), 0, 0
    for number in range(int(count)):
        while True:
            try:
                taken += gr.send(target, "number", number)
                break
            except gr.InboxFull:
                refused += 1
                gevent.sleep(0.01)
        ahead = begun_at + number / float(rate) - time.monotonic()
        if ahead > 0:
            gevent.sleep(ahead)
    say("flooded", taken, refused)


def collect(count: str) -> None:
    """Take so many numbers; say whether they are in order and complete, and what more comes."""
    say("collects", gr.pid())
    numbers = [gr.receive("number").payload for _ in range(int(count))]
    say("collected", numbers == list(range(int(count))))
    for message in gr.inbox():
        say("more", message.payload)


def note() -> None:
    """Say each number that comes, for ever."""
    say("notes", gr.pid())
    for message in gr.inbox():
        say("number", message.payload)


def tables() -> None:
    """Say how many names and groups of others are known here, and processes that are related."""
    mesh = mesh_of(current_node("tables"))
    related = sum(len(link._related) for link in mesh.links.values())
    say("tables", len(mesh.names._owners), len(mesh.groups._there), related)


JOBS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (watch, own, believe, whereis, join, work, ask, flood, collect, note, tables)
}


def main() -> None:
    """Be a node until killed."""
    url, app, name = sys.argv[1:]
    node = gr.Node(name, cluster=url, app=app)
    node.spawn(tell_nodes)
    say("ready", node.spawn(answer))
    for line in FileObject(sys.stdin.fileno(), "rb", closefd=False):
        job, *words = line.decode().split()
        node.spawn(JOBS[job], *words)


if __name__ == "__main__":
    main()
