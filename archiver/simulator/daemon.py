"""
One game server as its daemon has it: statuses, runs, stats, power.

What really happened is kept beside what is sent: statuses are skipped, repeated and
dropped on the way.

Source: Wings f1c5bbd server/{crash,power,server,install}.go and
environment/docker/{power,stats}.go.
"""

from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol

from archiver.simulator.clock import SECOND, Clock, seeded
from archiver.simulator.console import Console
from archiver.simulator.frames import Stats, stats_text
from archiver.simulator.games import Game
from archiver.simulator.settings import Settings
from archiver.simulator.truth import TrueEvent, TrueRun

if TYPE_CHECKING:
    from collections.abc import Callable

BEFORE_BOOT = (
    "Checking server disk space usage, this could take a few seconds...",
    "Updating process configuration files...",
    "Ensuring file permissions are set correctly, this could take a few seconds...",
    "Pulling Docker container image, this could take a few minutes to complete...",
    "Finished pulling Docker container image",
)
CRASH_TIMEOUT = 60  # seconds: a second crash within them is not followed by a start
EVENT_LAG = 0.003  # seconds, at most: the bus hands each status and sample to a goroutine


class Viewer(Protocol):
    """One open socket."""

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket."""

    def expire(self) -> None:
        """Let the token be no good from now on, without a warning."""

    def inject(self, frame: bytes) -> None:
        """Send any bytes as they are."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read again."""


class ReplayCut(NamedTuple):
    """A replay that will not come to its end."""

    lines: int  # sent before
    all_sockets: bool  # of the server are cut, not the asker's alone


class Node:
    """
    One machine with a daemon.

    Args:
        name: As the panel shows it.
        key: Signs the tokens.

    """

    def __init__(self, name: str, key: bytes) -> None:
        self.name = name
        self.key = key
        self.up = True


class GameServer:
    """
    One game server.

    Args:
        clock: The time.
        settings: Those of its world.
        node: Where it runs.
        uuid: Its full identity; the first eight digits are its identifier.
        name: As the panel shows it.
        game: What it prints.

    """

    def __init__(
        self, clock: Clock, settings: Settings, *, node: Node, uuid: str, name: str, game: Game
    ) -> None:
        self.node = node
        self.uuid = uuid
        self.identifier = uuid[:8]
        self.name = name
        self.game = game
        self.console = Console(clock, settings, uuid)
        self.state = "offline"
        self.suspended = False
        self.installing = False
        self.deleted = False
        self.forgotten = False  # by its node; the panel goes on listing it
        self.log_readable = True  # False: docker cannot read its log back
        self.permissions = settings.permissions
        self.tokens_from = 0  # tokens issued before are refused
        self.expired_before = 0  # seconds since the epoch: tokens issued before count as old
        self.unreachable_until = 0  # for clients; the daemon and its games notice nothing
        # What the game says next by itself.
        self.voice: Callable[[Random, int], list[str]] = self._speak
        self.viewers: dict[Viewer, None] = {}  # in the order they came

        self.runs: list[TrueRun] = []
        self.statuses: list[TrueEvent] = []
        self.commands: list[TrueEvent] = []

        self._cuts: list[ReplayCut] = []
        self._clock = clock
        self._settings = settings
        # Apart, so that who listens or asks changes nothing of what is printed.
        self._said = seeded(settings.seed, uuid, "said")
        self._load = seeded(settings.seed, uuid, "load")
        self._spoken = 0  # times that the game printed something by itself, in all its lives
        self._busy = False  # one power action at a time
        self._last_crash: int | None = None
        self._uptime_lag = 0
        self._sampled_at = 0
        self._numbers = [0] * 6  # memory, rx, tx, read, written, cpu in 1/1000 %

    def close_sockets(self, code: int, reason: str = "") -> None:
        """Close every socket from the daemon's side; 1006 cuts without a close frame."""
        for viewer in tuple(self.viewers):
            viewer.close(code, reason)

    def expire_tokens(self) -> None:
        """Let every token be too old from now on, without a warning."""
        self.expired_before = self._clock.now // SECOND
        for viewer in tuple(self.viewers):
            viewer.expire()

    def cut_replay(self, cut: ReplayCut) -> None:
        """Let one more of the coming replays be cut."""
        self._cuts.append(cut)

    def take_cut(self) -> ReplayCut | None:
        """Return how the replay that begins will be cut; None if it will not."""
        return self._cuts.pop(0) if self._cuts else None

    def _speak(self, random: Random, now: int) -> list[str]:
        self._spoken += 1
        return self.game.say(random, now, self._spoken - 1)

    def say(self, lines: int) -> None:
        """Let the game say so many lines at once."""
        while lines > 0 and self.console.running:
            said = self.voice(self._said, self._clock.now)
            if not said:
                return
            lines -= len(said)
            self.console.print(("\n".join(said) + "\n").encode("utf-8", "replace"))

    # Status and stats

    def _become(self, state: str) -> None:
        self.state = state
        self.statuses.append(TrueEvent(self._clock.now, state))
        # It reads the state when its turn comes: statuses are skipped and repeated.
        self._clock.after(self._load.random() * EVENT_LAG, self._publish_status)

    def _publish_status(self) -> None:
        self.console.publish("status", self.state)

    def stats(self) -> Stats:
        """Return the last sample; at most one interval old."""
        settings = self._settings
        memory, received, sent, read, written, cpu = self._numbers
        uptime = 0
        if self.console.running:
            # Counted from the attach on by docker's samples: it only ever lags.
            uptime = max(0, self._sampled_at - self.runs[-1].started_at - self._uptime_lag)
        return Stats(
            memory_bytes=memory,
            memory_limit_bytes=settings.memory_limit,
            cpu_absolute=cpu / 1000,
            rx_bytes=received,
            tx_bytes=sent,
            uptime=uptime // 1000 if settings.uptime else None,
            state=self.state,
            disk_bytes=1_500_000_000 + 137 * len(self.name),
            disk_io=(read, written) if settings.generation == "pelican" else None,
        )

    def _sample(self, run: TrueRun) -> None:
        if run.ended_at is not None:
            return
        load, numbers = self._load, self._numbers
        numbers[0] = min(numbers[0] + load.randrange(9_000_000), self._settings.memory_limit)
        for counter in range(1, 5):
            numbers[counter] += load.randrange(50_000)
        numbers[5] = load.randrange(150_000)
        self._sampled_at = self._clock.now
        self._clock.after(self._settings.stats_interval, self._sample, run)
        if self.console.listeners:
            self._clock.after(load.random() * EVENT_LAG, self._publish_stats)

    def _publish_stats(self) -> None:
        self.console.publish("stats", stats_text(self.stats(), pushed=True))

    # Power

    def begin(self) -> None:
        """Be running from the first moment on, with the banner in the log."""
        run = self._new_run()
        self._become("running" if self.game.done else "starting")
        self._print_in(run, self.game.boot)
        self._ready(run)

    def start(self) -> bool:
        """Boot; False if it is not offline, or another power action runs."""
        if self._busy or self.suspended or self.state != "offline":
            return False
        self._busy = True
        step = self._settings.boot_time / 5 / (len(BEFORE_BOOT) + 1)
        for number, text in enumerate(BEFORE_BOOT):
            self._clock.after(step * (number + 1), self.console.say_as_daemon, text)
        self._clock.after(step * (len(BEFORE_BOOT) + 1), self._create)
        return True

    def stop(self, *, then_start: bool = False) -> bool:
        """Stop, and start again if told; False if another power action runs."""
        if self._busy:
            return False
        if not self.console.running:
            return self.start() if then_start else True
        self._busy = True
        run = self.runs[-1]
        self._become("stopping")
        self._print_over(run, self.game.stop, self._settings.stop_time)
        self._clock.after(self._settings.stop_time, self._exit, run, 0, False, then_start)
        return True

    def kill(self) -> None:
        """End it at once; `offline` is said before the last lines have been read."""
        if self.console.running:
            self._become("stopping")
            self._exit(self.runs[-1], 137, False, False)

    def crash(self, exit_code: int, *, out_of_memory: bool = False) -> None:
        """Let the game crash with its last words; the daemon starts it again, or says why not."""
        if not self.console.running:
            return
        self._print_in(self.runs[-1], self.game.crash)
        self._exit(self.runs[-1], exit_code, out_of_memory, False)
        self.console.say_as_daemon(
            "---------- Detected server process in a crashed state! ----------"
        )
        self.console.say_as_daemon(f"Exit code: {exit_code}")
        self.console.say_as_daemon(f"Out of memory: {str(out_of_memory).lower()}")
        now, last = self._clock.now, self._last_crash
        if last is not None and now - last < CRASH_TIMEOUT * SECOND:
            self.console.say_as_daemon(
                "Aborting automatic restart, last crash occurred less than "
                f"{CRASH_TIMEOUT} seconds ago."
            )
        else:
            self._last_crash = now
            if self._settings.auto_restart:
                self.start()

    def send_command(self, command: str) -> None:
        """Write to the game's terminal, which echoes it as any other line."""
        self.commands.append(TrueEvent(self._clock.now, command))
        self.console.print(f"{command}\n".encode("utf-8", "replace"))

    def attach_again(self) -> None:
        """Take up the server after the daemon has restarted: the container went on."""
        self.console.wedged = False
        self.tokens_from = self._clock.now
        self._busy = False
        self._uptime_lag = 0  # now from the container's StartedAt
        if self.state == "starting":
            self._become("running")  # at once, even if the game still boots

    def install(self, seconds: float = 5.0) -> None:
        """Install it again while it is offline; only administrators see the output."""
        self.installing = True
        publish = self.console.publish
        publish("install started", "")
        publish(
            "daemon message",
            "Starting installation process, this could take a few minutes...",
        )
        for part in range(1, 6):
            text = f"fetching part {part} of 5"
            self._clock.after(seconds * part / 6, publish, "install output", text)
        self._clock.after(seconds, self._end_install)

    def _end_install(self) -> None:
        self.installing = False
        self.console.publish("daemon message", "Installation process completed.")
        self.console.publish("install completed", "")

    def _new_run(self) -> TrueRun:
        self.runs.append(run := TrueRun(len(self.runs) + 1, self._clock.now))
        self.console.create_container(run.number)
        self._uptime_lag = int(self._load.random() * SECOND)
        self._numbers = [200_000_000, 0, 0, 0, 0, 0]
        self._sampled_at = run.started_at
        interval = self._settings.stats_interval
        if interval:
            # Docker's stream of one container keeps its own rhythm.
            self._clock.after(self._load.random() * interval, self._sample, run)
        return run

    def _create(self) -> None:
        run = self._new_run()
        self._become("starting")
        boot_time = self._settings.boot_time * 4 / 5
        self._print_over(run, self.game.boot, boot_time)
        self._clock.after(boot_time, self._ready, run)

    def _ready(self, run: TrueRun) -> None:
        if run.ended_at is not None:
            return
        self._busy = False
        if self.state == "starting" and self.game.done:
            self._become("running")
        self._chat(run)

    def _chat(self, run: TrueRun) -> None:
        if run.ended_at is not None or not self._settings.rate:
            return
        lines = self.voice(self._said, self._clock.now)
        if lines:
            self.console.print(("\n".join(lines) + "\n").encode("utf-8", "replace"))
            gap = self._said.expovariate(1) * len(lines) / self._settings.rate
            self._clock.after(gap, self._chat, run)

    def _print_over(self, run: TrueRun, lines: tuple[str, ...], seconds: float) -> None:
        """Print template lines evenly over a time."""
        for number, line in enumerate(lines):
            after = seconds * (number + 0.5) / len(lines)
            self._clock.after(after, self._print_in, run, (line,))

    def _print_in(self, run: TrueRun, lines: tuple[str, ...]) -> None:
        if run.ended_at is None:
            for line in self.game.fill(lines, self._said, self._clock.now):
                self.console.print(f"{line}\n".encode())

    def _exit(self, run: TrueRun, exit_code: int, out_of_memory: bool, then_start: bool) -> None:  # noqa: FBT001 - called by the clock, which passes positions
        container = self.console.container
        if container is None or run.ended_at is not None:
            return
        container.running = False
        run.ended_at, run.exit_code, run.out_of_memory = self._clock.now, exit_code, out_of_memory
        self._busy = False
        self._numbers = [0] * 6
        self._become("offline")
        self._publish_stats()
        if then_start:
            self.start()
