"""
Prove that an archive is consistent, without changing it.

What is demanded is what the archive promises and what its writer never breaks: not
that a console printed this, but that nothing was mixed up, overwritten or forgotten
since. Deleted rows are no fault. Where a fault could also come of a clock that was set
back, the advice says so; what a clock may always do is tolerated.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archiver.console.records import AtKind, Source
from archiver.operations.status import is_collector_alive
from archiver.store.checks import NUMBERED, SERVER_TABLES, CheckedGap, Checks, PlacedLine
from archiver.store.refusals import RefusedError
from archiver.store.streams import unpack_keys

CLOCK_TOLERANCE = 5_000_000  # microseconds; uptime, from which a start is known, lags so much
# Microseconds by which a replayed line may be dated later than it was observed: to
# the end of its replay, which takes no longer (console.timing, replay_timeout).
REPLAY_TIME = 10_000_000

_REPORT = "keep a copy and report this, unless somebody else wrote into it"
_CLOCK = "nothing, if the clock was set back then; else keep a copy and report it"
_DAMAGE = "stop, keep a copy of the archive, restore a backup or try sqlite3's .recover"

_CONTAINER = frozenset({Source.LIVE, Source.REPLAY})
_INSERTED = frozenset({Source.REPLAY, Source.IMPORT})  # may be put between stored lines

Advance = Callable[[str, float], object]  # what is looked at; how much is done, 0 to 1


@dataclass(slots=True)
class Verdict:
    """What one check found."""

    check: str  # stable name
    claim: str  # what is so if nothing was found
    found: int = 0  # how many faults
    what: str | None = None  # the first of them
    where: str | None = None
    do: str | None = None

    @property
    def is_ok(self) -> bool:
        """Whether nothing was found."""
        return not self.found

    def fail(self, what: str, where: str, do: str = _REPORT) -> None:
        """Count a fault; the first one is told."""
        self.found += 1
        if self.found == 1:
            self.what, self.where, self.do = what, where, do


def verify(archive: Checks, advance: Advance) -> Iterator[Verdict]:
    """
    Check everything, and yield a verdict on each check as soon as there is one.

    Reads every line twice, in short transactions and constant memory, so that it may
    run beside a collector.

    Args:
        archive: What to check.
        advance: Told now and then how far it is.

    Raises:
        RefusedError: The database cannot be asked now; asking again may succeed.

    """
    return _Verification(archive, advance).run()


class _Verification:
    def __init__(self, archive: Checks, advance: Advance) -> None:
        self._archive = archive
        self._advance = advance
        self._names: dict[int, str] = {}
        self._newest = 0  # id of the newest line
        self._has_deleted = False  # lines were deleted

    def run(self) -> Iterator[Verdict]:
        for check in (
            self._check_database,
            self._check_servers,
            self._check_commits,
            self._check_lines,
            self._check_runs,
            self._check_gaps,
            self._check_statuses,
            self._check_streams,
            self._check_frames,
            self._check_counters,
        ):
            verdicts: list[Verdict] = []
            try:
                check(verdicts)
            except RefusedError as refused:
                if refused.retryable:
                    raise
                for verdict in verdicts:
                    verdict.fail(refused.what, str(self._archive.location), _DAMAGE)
            yield from verdicts

    def _name(self, server_id: int) -> str:
        name = self._names.get(server_id)
        return f"server number {server_id}" if name is None else f"server {name!r}"

    def _check_database(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("database", "")
        verdicts.append(verdict)
        self._advance("the database's own check", 0.0)
        who = self._archive.collector()
        is_recording = who is not None and is_collector_alive(who) is not False
        damages, verdict.claim = self._archive.damages(is_recording=is_recording)
        for damage in damages:
            verdict.fail(damage, str(self._archive.location), _DAMAGE)

    def _check_servers(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("servers", "")
        verdicts.append(verdict)
        self._newest = self._archive.counter("line") or 0
        self._names = self._archive.server_names()
        verdict.claim = f"all rows belong to one of {len(self._names)} servers"
        for server_id in self._archive.servers_without_panel():
            verdict.fail("a server's panel is not there", self._name(server_id))
        for table in SERVER_TABLES:
            self._advance("servers", 0.0)
            for server_id in self._archive.servers_in(table):
                # Rows that came after the names were read may be of a new server.
                if server_id not in self._names:
                    self._names = self._archive.server_names()
                if server_id not in self._names:
                    verdict.fail(
                        f"{table} has rows of a server that is not there",
                        f"server number {server_id}",
                    )

    def _check_commits(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("batches", "")
        verdicts.append(verdict)
        count = batch = 0
        for page in self._archive.lines_as_committed(self._newest):
            for line in page:
                if line.batch < max(batch, 1):
                    verdict.fail(
                        f"batch {line.batch} comes after batch {batch}", f"line with id {line.id}"
                    )
                batch = max(batch, line.batch)
            count += len(page)
            self._advance("lines as they were committed", count / max(1, self._newest) / 2)
        last = self._archive.counter("batch") or 0
        if batch > last:
            verdict.fail(f"batch {batch} is above the last one that was given, {last}", "lines")
        commits = self._archive.counter("commit") or 0
        if commits > last:
            verdict.fail(f"there are {commits} commits, but {last} batches", "counters")
        deleted = self._newest - count
        self._has_deleted = deleted > 0
        also = f", {deleted} are deleted" if deleted > 0 else ""
        verdict.claim = f"{count} lines in the order of {last} batches{also}"

    def _check_lines(self, verdicts: list[Verdict]) -> None:
        lines = _Lines(self._archive)
        verdicts += lines.verdicts
        count = 0
        for server_id in self._archive.servers_in("lines"):
            lines.begin(server_id, self._name(server_id))
            for page in self._archive.lines_in_order(server_id):
                lines.receive(page)
                count += len(page)
                done = min(1.0, count / max(1, self._newest))
                self._advance("lines at their places", 0.5 + done / 2)
        lines.end()

    def _check_runs(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("runs", "no run ends before it begins")
        verdicts.append(verdict)
        for run in self._archive.runs():
            for what, at in (("began", run.started_at), ("was first seen", run.first_seen_at)):
                if (
                    at is not None
                    and run.ended_at is not None
                    and run.ended_at < at - CLOCK_TOLERANCE
                ):
                    early = (at - run.ended_at) / 1e6
                    verdict.fail(
                        f"run {run.id} ended {early:.1f} s before it {what}",
                        self._name(run.server_id),
                        _CLOCK,
                    )

    def _check_gaps(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("gaps", "each gap lies between two lines that it names, and holds none")
        verdicts.append(verdict)
        for gap in self._archive.gaps():
            for what in _gap_faults(gap, has_deleted=self._has_deleted):
                verdict.fail(f"gap {gap.id} {what}", self._name(gap.server_id))

    def _check_statuses(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("status", "each change of status begins where the one before ended")
        verdicts.append(verdict)
        last: dict[int, str] = {}  # server_id -> status
        # A new collector goes on from the latest, which a clock that was set back makes
        # another one than the last.
        latest: dict[int, tuple[int, str]] = {}
        for change in self._archive.status_changes():
            known = last.get(change.server_id)
            if known is not None and change.previous not in {known, latest[change.server_id][1]}:
                verdict.fail(
                    f"change {change.id} to {change.status!r} is from {change.previous!r},"
                    f" but the one before was to {known!r}",
                    self._name(change.server_id),
                )
            last[change.server_id] = change.status
            newest = (change.at, change.status)
            if newest[0] >= latest.get(change.server_id, newest)[0]:
                latest[change.server_id] = newest

    def _check_streams(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("streams", "no line lies at or above what its stream numbers next")
        verdicts.append(verdict)
        missing = set(self._archive.servers_in("lines"))
        for stream in self._archive.streams():
            missing.discard(stream.server_id)
            faults = []
            if stream.newest_seq is not None and stream.newest_seq >= stream.next_seq:
                faults.append(f"next seq is {stream.next_seq}, but there is {stream.newest_seq}")
            if stream.confirmed_seq is not None and stream.confirmed_seq > stream.next_seq:
                faults.append(
                    f"confirmed mark {stream.confirmed_seq} is above next seq {stream.next_seq}"
                )
            if not stream.has_run:
                faults.append(f"current run {stream.run_id} is not there")
            if stream.keys is not None:
                faults += _key_faults(bytes(stream.keys), stream.next_seq)
            for what in faults:
                verdict.fail(what, self._name(stream.server_id))
        for server_id in sorted(missing):
            verdict.fail("a server has lines but no stream", self._name(server_id))

    def _check_frames(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("frames", "no replay is left unresolved by a collector that ended")
        verdicts.append(verdict)
        count = self._archive.orphaned_frames()
        if count:
            verdict.fail(
                f"{count} frames of a replay are left",
                "frames",
                "start 'archiver ingest': it makes lines of them",
            )

    def _check_counters(self, verdicts: list[Verdict]) -> None:
        verdict = Verdict("counters", "no number is above the last one that was given")
        verdicts.append(verdict)
        for table, counter in NUMBERED.items():
            highest = self._archive.highest_id(table)
            last = self._archive.counter(counter)
            if last is None or (highest or 0) > last:
                verdict.fail(
                    f"{table} go up to {highest}, but the last number given is {last}",
                    f"counter {counter!r}",
                    "record no more into this archive: numbers would be given twice; "
                    "restore a backup, or report this",
                )


class _Lines:
    """The checks that go through the lines of each server by their places."""

    def __init__(self, archive: Checks) -> None:
        self._archive = archive
        self.places = Verdict("places", "")
        self.origins = Verdict("origins", "the run and the connection of each line are there")
        self.order = Verdict("order", "lines stand in the order in which they were received")
        self.run_order = Verdict("run_order", "lines of two runs are never mixed")
        self.times = Verdict("times", "each time lies between its bounds")
        self.imports = Verdict("imports", "imported lines lie before what was recorded, or in gaps")
        self.verdicts = [
            self.places,
            self.origins,
            self.order,
            self.run_order,
            self.times,
            self.imports,
        ]
        self._count = self._servers = 0

    def begin(self, server_id: int, name: str) -> None:
        """Begin another server."""
        self._servers += 1
        self._server_id = server_id
        self._server = name
        self._seq: int | None = None
        self._run = 0  # of the last container line that has one
        self._received = _Received()
        self._known: dict[str, set[int]] = {"runs": set(), "connections": set()}
        self._gaps = deque(self._archive.gap_ranges(server_id))  # that are not passed yet

    def receive(self, page: list[PlacedLine]) -> None:
        """Take the next lines of this server."""
        self._count += len(page)
        self._check_origins(page)
        for line in page:
            if line.seq == self._seq:
                self.places.fail("two lines have one place", self._where(line))
            self._seq = line.seq
            if line.run_id is not None and line.source in _CONTAINER:
                if line.run_id < self._run:
                    self.run_order.fail(
                        f"a line of run {line.run_id} comes after one of run {self._run}",
                        self._where(line),
                    )
                self._run = max(self._run, line.run_id)
            if line.source not in _INSERTED:
                for what, do in self._received.receive(line):
                    self.order.fail(what, self._where(line), do)
            if line.source == Source.IMPORT:
                self._check_import(line)
            self._check_times(line)

    def end(self) -> None:
        """Say what was gone through."""
        self.places.claim = (
            f"each of {self._count} lines of {self._servers} servers has a place of its own"
        )

    def _where(self, line: PlacedLine) -> str:
        return f"{self._server}, seq {line.seq}"

    def _check_origins(self, page: list[PlacedLine]) -> None:
        for table, named in (
            ("runs", {line.run_id for line in page}),
            ("connections", {line.connection_id for line in page}),
        ):
            ids = sorted(key for key in named if key is not None)
            new = [key for key in ids if key not in self._known[table]]
            for key in self._archive.unknown_of(table, self._server_id, new) if new else ():
                self.origins.fail(f"{table[:-1]} {key} of a line is not there", self._server)
            self._known[table] = set(ids)

    def _check_import(self, line: PlacedLine) -> None:
        while self._gaps and self._gaps[0][1] <= line.seq:
            self._gaps.popleft()
        is_in_gap = bool(self._gaps) and self._gaps[0][0] < line.seq
        if line.seq >= 0 and not is_in_gap and not self._is_in_new_gap(line.seq):
            self.imports.fail("an imported line lies among recorded ones", self._where(line))
        if line.connection_id is not None:
            self.imports.fail("an imported line has a connection", self._where(line))

    def _is_in_new_gap(self, seq: int) -> bool:
        """Ask again: a collector and an import may be at work."""
        ranges = self._archive.gap_ranges(self._server_id)
        return any(after < seq < before for after, before in ranges)

    def _check_times(self, line: PlacedLine) -> None:
        if line.at_kind == AtKind.OBSERVED and line.at != line.observed_at:
            self.times.fail("a live line has another time than when it came", self._where(line))
        if line.at_kind != AtKind.BEFORE:
            return
        late = line.at - line.observed_at
        if late > REPLAY_TIME:
            self.times.fail(
                f"a replayed line is dated {late / 1e6:.1f} s later than it was observed",
                self._where(line),
                _CLOCK,
            )
        if line.earliest_at is not None and line.earliest_at > line.at:
            early = (line.earliest_at - line.at) / 1e6
            self.times.fail(
                f"a replayed line is dated {early:.1f} s earlier than it can have been printed",
                self._where(line),
                _CLOCK,
            )


class _Received:
    """
    The lines of one server that went to its end as they came, by their places.

    So their ids rise, their connections never go back, and nor do their times, unless
    the clock was set back. That shows in that the times do not catch up before the
    batch ends, which takes a second: a line at a wrong place is followed by later
    ones at once.
    """

    def __init__(self) -> None:
        self._id = self._connection = self._batch = 0
        self._latest = 0  # observed_at, in this batch and connection
        self._low: PlacedLine | None = None  # the last that is earlier than one before

    def receive(self, line: PlacedLine) -> Iterator[tuple[str, str]]:
        """Take the next line; yield what is wrong with its place, and what to do."""
        connection = line.connection_id or self._connection
        if line.id < self._id:
            yield f"line with id {line.id} comes after id {self._id}", _REPORT
        if connection < self._connection:
            yield f"connection {connection} comes after {self._connection}", _REPORT
        if (connection, line.batch) != (self._connection, self._batch):
            self._latest, self._low = line.observed_at, None
        elif line.observed_at < self._latest:
            self._low = line
        elif self._low is not None:
            early = (self._latest - self._low.observed_at) / 1e6
            seq, self._low = self._low.seq, None
            yield f"seq {seq} came {early:.3f} s before one in front of it", _CLOCK
        self._latest = max(self._latest, line.observed_at)
        self._id, self._batch = max(self._id, line.id), line.batch
        self._connection = max(self._connection, connection)


def _gap_faults(gap: CheckedGap, *, has_deleted: bool) -> Iterator[str]:
    if gap.after_seq is not None and gap.before_seq is not None and gap.after_seq >= gap.before_seq:
        yield f"begins behind seq {gap.after_seq} and ends before seq {gap.before_seq}"
    elif gap.inside is not None:
        yield f"is open, but seq {gap.inside} lies in it"
    for seq, is_there in ((gap.after_seq, gap.has_after), (gap.before_seq, gap.has_before)):
        if seq is None or is_there:
            continue
        if gap.next_seq is None or seq >= gap.next_seq:
            yield f"names seq {seq}, which was never given"
        elif not has_deleted:
            yield f"names seq {seq}, which is not there, and no line was ever deleted"
    likely = gap.lower if gap.expected is None else gap.expected
    if not 0 <= gap.lower <= likely <= (likely if gap.upper is None else gap.upper):
        bounds = [
            "?" if bound is None else str(bound) for bound in (gap.lower, gap.expected, gap.upper)
        ]
        yield f"misses at least {bounds[0]}, likely {bounds[1]}, at most {bounds[2]} lines"


def _key_faults(keys: bytes, next_seq: int) -> Iterator[str]:
    try:
        seqs = [line.seq for line in unpack_keys(keys)]
    except ValueError:
        yield "keys of deleted lines cannot be read: a replay may bring these back"
    else:
        if seqs != sorted(set(seqs)) or (seqs and seqs[-1] >= next_seq):
            yield "keys of deleted lines are not in order"
