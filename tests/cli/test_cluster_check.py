"""Source: Cluster, "The engine": ``greenrelay cluster check``."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenrelay.cli.cluster import ALLOWED_SKEW, _look_at_clock
from greenrelay.cluster.local import LocalEngine
from greenrelay.cluster.server import DevelopmentServer
from tests.cli.commands import Done, greenrelay
from tests.cluster.far import Far

# One that tells nobody of closed connections.
SILENT = """
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
log_file: "{folder}/log"
jetstream: {{ store_dir: "{folder}/jetstream" }}
authorization: {{ user: "{user}", password: "{password}" }}
"""
ENTRIES = '- {name: system, kind: cluster, engine: "${env:ENGINE|local}", app: test}\n'


def check(folder: Path, engine: str = "local") -> Done:
    """Check the engine at an address."""
    (folder / "config.yaml").write_text(ENTRIES)
    return greenrelay("cluster", "check", str(folder / "config.yaml"), env={"ENGINE": engine})


def test_everything_that_nodes_need_is_tried(tmp_path: Path) -> None:
    """greenrelay cluster check tests connection, permissions, version, KV, events, clock skew."""
    with DevelopmentServer() as server:
        done = check(tmp_path, server.url)

    assert done.status == 0, done.err
    assert done.out.splitlines() == [
        "ok     connection, with version, permissions and JetStream",
        "ok     taking a name",
        "ok     giving it back",
        "ok     the server's clock",
        "ok     news of a connection that ends",
        "0 nodes of 'test' are there",
    ]


def test_nodes_are_listed_and_see_nothing_of_it(tmp_path: Path) -> None:
    with (
        DevelopmentServer() as server,
        Far(tmp_path / "told", server.url, "test", "far") as far,
    ):
        done = check(tmp_path, server.url)

        assert done.status == 0, done.err
        assert done.out.endswith(f"node   {far.pid.node}\n1 node of 'test' is there\n")
        # It is told of every node that comes, before this.
        far.do("whereis", "nobody")
        far.wait_for("whereis nobody None")
        assert far.all_told("up") == far.all_told("down") == []


def test_a_server_that_tells_nothing_of_closed_connections_is_a_warning(tmp_path: Path) -> None:
    with DevelopmentServer(configuration=SILENT) as server:
        done = check(tmp_path, server.url)

    assert done.status == 0, done.err
    warning = "none comes from the server: a dead node is noticed after 2 s only"
    assert f"warn   news of a connection that ends: {warning}\n" in done.out


def test_the_engine_local_is_nothing_to_check(tmp_path: Path) -> None:
    done = check(tmp_path)

    assert done.status == 1
    assert done.out == ""
    assert done.err == (
        f"wrong  {tmp_path}/config.yaml:1:33: cluster \"app:system\": engine: is 'local', which "
        "connects nothing; put one into the environment variable ENGINE, such as "
        "nats://user:pass@host\n"
    )


def test_an_engine_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    done = check(tmp_path, "nats://127.0.0.1:1")

    assert done.status == 1
    assert done.err.startswith(
        "wrong  connection, with version, permissions and JetStream: "
        "cluster engine nats://127.0.0.1:1: "
    )


def test_a_port_that_is_none_is_refused() -> None:
    done = greenrelay("cluster", "dev", "--port", "99999")

    assert done.status == 2
    assert "99999 is not in the range 0<=x<=65535" in done.err


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    with DevelopmentServer() as server:
        done = check(tmp_path, server.url.replace(server.password, "secret"))

    assert done.status == 1
    assert "Authorization Violation" in done.err
    assert "secret" not in done.err


class Ahead(LocalEngine):
    """An engine whose server's clock is some seconds ahead of ours."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def skew(self) -> float:
        return self._seconds


@pytest.mark.parametrize(("skew", "how"), [(5.0, "5.0 s ahead of"), (-5.0, "5.0 s behind")])
def test_a_clock_that_is_wrong_is_a_warning(skew: float, how: str) -> None:
    warning = _look_at_clock(Ahead(skew))

    assert warning.startswith(f"it is {how} this machine's; 1 s at most")


def test_a_clock_that_is_nearly_right_is_none() -> None:
    assert _look_at_clock(Ahead(ALLOWED_SKEW)) == ""
