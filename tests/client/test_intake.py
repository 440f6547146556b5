import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.client.failures import Closed
from archiver.client.intake import Frame, Inbox, Intake, Item, Overflow


def frame(number: int, size: int = 1) -> Frame:
    return Frame(bytes([65 + number % 26]) * size, number, float(number))


def test_frames_come_out_in_order_and_at_once() -> None:
    inbox = Inbox(Intake())
    frames = [frame(number) for number in range(1000)]
    for each in frames:
        inbox.put(each)

    assert inbox.take_now() == frames
    assert inbox.take_now() == []


def test_what_does_not_fit_is_counted_where_it_would_have_been() -> None:
    intake = Intake(limit_frames=2)
    inbox = Inbox(intake)
    for number in range(5):
        inbox.put(frame(number))
    intake.release(1, 1)
    inbox.put(frame(5))
    inbox.put(frame(6))

    assert inbox.take_now() == [frame(0), frame(1), Overflow(3, 2, 4), frame(5), Overflow(1, 6, 6)]
    assert intake.dropped == 4


def test_the_bytes_are_limited_too() -> None:
    intake = Intake(limit_bytes=10)
    inbox = Inbox(intake)
    inbox.put(frame(0, 6))
    inbox.put(frame(1, 5))
    inbox.put(frame(2, 4))

    assert inbox.take_now() == [frame(0, 6), Overflow(1, 1, 1), frame(2, 4)]
    assert (intake.frames, intake.bytes) == (2, 10)


def test_taking_makes_no_room_and_releasing_does() -> None:
    intake = Intake(limit_frames=1)
    inbox = Inbox(intake)
    inbox.put(frame(0))
    inbox.take_now()
    inbox.put(frame(1))

    assert inbox.take_now() == [Overflow(1, 1, 1)]

    intake.release(1, 1)
    inbox.put(frame(2))

    assert inbox.take_now() == [frame(2)]


def test_one_account_is_shared_and_each_inbox_counts_its_own_losses() -> None:
    intake = Intake(limit_frames=1)
    quiet, loud = Inbox(intake), Inbox(intake)
    loud.put(frame(0))
    loud.put(frame(1))
    quiet.put(frame(2))

    assert loud.take_now() == [frame(0), Overflow(1, 1, 1)]
    assert quiet.take_now() == [Overflow(1, 2, 2)]


def test_the_end_comes_last_and_every_time() -> None:
    inbox = Inbox(Intake(limit_frames=1))
    end = Closed(1006)
    inbox.put(frame(0))
    inbox.put(frame(1))
    inbox.close(end)

    assert inbox.take_now() == [frame(0), Overflow(1, 1, 1), end]
    assert inbox.take_now() == [end]


async def test_a_taker_waits_for_the_first_item_of_any_kind() -> None:
    for item in (frame(0), Closed(1000)):
        inbox = Inbox(Intake())
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(inbox.take())
            await asyncio.sleep(0)
            assert not taking.done()
            if isinstance(item, Frame):
                inbox.put(item)
            else:
                inbox.close(item)

        assert taking.result() == [item]


async def test_a_taker_can_be_woken_with_nothing() -> None:
    inbox = Inbox(Intake())
    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(inbox.take())
        await asyncio.sleep(0)
        inbox.wake()
    assert taking.result() == []

    inbox.wake()
    inbox.put(frame(0))

    assert await inbox.take() == [frame(0)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await inbox.take()


async def test_a_cancelled_taker_loses_nothing() -> None:
    inbox = Inbox(Intake())
    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(inbox.take())
        await asyncio.sleep(0)
        inbox.put(frame(0))
        taking.cancel()

    assert await inbox.take() == [frame(0)]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 1), st.integers(0, 40)),
        st.tuples(st.just("take"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("release"), st.just(0), st.integers(1, 5)),
    ),
    max_size=200,
)


@given(ACTIONS, st.integers(1, 10), st.integers(1, 100))
def test_every_frame_is_taken_or_counted_and_the_account_holds(
    actions: list[tuple[str, int, int]], most_frames: int, most_bytes: int
) -> None:
    intake = Intake(most_frames, most_bytes)
    inboxes = [Inbox(intake), Inbox(intake)]
    put: list[list[Frame]] = [[], []]
    taken: list[list[Item]] = [[], []]
    held: list[Frame] = []
    for clock, (what, which, amount) in enumerate(actions, 1):
        if what == "put":
            put[which].append(frame(clock, amount))
            inboxes[which].put(put[which][-1])
        elif what == "take":
            items = inboxes[which].take_now()
            taken[which] += items
            held += [item for item in items if isinstance(item, Frame)]
        else:
            for done in held[:amount]:
                intake.release(1, len(done.content))
            held = held[amount:]
        assert 0 <= intake.frames <= most_frames
        assert 0 <= intake.bytes <= most_bytes

    for which in (0, 1):
        taken[which] += inboxes[which].take_now()
        expected = iter(put[which])
        for item in taken[which]:
            if isinstance(item, Frame):
                assert next(expected) is item
            else:
                assert isinstance(item, Overflow)
                lost = [next(expected) for _ in range(item.frames)]
                assert (item.since_us, item.until_us) == (lost[0].at, lost[-1].at)
        assert next(expected, None) is None
