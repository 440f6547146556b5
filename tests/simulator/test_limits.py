from archiver.simulator.clock import SECOND
from archiver.simulator.limits import Bucket, Minute


def test_a_bucket_gives_a_burst_and_then_one_per_interval():
    bucket = Bucket(2, 5, 0)
    taken = [second for second in range(21) if bucket.take(second * SECOND)]
    assert taken == [0, 1, 5, 10, 15, 20]


def test_a_bucket_never_holds_more_than_its_burst():
    bucket = Bucket(2, 5, 0)
    assert [bucket.take(1000 * SECOND) for _ in range(3)] == [True, True, False]


def test_a_refusal_is_told_once_until_something_passes():
    bucket = Bucket(1, 5, 0)
    bucket.take(0)
    bucket.told = True
    assert not bucket.take(SECOND)
    assert bucket.told
    assert bucket.take(5 * SECOND)
    assert not bucket.told


def test_a_minute_begins_with_the_first_and_gives_all_at_once():
    minute = Minute(3)
    taken = [second for second in range(10, 140, 10) if minute.take(second * SECOND)]
    assert taken == [10, 20, 30, 70, 80, 90, 130]
