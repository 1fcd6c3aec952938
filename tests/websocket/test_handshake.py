from __future__ import annotations

import pytest

from greenrelay.websocket.handshake import (
    NOT_AN_UPGRADE,
    Refusal,
    accept_key,
    check,
    choose_subprotocol,
    offered_subprotocols,
    response_head,
    wants_websocket,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize(
    ("upgrade", "connection"),
    [
        ("websocket", "Upgrade"),
        ("WebSocket", "keep-alive, Upgrade"),
        ("h2c, websocket", "upgrade"),
    ],
)
def test_a_request_wants_a_websocket_in_any_case_and_place(upgrade: str, connection: str) -> None:
    assert wants_websocket(upgrade, connection)


@pytest.mark.parametrize(
    ("upgrade", "connection"),
    [
        ("", ""),
        ("websocket", "keep-alive"),
        ("h2c", "Upgrade"),
        ("websockets", "Upgrade"),
        ("websocket", "upgraded"),
    ],
)
def test_other_requests_do_not_want_a_websocket(upgrade: str, connection: str) -> None:
    assert not wants_websocket(upgrade, connection)


@pytest.mark.parametrize("http_version", ["HTTP/1.1", "1.1", "HTTP/2", "HTTP/2.0"])
def test_a_good_handshake_is_not_refused(http_version: str) -> None:
    assert check("GET", http_version, "13", KEY) is None


def refusal(
    method: str = "GET", http_version: str = "HTTP/1.1", version: str = "13", key: str = KEY
) -> Refusal:
    found = check(method, http_version, version, key)
    assert found is not None
    return found


@pytest.mark.parametrize("method", ["POST", "HEAD", "get", ""])
def test_a_method_that_is_not_get_is_refused_with_400(method: str) -> None:
    """method not GET, bad or missing key | 400"""
    found = refusal(method=method)

    assert found.status == 400
    assert found.reason == f"The method is {method!r}; a WebSocket is opened with GET."


@pytest.mark.parametrize("http_version", ["HTTP/1.0", "1.0", "HTTP/0.9", "HTTP/1", "", "HTTPS/1.1"])
def test_http_before_1_1_is_refused_with_400(http_version: str) -> None:
    assert refusal(http_version=http_version).status == 400


@pytest.mark.parametrize("version", ["", "8", "12", "14", "13, 8", "thirteen", "013"])
def test_a_wrong_or_missing_version_is_refused_with_426_and_the_right_one(version: str) -> None:
    """wrong version 426 with `Sec-WebSocket-Version: 13`"""
    found = refusal(version=version)

    assert found.status == 426
    assert ("Sec-WebSocket-Version", "13") in found.headers


def test_a_426_names_the_protocol_to_upgrade_to() -> None:
    """RFC 9110, 15.5.22: "The server MUST send an Upgrade header field in a 426 response"."""
    assert ("Upgrade", "websocket") in refusal(version="8").headers
    assert ("Upgrade", "websocket") in NOT_AN_UPGRADE.headers
    assert NOT_AN_UPGRADE.status == 426


def test_a_missing_version_is_told_from_a_wrong_one() -> None:
    assert refusal(version="").reason == "Sec-WebSocket-Version is missing; it must be 13."
    assert refusal(version="8").reason == "Sec-WebSocket-Version is '8'; it must be 13."


def test_a_missing_key_is_refused_with_400() -> None:
    assert refusal(key="") == Refusal(400, "Sec-WebSocket-Key is missing.")


@pytest.mark.parametrize(
    "key",
    [
        "dGhlIHNhbXBsZSBub25j",  # 15 bytes
        "dGhlIHNhbXBsZSBub25jZTE=",  # 17 bytes
        "dGhlIHNhbXBsZSBub25jZQ=",  # one padding character lost
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub2 5jZQ==",
        "?GhlIHNhbXBsZSBub25jZQ==",
        "éGhlIHNhbXBsZSBub25jZQ==",
        " ",
    ],
)
def test_a_key_that_is_not_16_bytes_in_base64_is_refused_with_400(key: str) -> None:
    assert refusal(key=key) == Refusal(400, "Sec-WebSocket-Key is not 16 bytes in base64.")


def test_the_accept_key_is_the_example_of_the_rfc() -> None:
    """RFC 6455, section 1.3: the value would be "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="."""
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert accept_key(f" {KEY} ") == accept_key(KEY)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("", []),
        ("chat", ["chat"]),
        ("chat, superchat", ["chat", "superchat"]),
        (" , a,,b ", ["a", "b"]),
    ],
)
def test_offered_subprotocols_are_read_in_order(header: str, names: list[str]) -> None:
    assert offered_subprotocols(header) == names


def test_the_first_supported_subprotocol_the_client_also_offers_is_chosen() -> None:
    """the first one the client also offers is chosen"""
    assert choose_subprotocol(["v1", "v2"], ["v3", "v2", "v1"]) == "v2"


def test_no_subprotocol_is_chosen_without_a_common_one() -> None:
    assert choose_subprotocol(["v1"], ["V1"]) is None
    assert choose_subprotocol([], []) is None


def test_the_head_of_the_answer_is_complete() -> None:
    head = response_head(KEY, subprotocol="chat", headers=[("Set-Cookie", "a=1"), ("X-N", "é")])

    assert head == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"Set-Cookie: a=1\r\n"
        b"X-N: \xe9\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length",
        "content-type",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
    ],
)
def test_headers_a_101_cannot_have_are_left_out(name: str) -> None:
    assert response_head(KEY, headers=[(name, "x")]) == response_head(KEY)


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=1", "a\rb", "a\nb", "a\0b"])
def test_a_value_with_a_line_break_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"header X-A: .* has a line break or NUL in it"):
        response_head(KEY, headers=[("X-A", value)])
    with pytest.raises(ValueError, match="header Sec-WebSocket-Protocol"):
        response_head(KEY, subprotocol=value)


@pytest.mark.parametrize("name", ["", "X A", "X-A:", "X-A\r\nX-B", "X-é"])
def test_a_name_that_is_not_a_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="it must be a token"):
        response_head(KEY, headers=[(name, "x")])


def test_a_value_outside_latin_1_is_refused() -> None:
    with pytest.raises(ValueError, match="is not Latin-1"):
        response_head(KEY, headers=[("X-A", "日本")])


def test_what_was_agreed_on_is_answered() -> None:
    head = response_head(KEY, extensions="permessage-deflate; client_max_window_bits=12")

    assert b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n" in head


def test_extensions_nobody_has_heard_of_are_no_reason_to_refuse() -> None:
    assert check("GET", "HTTP/1.1", "13", KEY, "foo; bar=1, permessage-deflate") is None


def test_extensions_that_cannot_be_read_are_refused_with_400() -> None:
    """RFC 6455, 9.1: malformed data "MUST immediately _Fail the WebSocket Connection_"."""
    found = check("GET", "HTTP/1.1", "13", KEY, "permessage-deflate; =")

    assert found is not None
    assert found.status == 400
    assert found.reason.startswith("Sec-WebSocket-Extensions: '; =' at character 18; it must be")
