"""The parts of the NATS engine that decide and never wait."""

from __future__ import annotations

import pytest

from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.lease import Lease
from greenrelay.cluster.nats.outbox import Outbox
from greenrelay.cluster.nats.pulse import Pulse
from greenrelay.cluster.nats.rebirth import Rebirth
from greenrelay.cluster.nats.requests import Requests
from greenrelay.cluster.nats.roster import Bury, Clash, Down, Roster, Up
from greenrelay.cluster.nats.subject import MAX_TOKEN, text_of, token_of
from greenrelay.cluster.nats.subjects import Subjects, sender_of
from greenrelay.cluster.nats.subscriptions import Subscriptions
from greenrelay.cluster.nats.table import Holding, Table

ME, B1, B2 = Member("a", "1"), Member("b", "1"), Member("b", "2")
TEXTS = ["", "a", "A-b_9", "a.b", "*", ">", "a b", "=", "=41", "ü", "\n\r\t", "~", "%2E", "x" * 500]


def test_texts_become_tokens_that_are_all_different_and_can_be_read_back() -> None:
    tokens = [token_of(text) for text in TEXTS]

    assert len(set(tokens)) == len(TEXTS)
    for text, token in zip(TEXTS, tokens, strict=True):
        assert len(token) <= MAX_TOKEN
        assert not set(token) & set(".*> \r\n\t/\\")
        if 0 < len(text) < MAX_TOKEN:
            assert text_of(token.encode()) == text


@pytest.mark.parametrize("token", [b"", b"=", b"=4", b"==", b"a.b", b"=FF", b"=habc", b"\xff"])
def test_what_is_no_token_has_no_text(token: bytes) -> None:
    assert text_of(token) is None


def test_the_sender_is_read_from_the_subject() -> None:
    subjects = Subjects("my app", Member("a.1", "i 1"))

    for subject in (subjects.frame_to(B1), subjects.word_to(B1), subjects.topic("t.>")):
        assert sender_of(subject) == Member("a.1", "i 1")
    assert sender_of(subjects.beat) == Member("a.1", "i 1")
    assert sender_of(b"x") is None
    assert sender_of(b"x.=.1") is None


def test_headers_are_written_and_read() -> None:
    header = wire.header_of({"Nats-TTL": "5s", "A": "b:c"})

    assert header == b"NATS/1.0\r\nNats-TTL: 5s\r\nA: b:c\r\n\r\n"
    assert wire.fields_of(header) == {"Nats-TTL": "5s", "A": "b:c"}
    assert wire.status_of(header) == 0
    assert wire.status_of(b"NATS/1.0 503\r\n\r\n") == 503
    assert wire.status_of(b"NATS/1.0 100 Idle Heartbeat\r\nX: y\r\n\r\n") == 100
    assert wire.status_of(b"NATS/1.0 abc\r\n") == 0


def test_commands_go_before_frames_and_end_with_their_connection() -> None:
    outbox = Outbox(max_size=10)
    assert outbox.frame(b"frame")
    outbox.command(b"sub ")
    outbox.forget_commands()
    outbox.command(b"ping ")

    assert not outbox.is_empty
    assert outbox.take() == b"ping frame"
    assert outbox.is_empty


def test_the_outbox_has_no_room_until_what_was_taken_is_written() -> None:
    outbox = Outbox(max_size=10)
    assert outbox.frame(b"123456")
    assert not outbox.frame(b"12345")
    outbox.take()
    assert not outbox.frame(b"12345")

    outbox.written()

    assert outbox.size == 0
    assert outbox.frame(b"1234567890")
    assert outbox.forget_frames() == 1
    assert outbox.size == 0
    assert outbox.is_empty


def test_each_request_is_answered_once() -> None:
    requests = Requests(max_waiting=2)
    answers: list[object] = []
    first = requests.add(lambda answer: answers.append(("first", answer)))
    second = requests.add(lambda answer: answers.append(("second", answer)))
    assert requests.add(answers.append) is None
    message = (1, b"inbox.%b" % (first or b""), b"", b"", b"data")

    requests.on_message(message)
    requests.on_message(message)
    requests.fail()

    assert answers == [("first", message), ("second", None)]
    assert len(requests) == 0
    assert second is not None
    requests.forget(second)


def test_an_answer_shows_how_far_the_server_has_been_heard() -> None:
    pulse = Pulse()
    answers: list[bool] = []
    pulse.sent(1.0)
    pulse.sent(2.0, answers.append)
    pulse.sent(3.0, answers.append)

    pulse.on_pong()
    assert pulse.horizon == 1.0
    pulse.on_pong()
    assert (pulse.horizon, answers) == (2.0, [True])
    pulse.end()
    pulse.on_pong()

    assert (pulse.horizon, answers) == (2.0, [True, False])


def test_what_changes_while_a_connection_opens_is_told_afterwards() -> None:
    subscriptions = Subscriptions()
    one = subscriptions.add(b"one", lambda message: None)
    two = subscriptions.add(b"two", lambda message: None)
    assert subscriptions.first() == b"SUB one 1\r\nSUB two 2\r\n"
    assert subscriptions.late() == []

    subscriptions.remove(one)
    subscriptions.move(two, b"zwei")
    subscriptions.add(b"three", lambda message: None)

    late = [b"UNSUB 1\r\n", b"UNSUB 2\r\n", b"SUB zwei 2\r\n", b"SUB three 3\r\n"]
    assert subscriptions.late() == late
    assert not subscriptions.remove(one)
    assert len(subscriptions) == 2


def test_a_node_is_there_from_its_first_sign_of_life_until_it_is_silent() -> None:
    roster = Roster(ME, silence=1.5)

    assert roster.hear(B1, 10.0) == (Up(B1),)
    assert roster.hear(B1, 11.0) == ()
    assert roster.members() == (B1,)
    assert roster.silent(12.4) == ()
    roster.touch("b", 12.0)
    assert roster.silent(13.4) == ()
    assert roster.silent(13.6) == (Down(B1, "silent"),)
    assert roster.silent(99.0) == ()
    assert roster.members() == ()


def test_a_dead_incarnation_is_buried_and_another_may_come() -> None:
    roster = Roster(ME, silence=1.5)
    roster.hear(B1, 1.0)
    roster.end(B1, "disconnected")

    assert roster.hear(B1, 2.0) == (Bury(B1),)
    assert roster.hear(B1, 2.1) == ()
    assert roster.hear(B1, 2.5) == (Bury(B1),)
    assert roster.hear(B2, 3.0) == (Up(B2),)
    assert roster.end(B1, "left") == ()
    assert roster.get("b") == B2


def test_another_incarnation_replaces_one() -> None:
    roster = Roster(ME, silence=1.5)
    roster.hear(B1, 1.0)

    assert roster.hear(B2, 2.0) == (Down(B1, "replaced"), Up(B2))
    assert roster.hear(B1, 3.0) == (Bury(B1),)


@pytest.mark.parametrize(("earlier", "later"), [("1", "1-1"), ("1-9", "1-10"), ("x-1", "x-1-2")])
def test_what_an_earlier_life_has_said_does_not_end_the_later_one(earlier: str, later: str) -> None:
    """Mail for an old incarnation is answered noproc"""
    roster = Roster(Member("a", later), silence=1.5)
    b = Member("b", later)
    roster.hear(b, 1.0)

    # As a server says it that had stood still.
    assert roster.hear(Member("b", earlier), 2.0) == ()
    assert roster.hear(Member("a", earlier), 2.0) == ()

    assert roster.get("b") == b
    assert roster.hear(b, 3.0) == ()


@pytest.mark.parametrize(
    ("one", "other"), [("1", "2"), ("1-2", "1-1"), ("1-1", "1"), ("1-1", "2-2")]
)
def test_what_is_no_earlier_life_takes_the_place_of_one(one: str, other: str) -> None:
    roster = Roster(ME, silence=1.5)
    # So is the other one heard first: of two in any order the later stays.
    assert roster.hear(Member("b", other), 1.0) == (Up(Member("b", other)),)

    changes = roster.hear(Member("b", one), 2.0)

    assert changes == (Down(Member("b", other), "replaced"), Up(Member("b", one)))


def test_another_process_of_the_same_name_is_a_clash() -> None:
    roster = Roster(ME, silence=1.5)

    assert roster.hear(ME, 1.0) == ()
    assert roster.hear(Member("a", "2"), 1.0) == (Clash(Member("a", "2")),)


def test_who_begins_anew_sees_the_others_as_they_were() -> None:
    roster = Roster(ME, silence=1.5)
    roster.hear(B1, 1.0)

    assert roster.forget(Member("a", "1-1")) == (Down(B1, "unreachable"),)
    assert roster.hear(B1, 9.0) == (Up(B1),)


def test_a_node_that_is_buried_again_and_again_takes_its_time() -> None:
    rebirth = Rebirth()

    assert rebirth.want(100.0)
    assert not rebirth.want(100.0)
    assert rebirth.is_due(100.0)
    assert rebirth.begin(100.0) == 1
    assert not rebirth.is_due(100.0)
    due = []
    for now in (101.0, 103.0, 106.0):
        rebirth.want(now)
        due.append(rebirth.due_at - now)
        rebirth.begin(rebirth.due_at)
    assert due == [0.5, 1.0, 2.0]

    assert rebirth.want(200.0)
    assert rebirth.is_due(200.0)


def test_a_lease_is_believed_in_from_when_it_was_sent_until_before_it_ends() -> None:
    lease = Lease(10.0)
    assert not lease.is_valid(0.0)
    assert not lease.is_over(0.0)

    lease.renewed(5, sent_at=100.0)

    assert lease.renew_at == 102.5
    assert lease.is_valid(108.9)
    assert not lease.is_valid(109.0)
    assert lease.is_over(109.0)


def test_a_name_is_owned_while_its_row_and_its_lease_are_there() -> None:
    table = Table()
    row = Holding("n", "p", "L").encode()
    table.put("n.n", row, 1)
    table.put("l.L", b"", 2)
    assert table.complete() == [("n", "p")]

    assert table.put("l.L", b"", 3) == []
    assert table.put("l.L", None, 4) == [("n", None)]
    assert table.orphans(9) == [("n.n", 1)]
    assert table.put("n.n", Holding("n", "q", "M").encode(), 5) == []
    assert table.put("l.M", b"", 6) == [("n", "q")]
    assert table.put("n.n", None, 7) == [("n", None)]
    assert table.owners == {}
    assert table.orphans(9) == []


def test_after_all_rows_came_again_only_what_is_different_is_told() -> None:
    table = Table()
    for name in "xyz":
        table.put(f"n.{name}", Holding(name, "p", "L").encode(), 1)
    table.put("l.L", b"", 4)
    table.complete()

    table.begin()
    table.put("n.x", Holding("x", "p", "L").encode(), 1)
    table.put("n.y", Holding("y", "q", "L").encode(), 5)
    table.put("l.L", b"", 6)

    assert table.complete() == [("z", None), ("y", "q")]


def test_a_lease_that_was_given_up_stays_over() -> None:
    table = Table()
    table.put("n.n", Holding("n", "p", "L").encode(), 1)
    table.put("l.L", b"", 2)
    table.complete()

    assert table.end_lease("L") == [("n", None)]
    assert table.put("l.L", b"", 3) == []
    assert table.owners == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("x.a", b"{}"),
        ("n.a", b"{}"),
        ("n.a", b"\xff"),
        ("n.a", b"[" * 100_000),
        ("n.a", Holding("b", "p", "L").encode()),
    ],
)
def test_a_row_that_was_not_made_here_is_refused(key: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Table().put(key, value, 1)
