"""What a new collector finds of a stream."""

from archiver.console.records import Frame, Gap, Run, StatusChange, StreamState
from archiver.store.streams import TAIL_LINES, StoredStream, TailLine


def test_unknown_stream_is_empty(writer, register):
    assert writer.load_stream(register(writer)) == StoredStream(
        StreamState(), [], [], None, None, []
    )


def test_everything_is_found_again(open_writer, register, commit, line, now):
    writer = open_writer()
    server = register(writer)
    state = StreamState(65536, 1, 5, 150, 0.25, now)
    run = Run(writer.next_run_id(), now, "uptime", now - 5)
    gap = Gap(writer.next_gap_id(), None, None, None, now, "recording began", 0, None, run_id=1)
    frames = [Frame(1, True, now, "{1}"), Frame(2, False, now + 1, "{2}")]
    changes = [
        StatusChange(None, now, None, "starting", None, inferred=False),
        StatusChange(1, now + 2, now, "running", "starting", inferred=True),
        StatusChange(1, now + 1, now, "stopping", "starting", inferred=True),
    ]
    commit(
        writer,
        server,
        state=state,
        lines=[line(20, raw="\x1b[0mb"), line(10, run_id=1, source=2)],
        runs=[run],
        gaps=[gap],
        frames=frames,
        status_changes=changes,
    )
    writer.close()

    assert open_writer().load_stream(server) == StoredStream(
        state,
        [
            TailLine(10, 2, 1, now + 10, "line 10"),
            TailLine(20, 1, None, now + 20, "\x1b[0mb"),
        ],
        frames,
        ("running", now + 2),
        run,
        [gap],
    )


def test_flags_and_yes_and_no_are_of_their_own_type(writer, register, commit, now):
    server = register(writer)
    run = Run(writer.next_run_id(), now, "first", out_of_memory=False)
    commit(
        writer,
        server,
        state=StreamState(run_id=run.id),
        runs=[run],
        frames=[Frame(1, True, now, "{}")],
    )

    stream = writer.load_stream(server)

    assert stream.run.out_of_memory is False
    assert stream.frames[0].asked is True


def test_tail_is_the_end_of_this_stream_alone(writer, register, commit, line):
    server, other = register(writer, "u1"), register(writer, "u2")
    commit(writer, server, lines=[line(seq) for seq in range(TAIL_LINES + 50)])
    commit(writer, other, lines=[line(10**9)])

    tail = writer.load_stream(server).tail

    assert [found.seq for found in tail] == list(range(50, TAIL_LINES + 50))


def test_run_whose_end_was_seen_is_not_the_current_one(writer, register, commit, now):
    server = register(writer)
    run = Run(writer.next_run_id(), now, "first", ended_at=now + 1)
    commit(writer, server, state=StreamState(run_id=run.id), runs=[run])

    assert writer.load_stream(server).run is None


def test_gaps_that_a_replay_can_still_close_are_found(writer, register, commit, line, now):
    server, other = register(writer, "u1"), register(writer, "u2")

    def gap(before_seq: int | None, closed_at: int | None = None) -> Gap:
        return Gap(
            writer.next_gap_id(), 0, before_seq, None, now, "x", 0, None, closed_at=closed_at
        )

    behind_the_tail, closed = gap(49), gap(60, now)
    in_the_tail, open_ended = gap(50), gap(None)
    commit(
        writer,
        server,
        lines=[line(seq) for seq in range(TAIL_LINES + 50)],
        gaps=[open_ended, in_the_tail, behind_the_tail, closed],
    )
    commit(writer, other, gaps=[gap(None)])

    assert writer.load_stream(server).gaps == [in_the_tail, open_ended]
