"""The address of an engine, and the engine it names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from greenrelay.cluster.address import Address, parse_address, redacted
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.local import LocalEngine
from greenrelay.cluster.nats.credentials import Credentials
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.errors import EngineError


def test_local_has_no_server() -> None:
    assert parse_address("local").is_local
    assert isinstance(engine_at("local", "app"), LocalEngine)
    assert isinstance(engine_at("nats://host", "app"), NatsEngine)


def test_an_address_has_servers_and_who_one_is() -> None:
    address = parse_address("nats://user:p%40ss@host:4223,host2,[::1]:1")

    assert address.servers == (("host", 4223), ("host2", 4222), ("::1", 1))
    assert address.credentials == Credentials(user="user", password="p@ss")
    assert not address.is_tls
    assert not address.is_local


def test_an_address_has_options() -> None:
    text = "tls://t@host?ca=/ca.pem&cert=/c.pem&key=/k.pem&replicas=3&lease=1m"

    address = parse_address(text)

    assert address == Address(
        shown="tls://***@host?ca=/ca.pem&cert=/c.pem&key=/k.pem&replicas=3&lease=1m",
        servers=(("host", 4222),),
        is_tls=True,
        credentials=Credentials(token="t"),
        ca="/ca.pem",
        cert="/c.pem",
        key="/k.pem",
        replicas=3,
        lease=60.0,
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'it must be "local", "nats://'),
        ("Local", 'it must be "local"'),
        ("redis://host", 'it must be "local"'),
        ("nats://", "server is ''"),
        ("nats://a,,b", "server is ''"),
        ("nats://host:x", "server is 'host:x'; it must look like \"host:4222\""),
        ("nats://ho st", "server is 'ho st'"),
        ("nats://::1", "server is '::1'"),
        ("nats://a..b", "server is 'a..b'; it must look like"),
        ("nats://.a", "server is '.a'"),
        (f"nats://{'a' * 64}", "server is 'aaa"),
        ("nats://host:0", "port of 'host:0' is 0; it must be in 1-65535"),
        ("nats://host:70000", "port of 'host:70000' is 70000"),
        ("nats://host?x=1", "option 'x' is unknown; known: ca, cert, creds, key, lease"),
        ("nats://host?ca=", "ca is empty; it must be a file"),
        ("nats://host?ca=a&ca=b", "option 'ca' is there twice"),
        ("nats://host?cert=a", "cert and key: the one needs the other"),
        ("nats://host?creds=a&nkey=b", "creds and nkey: one of them is enough"),
        ("nats://u:p@host?nkey=b", "a user and a file with a key; one of them is enough"),
        ("nats://host?replicas=2", "replicas is '2'; it must be 1, 3 or 5"),
        ("nats://host?lease=1s", "lease is '1s'; it must be whole seconds from 2s to 1h"),
        ("nats://host?lease=2500ms", "lease is '2500ms'"),
        ("nats://host?lease=soon", "duration 'soon'"),
        ("nats://u:p@a,nats://u:p@b", 'a "@" in a user or password must be written "%40"'),
        ("nats://u:p@a,v:q@b", "they stand once, before all servers"),
        ("nats://u:p?w@host", 'a "?" in a user or password must be written "%3F"'),
        ("nats://u:4222?w@host", 'a "?" in a user or password must be written "%3F"'),
    ],
)
def test_a_wrong_address_is_told_with_what_is_allowed(text: str, why: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_address(text)

    assert str(caught.value).startswith(f"cluster engine {redacted(text)}: ")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "nats://u:secret@h:x",
        "nats://secret@h:x",
        "x://u:secret@h",
        "u:secret@h:4222",
        "nats:/u:secret@h",
        "nats:u:secret@h",
        "nats://u:sec?secret@h:4222",
        "nats://u:secret?@h",
        "nats://u:a://secret@h:x",
    ],
)
def test_no_error_shows_a_password(text: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_address(text)

    assert "secret" not in str(caught.value)
    assert "secret" not in repr(caught.value)
    assert "secret" not in repr(parse_address("nats://u:secret@h"))


def test_the_engine_local_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from greenrelay.cluster.engines import engine_at\n"
        "engine_at('local', 'app')\n"
        "try: engine_at('nats://h', 'app')\n"
        "except Exception as error: print(error)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    said = "cluster engine nats://h: msgspec is missing: pip install 'greenrelay[cluster]'\n"
    assert done.stdout == said
