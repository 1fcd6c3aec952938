from greenrelay.relay.rate import Bucket, Rate


def test_a_burst_of_one_second_s_worth_passes() -> None:
    bucket = Bucket(3.0, now=10.0)

    taken = [bucket.take(1, now=10.0) for _ in range(4)]

    assert taken == [True, True, True, False]


def test_tokens_come_back_with_time_and_never_beyond_the_burst() -> None:
    bucket = Bucket(2.0, now=0.0)
    bucket.take(2, now=0.0)

    assert not bucket.take(1, now=0.4)
    assert bucket.take(1, now=0.5)
    assert not bucket.take(3, now=1000.0)
    assert bucket.take(2, now=1000.0)


def test_a_message_counts_against_both_rates() -> None:
    by_count = Rate(1, 0, now=0.0)
    by_size = Rate(0, 5, now=0.0)

    assert by_count.allows("much longer than five", now=0.0)
    assert not by_count.allows("", now=0.0)
    assert by_size.allows(b"12345", now=0.0)
    assert not by_size.allows("6", now=0.0)


def test_text_counts_its_bytes_and_not_its_characters() -> None:
    """``wsrelay.rate.bytes``: per second"""
    rate = Rate(0, 8, now=0.0)

    assert rate.allows("€€", now=0.0)
    assert not rate.allows("€", now=0.0)
    assert rate.allows("ab", now=0.0)
