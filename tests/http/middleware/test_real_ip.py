from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request
from werkzeug.datastructures import Headers

from greenrelay.config.options import option_names, read_options
from greenrelay.errors import ConfigError
from greenrelay.http.middleware.real_ip import RealIpOptions, client_address, parse_address
from greenrelay.web import GreenRelay, real_ip
from tests.docs import DOCS
from tests.serving import http, serving

CLIENT = "203.0.113.7"
PROXY = "10.0.0.1"
DEFAULT = RealIpOptions()
HEADERS = ("True_Client_IP", "X_Real_IP", "X_Forwarded_For")


def address(peer: str = PROXY, options: RealIpOptions = DEFAULT, **headers: Any) -> str | None:
    fields = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return client_address(peer, fields, options)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
    ],
)
def test_an_address_is_read_however_it_is_written(written: str, found: str) -> None:
    assert str(parse_address(written)) == found


@pytest.mark.parametrize(
    "written",
    [
        "",
        "unknown",
        "_hidden",
        "-",
        "203.0.113",
        "203.0.113.256",
        "203.0.113.07",
        "203.0.113.7:",
        "203.0.113.7:x",
        "203.0.113.7:123456",
        "203.0.113.7, 203.0.113.8",
        "203.0.113.7/32",
        "[2001:db8::1",
        "2001:db8::1]:80",
        "[203.0.113.7",
        "2001:db8::g",
        "fe80::1%eth0",
        "[fe80::1%25eth0]:80",
        "proxy.example",
        "٢٠٣.0.113.7",
        "203.0.113.7\x00",
        "<script>",
        "1" * 10_000,
    ],
)
def test_anything_else_is_no_address(written: str) -> None:
    assert parse_address(written) is None


@pytest.mark.parametrize(
    ("listed", "client"),
    [
        # nearest first, from the right
        (CLIENT, CLIENT),
        (f"{CLIENT}, 10.0.0.2, 192.168.1.1", CLIENT),
        (f"{CLIENT},10.0.0.2", CLIENT),
        # What stands further left is the client's word.
        (f"198.51.100.1, {CLIENT}", CLIENT),
        (f"10.0.0.9, {CLIENT}, 10.0.0.2", CLIENT),
        (f"garbage, {CLIENT}, 10.0.0.2", CLIENT),
        # Only proxies: the client is the first of them.
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # Beyond what is no address nobody is vouched for.
        (f"{CLIENT}, garbage, 10.0.0.2", "10.0.0.2"),
        (f"{CLIENT}, , 10.0.0.2", "10.0.0.2"),
        (f"{CLIENT}, unknown", None),
        ("", None),
        (" , ", None),
        # forms
        (f"[2001:db8::1]:443, {PROXY}:80", "2001:db8::1"),
        (f"{CLIENT}, ::ffff:10.0.0.2", CLIENT),
        (f"{CLIENT}, fd00::1, ::1", CLIENT),
    ],
)
def test_forwarded_for_is_read_from_the_right(listed: str, client: str | None) -> None:
    assert address(X_Forwarded_For=listed) == client


def test_the_headers_count_in_their_order() -> None:
    headers: dict[str, Any] = {
        "True_Client_IP": "203.0.113.1",
        "X_Real_IP": "203.0.113.2",
        "X_Forwarded_For": "203.0.113.3",
    }

    found = []
    while headers:
        found.append(address(**headers))
        headers.pop(next(iter(headers)))

    assert found == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]


@pytest.mark.parametrize("garbage", ["", "unknown", "203.0.113.1, 203.0.113.2", "x" * 5000])
def test_one_that_holds_no_address_is_as_good_as_none(garbage: str) -> None:
    assert address(True_Client_IP=garbage, X_Real_IP=garbage, X_Forwarded_For=CLIENT) == CLIENT


# The last is that of a Unix socket.
PRIVATE_PEERS = [
    *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.3.4"),
    *("169.254.1.1", "100.64.0.1", "::1", "fd12::1", "fe80::1", "fe80::1%eth0"),
    *("::ffff:10.0.0.1", ""),
]
OTHER_PEERS = [
    *("203.0.113.1", "172.15.0.1", "172.32.0.1", "11.0.0.1", "100.128.0.1", "2001:db8::1"),
    *("::ffff:203.0.113.1", "::2", "10.0.0.1:80", "garbage"),
]


@pytest.mark.parametrize("peer", PRIVATE_PEERS)
def test_a_peer_on_a_private_network_is_trusted(peer: str) -> None:
    assert address(peer, X_Real_IP=CLIENT) == CLIENT


@pytest.mark.parametrize("peer", OTHER_PEERS)
def test_any_other_peer_is_not(peer: str) -> None:
    headers: dict[str, Any] = dict.fromkeys(HEADERS, CLIENT)

    assert address(peer, **headers) is None


def test_only_what_is_listed_is_trusted() -> None:
    options = RealIpOptions(trusted_subnets=("198.51.100.0/24",))

    assert address("198.51.100.9", options, X_Real_IP=CLIENT) == CLIENT
    assert address("10.0.0.1", options, X_Real_IP=CLIENT) is None
    assert address("", options, X_Real_IP=CLIENT) is None


def test_a_unix_socket_is_trusted_where_this_machine_is() -> None:
    options = RealIpOptions(trusted_subnets=("127.0.0.1/32",))

    assert address("", options, X_Real_IP=CLIENT) == CLIENT


def test_an_empty_list_trusts_nobody() -> None:
    options = RealIpOptions(trusted_subnets=())

    assert [address(peer, options, X_Real_IP=CLIENT) for peer in ("", "127.0.0.1")] == [None, None]


def test_everybody_is_trusted_if_that_is_said() -> None:
    options = RealIpOptions(trusted_subnets=(), trust_all=True)

    assert address("198.51.100.9", options, X_Real_IP=CLIENT) == CLIENT
    assert address("198.51.100.9", options, X_Forwarded_For=f"{CLIENT}, 8.8.8.8") == CLIENT
    assert address("garbage", options, X_Real_IP=CLIENT) is None


def test_without_a_header_nothing_is_known() -> None:
    assert address() is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("10.0.0.0/8, 10.9.9.9", ("10.0.0.0/8", "10.9.9.9/32")),
        (["fd00::/8", "2001:DB8::1"], ("fd00::/8", "2001:db8::1/128")),
        ("10.0.0.0/255.0.0.0", ("10.0.0.0/8",)),
        ("::ffff:10.0.0.0/104", ("10.0.0.0/8",)),
        ("0.0.0.0/0, ::/0", ("0.0.0.0/0", "::/0")),
        ([], ()),
        ("", ()),
    ],
)
def test_subnets_are_read(written: object, read: tuple[str, ...]) -> None:
    options, problems = read_options(RealIpOptions, {"real_ip.trusted.subnets": written})

    assert (options and options.trusted_subnets, problems) == (read, [])


@pytest.mark.parametrize("written", ["10.0.0.0/33", "ten", "10.0.0.0/8/8", "10.0.0", "fd00::/129"])
def test_what_is_no_subnet_is_a_problem_of_the_option(written: str) -> None:
    _, problems = read_options(RealIpOptions, {"real_ip.trusted.subnets": ["::1", written]})

    (problem,) = problems
    assert problem.field == "real_ip.trusted.subnets"
    assert problem.text == (
        f'is ["::1", "{written}"]; "{written}" must be a subnet such as 10.0.0.0/8 or fd00::/8, '
        "or an address"
    )


def test_every_subnet_that_is_none_is_told() -> None:
    _, problems = read_options(RealIpOptions, {"real_ip.trusted.subnets": "ten, ::1, 10.0.0.0/33"})

    (problem,) = problems
    assert '"ten" must be' in problem.text
    assert '"10.0.0.0/33" must be' in problem.text


def test_a_subnet_with_bits_behind_its_prefix_is_one_that_was_mistyped() -> None:
    _, problems = read_options(RealIpOptions, {"real_ip.trusted.subnets": "10.0.0.5/8"})

    assert problems[0].text.endswith("or an address; did you mean 10.0.0.0/8?")


def test_the_decorator_gives_one_view_the_address() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    app.get("/with", endpoint="with")(real_ip()(lambda: f"{request.remote_addr}"))
    app.get("/without", endpoint="without")(lambda: f"{request.remote_addr}")

    with serving(app) as served:
        headers = {"X-Real-IP": CLIENT}
        found = [http(served, path, headers=headers)[2] for path in ("/with", "/without")]

    assert found == [CLIENT, "127.0.0.1"]


def test_the_port_of_the_proxy_does_not_stay_with_the_address_of_the_client() -> None:
    app = Flask(__name__)
    app.get("/")(real_ip()(lambda: request.environ.get("REMOTE_PORT", "none")))
    peer = {"REMOTE_ADDR": PROXY, "REMOTE_PORT": "4711"}
    client = app.test_client()

    told = client.get("/", headers={"X-Real-IP": CLIENT}, environ_overrides=peer)
    untold = client.get("/", environ_overrides=peer)

    assert (told.text, untold.text) == ("none", "4711")


def test_the_decorator_has_the_same_options() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    nobody = real_ip(trusted_subnets=[], trust_all=False)
    app.get("/")(nobody(lambda: f"{request.remote_addr}"))

    with serving(app) as served:
        assert http(served, "/", headers={"X-Real-IP": CLIENT})[2] == "127.0.0.1"


def test_wrong_options_of_the_decorator_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"real_ip: real_ip\.trusted\.subnets: is \"ten\""):
        real_ip(trusted_subnets="ten")
    with pytest.raises(TypeError, match="real_ip is called with its options"):
        real_ip(lambda: "")


def test_every_option_is_on_its_page() -> None:
    page = (DOCS / "middleware" / "real-ip.md").read_text()

    assert [name for name in option_names(RealIpOptions) if f"| `{name}` |" not in page] == []
