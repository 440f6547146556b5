"""
The one thread that turns steps into rows and commits them, a group at a time.

Alignment and SQL never run on the event loop, which has sockets to read. What
cannot be committed is kept and tried again; meanwhile the queue before this
thread fills, and what no longer fits there is counted and becomes a gap.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple, TypeVar

from archiver import errors
from archiver.console.log import StoredLine
from archiver.console.procedure import Step
from archiver.console.records import Records, Source
from archiver.console.stream import Stream
from archiver.console.timing import Timing
from archiver.store.refusals import RefusedError
from archiver.store.writer import Writer

log = logging.getLogger(__name__)

RETRY_FIRST = 1.0  # seconds after a refused commit
RETRY_MOST = 10.0
LAST_TRIES = 5.0  # seconds that a stop waits for a store that refuses

T = TypeVar("T")


class Steps(NamedTuple):
    """What one server's stream is told, and what it cost to keep until now."""

    server_id: int
    steps: Sequence[Step]
    frames: int
    size: int  # bytes of those frames


class Committed(NamedTuple):
    """What one transaction added, for progress and for the intake's account."""

    frames: int
    size: int
    lines: int
    recovered: int
    gaps: int
    seconds: float  # that the commit took


class Recorder:
    """
    Owns the writer and the streams; everything it is given is done in order.

    Args:
        writer: The archive, opened for recording; closed by ``run`` at its end.
        timing: Waits and intervals.
        committed: Told, on this thread, of each commit.

    """

    def __init__(
        self, writer: Writer, timing: Timing, committed: Callable[[Committed], None]
    ) -> None:
        self._writer = writer
        self._timing = timing
        self._tell_committed = committed
        self._inbox: queue.SimpleQueue[Steps | Callable[[], None] | None] = queue.SimpleQueue()
        self._streams: dict[int, Stream] = {}
        self._touched: dict[int, Stream] = {}
        self._frames = 0
        self._size = 0
        self._stopping = threading.Event()
        self.refused_since: float | None = None  # monotonic; None: the store takes commits

    def tell(self, steps: Steps) -> None:
        """Give steps of one server; never waits."""
        self._inbox.put(steps)

    def call(self, function: Callable[[Writer], T]) -> Future[T]:
        """
        Run *function* on the recorder's thread, in order with the steps.

        It must bear to be called again: a store that refuses is asked until it takes.
        """
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return  # who asked has been cancelled
            try:
                future.set_result(self._insist(lambda: function(self._writer)))
            except BaseException as exc:
                future.set_exception(exc)
                raise

        self._inbox.put(run)
        return future

    def stop(self) -> None:
        """Commit what was given so far, then end ``run``; never waits."""
        self._stopping.set()
        self._inbox.put(None)

    def run(self) -> None:
        """
        Work until ``stop``; the thread's target.

        Raises:
            RefusedError: The store refuses and will go on refusing, or still does
                when the recorder is to stop.

        """
        try:
            while self._work_until(time.monotonic() + self._timing.commit_interval):
                self._commit()
            self._commit()
        except BaseException:
            with suppress(errors.StoreError):  # what ended it says more
                self._writer.close()
            raise
        self._writer.close()

    def _work_until(self, deadline: float) -> bool:
        """Do what comes until *deadline*; return False at the stop mark."""
        while True:
            try:
                given = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return True
            if given is None:
                return False
            if isinstance(given, Steps):
                self._apply(given)
            else:
                given()
            if time.monotonic() >= deadline:
                return True

    def _apply(self, given: Steps) -> None:
        stream = self._streams.get(given.server_id) or self._load(given.server_id)
        self._touched[given.server_id] = stream
        self._frames += given.frames
        self._size += given.size
        for step in given.steps:
            try:
                step(stream)
            except Exception:
                # A bug met by one server's text must not end the recording of all.
                log.exception(
                    "a message could not be recorded; please report this",
                    extra={"action": "step_failed", "server_id": given.server_id},
                )

    def _load(self, server_id: int) -> Stream:
        stored = self._insist(lambda: self._writer.load_stream(server_id))
        stream = Stream(
            server_id,
            stored.state,
            self._writer,
            self._timing,
            run=stored.run,
            status=stored.status[0] if stored.status else None,
        )
        tail = (
            StoredLine(
                seq=line.seq,
                run_id=line.run_id,
                source=line.source,
                observed_at=line.observed_at,
                raw=line.raw_or_text,
                key=line.key,
            )
            for line in stored.tail
        )
        try:
            stream.restore(tail, stored.gaps, stored.frames)
        except Exception:
            # Here too: what an earlier process left must not keep this one from starting.
            log.exception(
                "what was stored last could not be taken up; please report this",
                extra={"action": "restore_failed", "server_id": server_id},
            )
        self._streams[server_id] = stream
        return stream

    def _commit(self) -> None:
        taken = [records for stream in self._touched.values() if (records := stream.take())]
        self._touched.clear()
        frames, size, self._frames, self._size = self._frames, self._size, 0, 0
        began = time.monotonic()
        if taken:
            self._insist(lambda: self._writer.commit(taken))
        self._tell_committed(_count(taken, frames, size, time.monotonic() - began))

    def _insist(self, write: Callable[[], T]) -> T:
        """Call *write* until the store takes it."""
        wait = RETRY_FIRST
        give_up_at: float | None = None
        while True:
            try:
                result = write()
            except RefusedError as refused:
                now = time.monotonic()
                if self._stopping.is_set() and give_up_at is None:
                    give_up_at = now + LAST_TRIES
                if not refused.retryable or (give_up_at is not None and now >= give_up_at):
                    raise
                self.refused_since = self.refused_since or now
                facts = {"reason": refused.what, "where": refused.where, "do": refused.do}
                log.error(  # noqa: TRY400  # expected, told in one sentence
                    "the archive refuses; lines are kept in memory and it is tried again",
                    extra={"action": "commit_refused", **facts},
                )
                if self._stopping.wait(wait):
                    time.sleep(0.2)  # the stop mark is set for good: wait returns at once
                wait = min(wait * 2, RETRY_MOST)
            else:
                if self.refused_since is not None:
                    self.refused_since = None
                    log.info("the archive takes commits again", extra={"action": "commit_resumed"})
                return result


def _count(taken: Sequence[Records], frames: int, size: int, seconds: float) -> Committed:
    return Committed(
        frames=frames,
        size=size,
        lines=sum(len(records.lines) for records in taken),
        recovered=sum(line.source == Source.REPLAY for records in taken for line in records.lines),
        gaps=sum(len(records.gaps) for records in taken),
        seconds=seconds,
    )
