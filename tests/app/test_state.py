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


def test_what_was_said_elsewhere_is_taken_over_by_its_time() -> None:
    room, other = Room("tea"), Room("tea")
    room.say(ANN, "one", now=1.0)
    room.say(ANN, "three", now=3.0)
    two = other.say(ANN, "two", now=2.0)

    assert room.merge([(two, None)])
    assert [(line.id, line.text) for line in room.history] == [(3, "one"), (4, "two"), (5, "three")]


def test_what_is_known_is_not_taken_over_again() -> None:
    room, other = Room("tea"), Room("tea")
    line = other.say(ANN, "one", now=1.0)
    room.hear(line, None)

    assert not room.merge([(line, None)])
    assert room.merge([(line, None), (other.say(ANN, "two", now=2.0), None)])
    assert [each.text for each in room.history] == ["one", "two"]


def test_what_is_older_than_a_full_history_is_not_taken_over() -> None:
    room, other = Room("tea"), Room("tea")
    for number in range(HISTORY_LENGTH):
        room.say(ANN, str(number), now=10.0 + number)

    assert not room.merge([(other.say(ANN, "old", now=1.0), None)])


def test_notices_of_other_workers_are_taken_over_by_an_empty_room_only() -> None:
    room, other = Room("tea"), Room("tea")
    notice = other.note("started anew", now=1.0)

    assert room.merge([(notice, None)])
    assert not room.merge([(other.note("started anew", now=2.0), None)])


def test_a_picture_that_is_taken_over_keeps_its_bytes() -> None:
    room, other = Room("tea"), Room("tea")
    mine = Picture("image/png", b"mine")
    room.show(ANN, "", mine, now=2.0)
    theirs = Picture("image/png", b"theirs")

    room.merge([(other.show(ANN, "", theirs, now=1.0), theirs)])

    assert list(room.pictures.values()) == [theirs, mine]
    assert [line.id for line in room.history] == list(room.pictures)
