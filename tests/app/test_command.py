import json

import pytest

from app.command import (
    MAX_NICK_LENGTH,
    MAX_PICTURE_BYTES,
    MAX_TEXT_LENGTH,
    BadCommand,
    Crash,
    Kick,
    Move,
    Say,
    Show,
    Typing,
    read_command,
    read_nick,
    read_room_name,
)
from app.state import Picture

JPEG = b"\xff\xd8\xff\xe0 and so on"


def frame(header: object, picture: bytes = JPEG) -> bytes:
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(2, "big") + encoded + picture


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ('{"type": "say", "text": " hello\\nthere "}', Say("hello\nthere")),
        ('{"type": "say", "text": "<b>&amp; 茶 🍵"}', Say("<b>&amp; 茶 🍵")),
        ('{"type": "typing"}', Typing()),
        ('{"type": "kick", "pid": "{n@ws|1}"}', Kick("{n@ws|1}")),
        ('{"type": "move", "room": "tea-2"}', Move("tea-2")),
        ('{"type": "crash", "more": [1]}', Crash()),
    ],
)
def test_a_text_frame_is_read_into_a_command(text: str, wish: object) -> None:
    assert read_command("text", text) == wish


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "7",
        "null",
        '{"type": "say"',
        "[" * 10_000,
        "9" * 10_000,
        '{"type": ' + '"x"' * 9000 + "}",
    ],
)
def test_text_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(BadCommand, match=r"JSON object|at most"):
        read_command("text", text)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": None},
        {"type": ["say"]},
        {"type": "shout", "text": "hello"},
        {"type": "say"},
        {"type": "say", "text": 7},
        {"type": "say", "text": "  \n "},
        {"type": "say", "text": "x" * (MAX_TEXT_LENGTH + 1)},
        {"type": "say", "text": "null \x00 byte"},
        {"type": "say", "text": "half a pair \ud800"},
        {"type": "kick"},
        {"type": "kick", "pid": {"$ne": None}},
        {"type": "move"},
        {"type": "move", "room": "../tea"},
    ],
)
def test_a_command_with_a_bad_field_is_refused(fields: object) -> None:
    with pytest.raises(BadCommand):
        read_command("text", json.dumps(fields))


def test_a_text_of_full_length_is_allowed() -> None:
    text = "茶" * MAX_TEXT_LENGTH

    wish = read_command("text", json.dumps({"type": "say", "text": text}, ensure_ascii=False))

    assert wish == Say(text)


def test_a_binary_frame_is_a_picture_with_a_caption() -> None:
    wish = read_command("binary", frame({"mime": "image/jpeg", "caption": " my cat "}))

    assert wish == Show(Picture("image/jpeg", JPEG), "my cat")


def test_a_caption_may_be_missing() -> None:
    png = b"\x89PNG\r\n\x1a\nand so on"

    wish = read_command("binary", frame({"mime": "image/png"}, png))

    assert wish == Show(Picture("image/png", png), "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\xff\xff{}",
        b"\x00\x02{}",
        b"\x00\x02[]" + JPEG,
        b"\x00\x02\xff\xfe" + JPEG,
        frame({}),
        frame({"mime": "image/svg+xml"}, b"<svg onload=alert(1)>"),
        frame({"mime": ["image/jpeg"]}),
        frame({"mime": "image/png"}, JPEG),
        frame({"mime": "image/jpeg"}, b"<script>"),
        frame({"mime": "image/jpeg", "caption": 7}),
        frame({"mime": "image/jpeg", "caption": "x" * (MAX_TEXT_LENGTH + 1)}),
        frame({"mime": "image/jpeg"}, b"\xff\xd8\xff" + b"x" * MAX_PICTURE_BYTES),
    ],
)
def test_a_binary_frame_that_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadCommand):
        read_command("binary", data)


@pytest.mark.parametrize(
    ("text", "nick"), [("Ann", "Ann"), ("  Ann \t Bee ", "Ann Bee"), ("e\u0301", "\u00e9")]
)
def test_a_nick_is_brought_into_one_form(text: str, nick: str) -> None:
    assert read_nick(text) == nick


@pytest.mark.parametrize(
    "text", [None, "", " \u3000 ", "x" * (MAX_NICK_LENGTH + 1), "a\u202eb", "a\x00b", "a\ud800b"]
)
def test_a_nick_that_is_empty_long_or_deceiving_is_refused(text: str | None) -> None:
    with pytest.raises(BadCommand, match="nickname"):
        read_nick(text)


@pytest.mark.parametrize("name", ["a", "tea", "room-7", "0", "x" * 24])
def test_a_room_name_is_short_and_plain(name: str) -> None:
    assert read_room_name(name) == name


@pytest.mark.parametrize(
    "name", [None, "", "Tea", "-tea", "tea-", "tea\n", "t e a", "x" * 25, "茶"]
)
def test_any_other_room_name_is_refused(name: str | None) -> None:
    with pytest.raises(BadCommand, match="room"):
        read_room_name(name)
