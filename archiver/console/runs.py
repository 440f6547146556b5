"""
Which run of the game process is on, and in which status it is.

Three witnesses, none of them reliable alone: the `status` event, which may be
dropped or swapped with its neighbour; the state inside each stats sample; and the
uptime in it, whose distance from now is the boot of the run. Uptime only ever
lags, so the boot is the smallest distance seen (Wings f1c5bbd
environment/docker/stats.go, server/listeners.go).
"""

from collections.abc import Callable

from archiver.console.lines import exit_code, out_of_memory
from archiver.console.messages import Stats
from archiver.console.records import Run, StatusChange

BOOT_TOLERANCE = 4.5  # seconds by which uptime may lag before it means another run
LIFE_TOLERANCE = 3.0  # seconds: a boot begins after the last line of the run before
STATE_PATIENCE = 2.0  # seconds a sample's state must persist before a status is inferred
SWAP_TOLERANCE = 2.0  # seconds within which `running` may overtake `starting`
LATE_STATUS = 30.0  # seconds after its boot within which a run's `starting` may come


class Runs:
    """
    Run and status of one server.

    Args:
        next_id: Gives the number of a new run.
        run: The newest run stored; None if there is none.
        status: The newest status stored; None if there is none.

    """

    def __init__(self, next_id: Callable[[], int], run: Run | None, status: str | None) -> None:
        self._next_id = next_id
        self.run = run
        self.status = status
        self.changed: list[Run] = []  # to be stored
        self.changes: list[StatusChange] = []  # to be stored
        self._boot: float | None = None  # of this run, monotonic seconds
        self._not_before: float | None = None  # this run's boot, monotonic seconds
        self._was_offline = status == "offline"  # since the run was first seen
        self._disputed: tuple[str, int, float] | None = None  # state of samples, since when

    @property
    def run_id(self) -> int | None:
        """Number of the run that lines belong to now; None before the first."""
        return None if self.run is None else self.run.id

    def connect(self, at: int, mono: float) -> None:
        """Take up the stored run's boot in this process's clock."""
        if self._boot is None and self.run is not None and self.run.started_at is not None:
            self._boot = mono - (at - self.run.started_at) / 1e6

    def receive_status(
        self, status: str, at: int, mono: float, *, known_until: int | None = None
    ) -> bool:
        """
        Take a status; return whether a new run began with it.

        Args:
            status: As the daemon says it.
            at: When, microseconds.
            mono: The same, monotonic seconds.
            known_until: Set for the first status of a connection: the last moment
                at which the previous status was known, 0 if it never was.

        """
        previous = self.status
        self._disputed = None
        if status == previous:
            return False
        first_of_connection = known_until is not None
        began = self._begins_run(previous, status, at)
        if began:
            self._begin(at, "first" if previous is None else "status")
            # Seen live, the boot is now; else it was at any time since the last sign.
            self._not_before = None if first_of_connection else mono - 10.0
        self.status = status
        self._note_change(previous, at, known_until or None, inferred=False)
        return began

    def receive_stats(
        self, stats: Stats, at: int, mono: float, last_line: float | None
    ) -> int | None:
        """
        Take a sample; return when another run began, if its uptime proves one.

        Args:
            stats: The sample.
            at: When it came, microseconds.
            mono: The same, monotonic seconds.
            last_line: When the newest container line came, monotonic seconds;
                None: none in this process.

        Returns:
            The boot of the new run in microseconds; None if the run goes on.

        """
        began = self._receive_uptime(stats, at, mono, last_line)
        self._receive_state(stats.state, at, mono)
        return began

    def receive_daemon_line(self, text: str) -> None:
        """Take from a daemon line how the last run ended."""
        if self.run is None:
            return
        code, memory = exit_code(text), out_of_memory(text)
        if code is not None:
            self.run.exit_code = code
        if memory is not None:
            self.run.out_of_memory = memory
        if code is not None or memory is not None:
            self._touch()

    def _begins_run(self, previous: str | None, status: str, at: int) -> bool:
        if status == "offline" or (status == "stopping" and self.run is not None):
            return False
        if previous in {None, "offline"}:
            return not self._just_began(at)
        return status == "starting" and not self._just_began(at)

    def _just_began(self, at: int) -> bool:
        """Return whether this status is a late word of the run that is already known."""
        run = self.run
        if run is None or self._was_offline:
            return False
        age = at - max(run.first_seen_at, run.started_at or 0)
        return age <= 1e6 * (LATE_STATUS if run.noticed == "uptime" else SWAP_TOLERANCE)

    def _begin(self, at: int, noticed: str) -> None:
        self.run = Run(self._next_id(), at, noticed)
        self._boot = None
        self._was_offline = False
        self._touch()

    def _note_change(
        self, previous: str | None, at: int, earliest_at: int | None, *, inferred: bool
    ) -> None:
        status = self.status
        assert status is not None
        if status == "offline":
            self._was_offline = True
            if self.run is not None and self.run.ended_at is None:
                self.run.ended_at = at
                self._touch()
        self.changes.append(StatusChange(self.run_id, at, earliest_at, status, previous, inferred))

    def _receive_uptime(
        self, stats: Stats, at: int, mono: float, last_line: float | None
    ) -> int | None:
        if not stats.uptime_ms or stats.uptime_ms < 0 or stats.state == "offline":
            return None
        boot = mono - stats.uptime_ms / 1000
        boot_at = at - stats.uptime_ms * 1000
        if self._not_before is not None and boot < self._not_before:
            return None  # a late sample of the container before
        if self._boot is not None and boot - self._boot > BOOT_TOLERANCE:
            if last_line is not None and boot <= last_line - LIFE_TOLERANCE:
                return None  # the sample is late, not the run new
            self._begin(at, "uptime")
            self._set_boot(boot, boot_at)
            return boot_at
        if self._boot is None or boot < self._boot:
            if self.run is None:
                self._begin(at, "first")
            self._set_boot(boot, boot_at)
        return None

    def _set_boot(self, boot: float, boot_at: int) -> None:
        self._boot = boot
        assert self.run is not None
        started_at = self.run.started_at
        # Each sample shaves off a little of the lag; only what shows is stored.
        if started_at is None or boot_at < started_at - 100_000:
            self.run.started_at = boot_at
            self._touch()

    def _receive_state(self, state: str | None, at: int, mono: float) -> None:
        """Infer a status that was dropped: its samples persist and no event comes."""
        if state is None or state == self.status or self.status is None:
            self._disputed = None
            return
        if self._disputed is None or self._disputed[0] != state:
            self._disputed = (state, at, mono)
            return
        _, since_at, since = self._disputed
        if mono - since >= STATE_PATIENCE:
            self._disputed = None
            previous = self.status
            if self._begins_run(previous, state, since_at):
                self._begin(since_at, "status")
                self._not_before = since - 10.0
            self.status = state
            self._note_change(previous, since_at, None, inferred=True)

    def _touch(self) -> None:
        run = self.run
        if run is not None and all(run is not changed for changed in self.changed):
            self.changed.append(run)
