"""TLS, who may connect, and what a node may do: against servers that are set up for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import greenrelay as gr
from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError
from tests.certificate import certificate_in
from tests.cluster import lab
from tests.cluster.joined import mesh_of
from tests.cluster.keys import ACCOUNT, OPERATOR, make_key
from tests.cluster.recorder import Node, Recorder, meet
from tests.cluster.test_nats_client import Owner
from tests.docs import DOCS
from tests.probe import Probe, assert_event, assert_receive, wait_for

HEAD = """
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
log_file: "{folder}/log"
jetstream: {{ store_dir: "{folder}/jetstream" }}
"""

Serve = Callable[[str], str]
JoinAt = Callable[..., Node]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with a configuration, and return ``127.0.0.1:PORT``."""
    with ExitStack() as stack:

        def serve(configuration: str) -> str:
            text = HEAD + configuration.replace("{", "{{").replace("}", "}}")
            server = stack.enter_context(DevelopmentServer(configuration=text))
            return f"127.0.0.1:{server.port}"

        yield serve


@pytest.fixture
def join_at() -> Iterator[JoinAt]:
    """Start an engine at an address."""
    engines: list[NatsEngine] = []

    def join(url: str, node: str = "a", app: str = "chat") -> Node:
        engine, sink = NatsEngine(parse_address(url), app), Recorder()
        engines.append(engine)
        engine.start(Member(node, "i1"), sink)
        return Node(engine, sink)

    yield join
    for engine in engines:
        engine.stop()


def test_tls_with_the_authority_of_the_address(
    serve: Serve, join_at: JoinAt, tmp_path: Path
) -> None:
    cert, key = certificate_in(tmp_path)
    where = serve(f'tls: {{ cert_file: "{cert}", key_file: "{key}" }}')

    a = join_at(f"tls://{where}?ca={cert}", "a")
    # A server that wants TLS gets it, whatever the address says.
    b = join_at(f"nats://{where}?ca={cert}", "b")

    meet(a, b)
    a.engine.send("b", b"x" * 1_000_000)
    wait_for(lambda: b.sink.data() == [b"x" * 1_000_000])
    assert a.engine.claim("n", "pa") == "pa"


def test_a_certificate_nobody_vouches_for_is_refused(
    serve: Serve, join_at: JoinAt, tmp_path: Path
) -> None:
    cert, key = certificate_in(tmp_path)
    where = serve(f'tls: {{ cert_file: "{cert}", key_file: "{key}" }}')

    with pytest.raises(EngineError, match=r"TLS: .*certificate verify failed"):
        join_at(f"tls://{where}")


def test_a_certificate_for_another_host_is_refused(
    serve: Serve, join_at: JoinAt, tmp_path: Path
) -> None:
    cert, key = certificate_in(tmp_path)
    where = serve(f'tls: {{ cert_file: "{cert}", key_file: "{key}" }}')

    with pytest.raises(EngineError, match=r"TLS: .*Hostname mismatch"):
        join_at(f"tls://localhost:{where.partition(':')[2]}?ca={cert}")


def test_a_client_certificate_is_shown(serve: Serve, join_at: JoinAt, tmp_path: Path) -> None:
    cert, key = certificate_in(tmp_path)
    files = f'cert_file: "{cert}", key_file: "{key}", ca_file: "{cert}"'
    where = serve(f"tls: {{ {files}, verify: true }}")

    assert join_at(f"tls://{where}?ca={cert}&cert={cert}&key={key}").engine.nodes() == ()
    with pytest.raises(EngineError):
        join_at(f"tls://{where}?ca={cert}", "b")


def test_a_server_without_tls_is_refused_where_the_address_wants_it(
    serve: Serve, join_at: JoinAt
) -> None:
    with pytest.raises(EngineError, match="it has no TLS, and the address wants it"):
        join_at(f"tls://{serve('')}")


def test_a_file_that_is_not_there_is_named(serve: Serve, join_at: JoinAt, tmp_path: Path) -> None:
    cert, key = certificate_in(tmp_path)
    where = serve(f'tls: {{ cert_file: "{cert}", key_file: "{key}" }}')

    with pytest.raises(EngineError, match=r"TLS files /nowhere\.pem: "):
        join_at(f"tls://{where}?ca=/nowhere.pem")
    with pytest.raises(EngineError, match=r"creds '/nowhere\.creds': "):
        join_at(f"tls://{where}?ca={cert}&creds=/nowhere.creds")


@pytest.mark.parametrize("who", ["", "wrong:secret@", "u:wrong@", "token@"])
def test_a_wrong_password_is_refused(serve: Serve, join_at: JoinAt, who: str) -> None:
    where = serve('authorization: { user: "u", password: "p@:/ %" }')

    assert join_at(f"nats://u:p%40%3A%2F %25@{where}").engine.nodes() == ()
    with pytest.raises(EngineError, match="Authorization Violation") as caught:
        join_at(f"nats://{who}{where}", "b")
    assert "secret" not in str(caught.value)


def test_a_token_lets_in(serve: Serve, join_at: JoinAt) -> None:
    where = serve('authorization: { token: "t0ken" }')

    assert join_at(f"nats://t0ken@{where}").engine.nodes() == ()
    with pytest.raises(EngineError, match="Authorization Violation"):
        join_at(f"nats://other@{where}", "b")


def test_a_key_lets_in_and_is_never_sent(serve: Serve, join_at: JoinAt, tmp_path: Path) -> None:
    ours, other = make_key(), make_key()
    where = serve(f"authorization: {{ users: [{{ nkey: {ours.public} }}] }}")
    for name, key in (("ours", ours), ("other", other)):
        (tmp_path / name).write_text(f"{key.seed}\n")

    assert join_at(f"nats://{where}?nkey={tmp_path}/ours").engine.nodes() == ()
    with pytest.raises(EngineError, match="Authorization Violation"):
        join_at(f"nats://{where}?nkey={tmp_path}/other", "b")


def test_a_credentials_file_lets_in(serve: Serve, join_at: JoinAt, tmp_path: Path) -> None:
    operator, account, user = make_key(OPERATOR), make_key(ACCOUNT), make_key()
    # Without the limits an account may do nothing.
    some = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    limits = {**some, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    system = make_key(ACCOUNT)
    tokens = {
        account.public: operator.token(account.public, "account", limits=limits),
        system.public: operator.token(system.public, "account", limits=some),
    }
    preload = ", ".join(f"{public}: {token}" for public, token in tokens.items())
    where = serve(
        f"operator: {operator.token(operator.public, 'operator')}\n"
        f"system_account: {system.public}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {preload} }}"
    )
    token = account.token(user.public, "user", subs=-1, data=-1, payload=-1)
    (tmp_path / "creds").write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )

    a = join_at(f"nats://{where}?creds={tmp_path}/creds")

    assert a.engine.claim("n", "pa") == "pa"


@pytest.mark.parametrize("text", ["", "SU", "nonsense!", make_key(ACCOUNT).seed, "SU" + "A" * 56])
def test_what_is_no_seed_of_a_user_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)

    with pytest.raises(EngineError, match="the seed must "):
        parse_address(f"nats://host?nkey={tmp_path}/key").read_credentials()


def test_an_application_does_not_see_another(
    join_at: JoinAt, nats_server: DevelopmentServer
) -> None:
    a, b = join_at(nats_server.url, "a", "one app"), join_at(nats_server.url, "b", "other app")
    a.engine.claim("n", "pa")

    a.engine.send("b", b"hello")
    a.engine.publish("t", b"hello")
    a.engine.drain()
    b.engine.drain()

    assert a.engine.nodes() == b.engine.nodes() == ()
    assert b.engine.claim("n", "pb") == "pb"
    assert b.sink.frames == []


def test_with_the_permissions_of_the_page_a_node_works_and_can_be_nobody_else(
    serve: Serve, join_at: JoinAt
) -> None:
    text = (DOCS / "cluster/engine.md").read_text()
    block = next(part for part in text.split("```text\n") if "# a node may" in part)
    where = serve(block.partition("```")[0])
    a = join_at(f"nats://a:secret-a@{where}", "a")
    b = join_at(f"nats://b:secret-b@{where}", "b")
    meet(a, b)

    a.engine.send("b", b"hello")
    b.engine.join("t")
    b.engine.drain()
    a.engine.publish("t", b"to all")

    wait_for(lambda: len(b.sink.frames) == 2)
    assert a.engine.claim("n", "pa") == "pa"
    assert b.engine.claim("n", "pb") == "pa"
    a.engine.release("n", "pa")
    assert b.engine.lookup("n") is None
    assert a.engine.counters["refused by the server"] == 0
    _cannot_be_somebody_else(f"nats://a:secret-a@{where}", a, b)
    b.engine.stop()
    a.sink.wait_told("down", "b", "i1", "left")


def test_with_the_permissions_of_the_page_real_nodes_are_one_system(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """a node may subscribe only to its own subject; documented and tested"""
    text = (DOCS / "cluster/engine.md").read_text()
    block = next(part for part in text.split("```text\n") if "# a node may" in part)
    where = serve(block.partition("```")[0])
    with ExitStack() as stack:
        a, b = (
            stack.enter_context(gr.Node(name, cluster=f"nats://{name}:{word}@{where}", app="chat"))
            for name, word in (("a", "secret-a"), ("b", "secret-b"))
        )
        here, there = (stack.enter_context(Probe(node)) for node in (a, b))
        lab.meet(a, there.pid)

        there.do(gr.register, "leader", scope="cluster")
        there.do(gr.join, "room")
        wait_for(lambda: here.do(gr.whereis, "leader") == there.pid)
        wait_for(lambda: here.do(gr.members, "room") == (there.pid,))
        here.do(gr.monitor, there.pid)
        assert here.do(gr.broadcast, "room", "hello") == 1
        assert_receive(there, topic="hello")
        b.terminate(there.pid, "boom")

        assert assert_event(here, kind="EXIT").result.reason == "boom"
        engines = [mesh_of(node).engine for node in (a, b)]
        assert [engine.counters["refused by the server"] for engine in engines] == [0, 0]
    with pytest.raises(EngineError, match="the server forbids it"):
        gr.Node("c", cluster=f"nats://a:secret-a@{where}", app="chat")
    assert "secret-a" not in caplog.text


def test_a_node_may_not_start_where_it_may_send_no_frame(serve: Serve) -> None:
    where = serve(
        "authorization: { users: [{ user: a, password: p, permissions: "
        '{ publish: { deny: ["gr.chat.n.>"] } } }] }'
    )

    with pytest.raises(EngineError, match=r"the server forbids it: .*Publish to .gr\.chat\.n\.a\."):
        gr.Node("a", cluster=f"nats://a:p@{where}", app="chat")


def test_what_the_server_forbids_is_said_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    where = serve(
        "authorization: { users: [{ user: a, password: p, permissions: "
        '{ publish: { deny: ["no.>"] } } }] }'
    )
    client = Client(parse_address(f"nats://a:p@{where}"), Owner())
    client.start()

    for _ in range(5):
        client.publish(b"no.way", b"")
    client.publish(b"no.other", b"")
    client.flush(5)
    client.stop()

    assert client.counters["refused by the server"] == 6
    assert len(client.refusals) == 2
    said = [each.getMessage() for each in caplog.records if "Permissions" in each.getMessage()]
    assert len(said) == 2


def _cannot_be_somebody_else(url: str, a: Node, b: Node) -> None:
    thief = Client(parse_address(url), Owner())
    thief.inbox = b"gr.chat.n.a.i2.r"
    heard: list[object] = []
    thief.start()
    thief.subscribe(b"gr.chat.n.b.>", heard.append)
    thief.subscribe(b"gr.>", heard.append)
    thief.command(wire.publish(b"gr.chat.n.b.i1.f.z.1", b"as z"))
    thief.command(wire.publish(b"gr.chat.b.b.i1", b"bye"))
    thief.flush(5)
    b.engine.drain()
    a.engine.drain()

    refused = [text.partition(" to ")[0] for text in thief.refusals]
    thief.stop()

    kinds = ["Subscription", "Subscription", "Publish", "Publish"]
    assert refused == [f"Permissions Violation for {kind}" for kind in kinds]
    assert len(b.sink.frames) == 2
    assert Member("b", "i1") in a.engine.nodes()
    assert heard == []


def test_a_node_may_not_start_where_it_may_not_listen(serve: Serve, join_at: JoinAt) -> None:
    where = serve(
        "authorization: { users: [{ user: a, password: p, permissions: "
        '{ subscribe: ["gr.chat.b.>"], publish: [">"] } }] }'
    )

    with pytest.raises(
        EngineError, match=r"the server forbids it: .*Subscription to .gr\.chat\.n\.a\."
    ):
        join_at(f"nats://a:p@{where}")


def test_a_node_may_not_start_where_it_may_have_no_names(serve: Serve, join_at: JoinAt) -> None:
    where = serve(
        "authorization: { users: [{ user: a, password: p, permissions: "
        '{ subscribe: [">"], publish: ["gr.chat.>"] } }] }'
    )

    with pytest.raises(EngineError, match=r"the server forbids it: .*STREAM\.INFO"):
        join_at(f"nats://a:p@{where}")


def test_an_account_without_jetstream_is_refused(serve: Serve, join_at: JoinAt) -> None:
    where = serve("accounts: { without: { users: [{ user: a, password: p }] } }")

    with pytest.raises(EngineError, match="there is no JetStream in this account"):
        join_at(f"nats://a:p@{where}")


def test_a_server_without_jetstream_is_refused(join_at: JoinAt) -> None:
    text = HEAD.replace('jetstream: {{ store_dir: "{folder}/jetstream" }}', "")
    with (
        DevelopmentServer(configuration=text) as server,
        pytest.raises(EngineError, match="there is no JetStream in this account"),
    ):
        join_at(f"nats://127.0.0.1:{server.port}")
