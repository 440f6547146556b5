"""
Record one server of a simulated world in virtual time: the real procedure, no sockets.

What `ingest` and `listen` do with tasks and a store is done here with calls on the
world's own clock and an archive in memory, so that hours of faults take seconds and
one seed decides everything. The panel's token, both sockets with their delays, the
commits, the journal and kills are there; TLS, the event loop and SQL are not.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from random import Random

from archiver.client import backoff
from archiver.client.answers import read_claims
from archiver.client.failures import Closed
from archiver.console.log import StoredLine
from archiver.console.procedure import (
    Action,
    CloseAsking,
    CloseMain,
    OpenAsking,
    Procedure,
    WantToken,
)
from archiver.console.records import Frame, Gap, Line, Records, Run, StreamState
from archiver.console.stream import Stream
from archiver.console.timing import Timing
from archiver.simulator.session import CUT, Session
from archiver.simulator.world import World

TAIL_LINES = 600  # as the store gives back after a restart
SECOND = 1_000_000


class Archive:
    """What was committed; gives numbers, and a stream back after a kill."""

    def __init__(self) -> None:
        self.state = StreamState()
        self.lines: dict[int, Line] = {}  # by seq
        self.gaps: dict[int, Gap] = {}  # by id, as all below
        self.runs: dict[int, Run] = {}
        self.status: str | None = None  # the last one
        self.frames: list[Frame] = []
        self._numbers = count(1)

    def next_run_id(self) -> int:
        """Give a number."""
        return next(self._numbers)

    next_connection_id = next_gap_id = next_event_id = next_run_id

    def in_order(self) -> list[Line]:
        """Return all lines by their place."""
        return [self.lines[seq] for seq in sorted(self.lines)]

    def open_gaps(self) -> list[Gap]:
        """Return the gaps that were not found complete, oldest first."""
        return [gap for _, gap in sorted(self.gaps.items()) if gap.closed_at is None]

    def commit(self, records: Records | None) -> None:
        """Store copies, as a database does; a seq that is taken must not come again."""
        if records is None:
            return
        confirmed, self.state = self.state.confirmed_seq, replace(records.state)
        if records.frames_done:
            self.frames.clear()
        self.frames += records.frames
        for line in records.lines:
            if line.seq in self.lines:
                raise ValueError(f"seq {line.seq} comes twice")
            if confirmed is not None and line.seq < confirmed:
                raise ValueError(f"seq {line.seq} is below the confirmed mark {confirmed}")
            self.lines[line.seq] = line
        for seq, run_id in records.moved:
            self.lines[seq] = self.lines[seq]._replace(run_id=run_id)
        self.runs |= {run.id: replace(run) for run in records.runs}
        self.gaps |= {gap.id: replace(gap) for gap in records.gaps}
        for change in records.status_changes:
            self.status = change.status

    def load(self, timing: Timing) -> Stream:
        """Return the stream as a new process would find it."""
        run = self.runs.get(self.state.run_id or 0)
        stream = Stream(
            1,
            replace(self.state),
            self,
            timing,
            run=replace(run) if run is not None and run.ended_at is None else None,
            status=self.status,
        )
        tail = [self.lines[seq] for seq in sorted(self.lines)[-TAIL_LINES:]]
        oldest = tail[0].seq if tail else 0
        stream.restore(
            [
                StoredLine(
                    line.seq,
                    line.run_id,
                    line.source,
                    line.observed_at,
                    line.text if line.raw is None else line.raw,
                )
                for line in tail
            ],
            [
                replace(gap)
                for gap in self.open_gaps()
                if gap.before_seq is None or gap.before_seq >= oldest
            ],
            list(self.frames),
        )
        return stream


class _Link:
    """Our end of one WebSocket: what is sent either way arrives later, in its order."""

    def __init__(self, rehearsal: "Rehearsal", receive: Callable[[bytes], None]) -> None:
        self.session: Session | None = None
        self.open = True
        self._rehearsal = rehearsal
        self._receive = receive
        self._arrives = 0

    def send(self, frame: bytes, at: int, /) -> None:
        """Take a frame from the daemon."""
        self._arrives = max(self._arrives, at + self._rehearsal.latency())
        self._rehearsal.world.at(self._arrives, self._deliver, frame)

    def close(self, code: int, reason: str, at: int, /) -> None:
        """Be closed by the daemon."""
        self._arrives = max(self._arrives, at + self._rehearsal.latency())
        self._rehearsal.world.at(self._arrives, self._deliver_close, code, reason)

    def ask(self, message: str) -> None:
        """Send to the daemon."""
        rehearsal = self._rehearsal
        if self.session is not None:
            at = rehearsal.world.now + rehearsal.latency()
            rehearsal.world.at(at, self.session.receive, message)

    def leave(self) -> None:
        """Close from our side."""
        self.open = False
        if self.session is not None:
            self.session.leave()

    def _deliver(self, frame: bytes) -> None:
        if self.open:
            self._receive(frame)

    def _deliver_close(self, code: int, reason: str) -> None:
        if self.open:
            self.open = False
            self._rehearsal.lose_link(self, code, reason)


class Rehearsal:
    """
    One collector that records one server of *world*.

    Args:
        world: Owned by the caller, who lets its time pass.
        server: Identifier, uuid or name.
        timing: Waits.
        random: Decides delays and jitter.
        delays: Shortest and longest way of a frame, seconds; each frame has its own,
            so a line and its copy on the other socket arrive as far apart.

    """

    def __init__(
        self,
        world: World,
        server: str,
        timing: Timing,
        random: Random,
        *,
        delays: tuple[float, float] = (0.0005, 0.01),
    ) -> None:
        self.world = world
        self.timing = timing
        self.archive = Archive()
        self.stream = self.archive.load(timing)
        self.clock_offset = 0  # microseconds that our wall clock is ahead of the nodes'
        self.problems: list[str] = []  # why a connection ended, oldest first
        self._random = random
        self._delays = delays
        self._server = world.server(server)
        self._epoch = world.now
        self._procedure: Procedure | None = None
        self._main: _Link | None = None
        self._asking: _Link | None = None
        self._token = ""
        self._token_until = 0.0
        self._steps = backoff.delays(timing, random)
        self._live_since: float | None = None
        self._life = 0  # of the process: what was planned before a kill is void
        self._begin()

    # What its owner does

    def kill(self, *, seconds: float = 1.0) -> None:
        """Kill the process: what was not committed is gone; start another after a while."""
        self._life += 1
        for link in (self._main, self._asking):
            if link is not None:
                link.leave()
        self._procedure = self._main = self._asking = None
        self._token, self._live_since = "", None
        self._after(seconds, self._restart)

    def finish(self) -> None:
        """Close the sockets and commit, as SIGTERM does."""
        if self._procedure is not None:
            self._procedure.close(1000, "", self._at, self._now)
            self._tell()
        self.archive.commit(self.stream.take())
        self._life += 1

    # Time

    @property
    def _now(self) -> float:
        return (self.world.now - self._epoch) / SECOND

    @property
    def _at(self) -> int:
        return self.world.now + self.clock_offset

    def latency(self) -> int:
        """Return how long one frame takes, microseconds."""
        return int(self._random.uniform(*self._delays) * SECOND)

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        life = self._life

        def run() -> None:
            if life == self._life:
                call()

        self.world.at(self.world.now + int(seconds * SECOND), run)

    def _begin(self) -> None:
        self._after(0.0, self._connect)
        self._after(self.timing.commit_interval, self._commit)

    def _restart(self) -> None:
        self.stream = self.archive.load(self.timing)
        self._begin()

    def _commit(self) -> None:
        self.archive.commit(self.stream.take())
        self._after(self.timing.commit_interval, self._commit)

    # Connecting

    def _fetch_token(self) -> float | None:
        """Have a token; return None, or after how many seconds to ask again."""
        if self._token and self._token_until - self._now > self.timing.renew_before:
            return None
        self._token = ""
        answer = self.world.respond(
            "GET",
            f"/api/client/servers/{self._server.uuid}/websocket",
            {"authorization": f"Bearer {self.world.api_key}", "accept": "application/json"},
        )
        try:
            self._token = json.loads(answer.body)["data"]["token"]
        except (ValueError, KeyError, TypeError):
            self.problems.append(f"panel {answer.status}")
            if answer.status in {401, 403, 404, 409}:
                return self.timing.slow_retry
            return max(next(self._steps), float(answer.headers.get("Retry-After", 0)))
        self._token_until = self._now + read_claims(self._token).life
        return None

    def _connect(self) -> None:
        wait = self._fetch_token()
        if wait is None:
            link = _Link(self, self._receive_main)
            session = self.world.connect(self._server.uuid, self.world.panel.url, link)
            if isinstance(session, Session):
                link.session = session
                self._main = link
                self._procedure = Procedure(self.timing, self._at, spread=self._random.random())
                self._authenticate()
                self._settle()
                return
            self.problems.append(f"node {session.status}")
            wait = next(self._steps)
        self._after(wait, self._connect)

    def lose_link(self, link: _Link, code: int, reason: str) -> None:
        """Note that the daemon closed a socket."""
        procedure = self._procedure
        if procedure is None:
            return
        if link is self._asking:
            self._asking = None
            procedure.fail_asking("the second socket was closed", self._at, self._now)
            self._settle()
        elif link is self._main:
            procedure.close(None if code == CUT else code, reason, self._at, self._now)
            self._reconnect(Closed(code, reason, by_us=False))

    def _reconnect(self, closed: Closed, *, slow: bool = False) -> None:
        self._tell()
        for link in (self._main, self._asking):
            if link is not None:
                link.leave()
        self._procedure = self._main = self._asking = None
        verdict = backoff.classify(closed)
        self.problems.append(verdict.what)
        if (
            self._live_since is not None
            and self._now - self._live_since >= self.timing.healthy_after
        ):
            self._steps = backoff.delays(self.timing, self._random)
        self._live_since = None
        if verdict.fresh_token or slow:
            self._token = ""
        wait = backoff.wait_before(verdict, self._steps, self.timing, self._random)
        self._after(self.timing.slow_retry if slow or wait is None else wait, self._connect)

    def _authenticate(self) -> None:
        assert self._procedure is not None
        early = self.timing.renew_before + self._random.uniform(0, self.timing.renew_jitter)
        life = self._token_until - self._now
        renew_at = self._now + max(life - early, life / 2)
        self._procedure.main.authenticate(self._token, renew_at=renew_at, now=self._now)

    def _renew(self, procedure: Procedure) -> None:
        if procedure is not self._procedure:
            return
        self._token = ""
        wait = self._fetch_token()
        if wait is None:
            self._authenticate()
            self._settle()
        else:
            self._after(wait, lambda: self._renew(procedure))

    # Frames

    def _receive_main(self, frame: bytes) -> None:
        procedure = self._procedure
        if procedure is not None:
            procedure.receive(frame.decode(), self._at, self._now)
            self._settle()

    def _receive_asked(self, frame: bytes) -> None:
        procedure = self._procedure
        if procedure is not None:
            procedure.receive_asked(frame.decode(), self._at, self._now)
            self._settle()

    def _tell(self) -> None:
        if self._procedure is not None:
            for step in self._procedure.steps():
                step(self.stream)

    def _settle(self) -> None:
        """Do what the procedure wants, and come back when it is due."""
        procedure = self._procedure
        if procedure is None:
            return
        for action in procedure.actions():
            self._obey(action, procedure)
        self._tell()
        if self._procedure is not procedure:
            return
        if procedure.is_live and self._live_since is None:
            self._live_since = self._now
        for message in procedure.main.messages_to_send():
            if self._main is not None:
                self._main.ask(message)
        if procedure.asking is not None and self._asking is not None:
            for message in procedure.asking.messages_to_send():
                self._asking.ask(message)
        due = procedure.next_due()
        if due is not None:
            self._after(max(0.0, due - self._now) + 1e-6, lambda: self._advance(procedure))

    def _advance(self, procedure: Procedure) -> None:
        due = procedure.next_due()
        if procedure is self._procedure and due is not None and due <= self._now:
            procedure.advance(self._at, self._now)
            self._settle()

    def _obey(self, action: Action, procedure: Procedure) -> None:
        match action:
            case WantToken():
                self._after(0.05, lambda: self._renew(procedure))
            case OpenAsking(delay=delay):
                self._after(delay, lambda: self._open_asking(procedure))
            case CloseAsking():
                if self._asking is not None:
                    self._asking.leave()
                self._asking = None
            case CloseMain(reason=reason, slow=slow):
                if self._main is not None:
                    procedure.close(None, reason, self._at, self._now)
                    self._reconnect(Closed(1005, reason, by_us=True), slow=slow)

    def _open_asking(self, procedure: Procedure) -> None:
        if procedure is not self._procedure or self._asking is not None:
            return
        link = _Link(self, self._receive_asked)
        wait = self._fetch_token()
        session = self.world.connect(self._server.uuid, self.world.panel.url, link)
        if wait is not None or not isinstance(session, Session):
            procedure.fail_asking("the second socket was refused", self._at, self._now)
        else:
            link.session = session
            self._asking = link
            procedure.open_asking(self._token, renew_at=self._now + 500, now=self._now)
        self._settle()
