from app.state import HISTORY_LENGTH, PICTURES_SIZE_BYTES, Member, Picture, Room

ANN = Member("{n@ws|1}", "Ann")


def test_a_second_ann_gets_a_number() -> None:
    room = Room("tea")
    room.join("{n@ws|1}", "Ann")

    member = room.join("{n@ws|2}", "Ann")

    assert member == Member("{n@ws|2}", "Ann 2")


def test_a_number_is_free_again_when_its_owner_has_left() -> None:
    room = Room("tea")
    room.join("{n@ws|1}", "Ann")
    room.join("{n@ws|2}", "Ann")
    room.leave("{n@ws|1}")

    assert room.join("{n@ws|3}", "Ann").nick == "Ann"


def test_leaving_twice_is_leaving_once() -> None:
    room = Room("tea")
    room.join(ANN.pid, "Ann")

    assert room.leave(ANN.pid) == ANN
    assert room.leave(ANN.pid) is None


def test_the_history_holds_the_last_fifty_entries() -> None:
    room = Room("tea")

    for number in range(HISTORY_LENGTH + 3):
        room.say(ANN, str(number), now=float(number))

    assert len(room.history) == 50
    assert room.history[0].text == "3"
    assert room.history[-1].id == 53


def test_a_notice_has_no_author() -> None:
    entry = Room("tea").note("started anew", now=7.0)

    assert (entry.kind, entry.author, entry.sent_at) == ("notice", None, 7.0)


def test_the_oldest_pictures_go_when_all_together_are_too_big() -> None:
    room = Room("tea")
    half = Picture("image/png", b"x" * (PICTURES_SIZE_BYTES // 2))

    first, second, third = (room.show(ANN, "", half, now=0.0) for _ in range(3))

    assert first.id not in room.pictures
    assert list(room.pictures) == [second.id, third.id]


def test_a_picture_goes_with_its_message() -> None:
    room = Room("tea")
    room.show(ANN, "", Picture("image/png", b"x"), now=0.0)
    for _ in range(HISTORY_LENGTH):
        room.say(ANN, "and on", now=1.0)

    kept = room.show(ANN, "", Picture("image/png", b"y"), now=2.0)

    assert list(room.pictures) == [kept.id]
