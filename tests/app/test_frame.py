import json

from app import frame
from app.state import Member, Picture, Room

ANN = Member("{n@ws|1}", "Ann")


def test_a_message_carries_its_author_and_time() -> None:
    entry = Room("tea").say(ANN, "hello", now=12.5)

    assert json.loads(frame.message(entry)) == {
        "type": "message",
        "message": {
            "id": 1,
            "kind": "text",
            "text": "hello",
            "at": 12.5,
            "pid": "{n@ws|1}",
            "nick": "Ann",
        },
    }


def test_a_welcome_has_people_and_history() -> None:
    room = Room("tea")
    member = room.join("{n@ws|1}", "Ann")
    room.note("started anew", now=1.0)

    welcome = json.loads(frame.welcome(room, member, "{n@app|9}", how="connect", now=2.0))

    assert welcome["room_pid"] == "{n@app|9}"
    assert welcome["people"] == [{"pid": "{n@ws|1}", "nick": "Ann"}]
    assert welcome["history"] == [
        {"id": 1, "kind": "notice", "text": "started anew", "at": 1.0, "lost": False}
    ]


def test_a_welcome_says_which_pictures_are_no_longer_kept() -> None:
    room = Room("tea")
    member = room.join("{n@ws|1}", "Ann")
    for _ in range(2):
        room.show(ANN, "", Picture("image/png", b"x"), now=0.0)
    del room.pictures[1]

    welcome = json.loads(frame.welcome(room, member, "{n@app|9}", how="connect", now=2.0))

    assert [entry["lost"] for entry in welcome["history"]] == [True, False]


def test_a_picture_frame_starts_with_the_length_of_its_header() -> None:
    data = frame.picture(7, Picture("image/jpeg", b"\xff\xd8\xff"))

    end = 2 + int.from_bytes(data[:2], "big")
    assert json.loads(data[2:end]) == {"id": 7, "mime": "image/jpeg"}
    assert data[end:] == b"\xff\xd8\xff"
