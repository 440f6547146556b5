"""
One game server as its daemon has it: states, runs, console, stats, power.

Live lines go from the container to every listener one after the other; a listener
that does not take its line holds up the rest, as in Wings. Everything else goes over
an event bus that waits for nobody. What really happened is kept beside, in truth.

Source: Wings f1c5bbd server/{listeners,console,crash,power,server}.go,
environment/docker/{power,stats}.go, system/{sink_pool,rate}.go.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from archiver.simulator import container, frames
from archiver.simulator.clock import SECOND, Clock, seeded
from archiver.simulator.games import Game
from archiver.simulator.settings import Settings

BEFORE_BOOT = (
    "Checking server disk space usage, this could take a few seconds...",
    "Updating process configuration files...",
    "Ensuring file permissions are set correctly, this could take a few seconds...",
    "Pulling Docker container image, this could take a few minutes to complete...",
    "Finished pulling Docker container image",
)
CRASH_TIMEOUT = 60  # seconds: a second crash within them is not followed by a start
EVENT_LAG = 0.003  # seconds, at most: the bus hands each status and sample to a goroutine


class TrueLine(NamedTuple):
    """One line that a game printed."""

    at: int
    run: int  # number of the run, from 1
    text: str  # whole, as a replay would have it; "" for a blank line
    live: tuple[str, ...]  # what a viewer who listens gets; empty for a blank line


@dataclass(slots=True)
class TrueRun:
    """One life of the game process."""

    number: int  # from 1
    started_at: int
    ended_at: int | None = None
    exit_code: int | None = None
    out_of_memory: bool = False


class TrueEvent(NamedTuple):
    """A true status, a daemon line, or a command as it arrived."""

    at: int
    text: str


class Listener(Protocol):
    """One subscription of one socket."""

    def offer_line(self, message: bytes) -> bool:
        """Take a live line; False if there is no room."""

    def force_line(self, message: bytes) -> None:
        """Take a live line after the wait, at the cost of the oldest."""

    def offer_event(self, event: str, message: bytes) -> None:
        """Take an event, or lose it."""


class Viewer(Protocol):
    """One open socket."""

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket."""


class Node:
    """
    One machine with a daemon.

    Args:
        name: As the panel shows it.
        key: Signs the tokens.
        started_at: Tokens issued earlier are refused.

    """

    def __init__(self, name: str, key: bytes, started_at: int) -> None:
        self.name = name
        self.key = key
        self.started_at = started_at
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
        self.state = "offline"
        self.suspended = False
        self.installing = False
        self.deleted = False
        self.log_readable = True  # False: docker cannot read its log back
        self.permissions = settings.permissions
        self.viewers: dict[Viewer, None] = {}  # in the order they came
        self.listeners: list[Listener] = []

        self.lines: list[TrueLine] = []
        self.runs: list[TrueRun] = []
        self.statuses: list[TrueEvent] = []
        self.daemon_lines: list[TrueEvent] = []
        self.commands: list[TrueEvent] = []

        self._clock = clock
        self._settings = settings
        # Apart, so that who listens or asks changes nothing of what is printed.
        self._said = seeded(settings.seed, uuid, "said")
        self._lags = seeded(settings.seed, uuid, "lags")
        self._load = seeded(settings.seed, uuid, "load")
        self._container: container.Container | None = None
        self._busy = False  # one power action at a time
        self._last_crash: int | None = None
        self._live_at = self._log_at = 0  # of the newest line; both paths keep the order
        self._pipe: deque[bytes] = deque()  # live lines behind one that found no room
        self._blocked = False
        self._window = self._in_window = 0  # of the throttle
        self._throttled = False
        self._uptime_lag = 0
        self._sampled_at = 0
        self._numbers = [0, 0, 0, 0, 0, 0]  # memory, rx, tx, read, written, cpu in 1/1000 %

    # What the game prints

    @property
    def running(self) -> bool:
        """Whether the container runs, and so whether a replay is answered."""
        return self._container is not None and self._container.running

    def print(self, written: bytes) -> None:
        """Let the game write to its terminal; nothing happens while it does not run."""
        if self._container is None or not self._container.running:
            return
        now = self._clock.now
        lag = self._lags.random()
        settings = self._settings
        log_lag, live_lag = settings.log_lag * SECOND, settings.live_lag * SECOND
        for line in self._container.print(written):
            # The log's copier and the attached stream are two readers of one pipe.
            self._log_at = max(self._log_at, now + int(lag * log_lag))
            self._live_at = max(self._live_at, now + int((1 - lag) * live_lag))
            self._container.log.append(line, self._log_at, now)
            pieces = container.live_pieces(line)
            text = container.decode(line[:-2])
            if len(pieces) == 1 and len(pieces[0]) == len(line) - 2 and b"\r" not in pieces[0]:
                live: tuple[str, ...] = (text,)
            else:
                live = tuple(container.decode(piece) for piece in pieces)
            if settings.truth:
                self.lines.append(TrueLine(now, len(self.runs), text, live))
            if self.node.up:
                for piece in live:
                    if self._allows(now) and self.viewers:
                        self._clock.at(self._live_at, self._pass_on, piece)

    def _allows(self, now: int) -> bool:
        """Tell whether the throttle lets a live line through; say so once per episode."""
        if now - self._window >= SECOND // 10:
            self._window, self._in_window = now, 0
        if self._in_window < self._settings.throttle_lines:
            self._in_window += 1
            self._throttled = False
            return True
        if not self._throttled:
            self._throttled = True
            self.say_as_daemon("Server is outputting console data too quickly -- throttling...")
        return False

    def _pass_on(self, text: str) -> None:
        if self.listeners:
            message = frames.frame("console output", text)
            if self._blocked:
                self._pipe.append(message)
            else:
                self._push(message)

    def _push(self, message: bytes) -> None:
        full = [listener for listener in self.listeners if not listener.offer_line(message)]
        if full:
            self._blocked = True
            self._clock.after(self._settings.patience, self._force, message, full)

    def _force(self, message: bytes, full: list[Listener]) -> None:
        for listener in full:
            listener.force_line(message)
        self._blocked = False
        while self._pipe and not self._blocked:
            self._push(self._pipe.popleft())

    def replay(self) -> list[str]:
        """Return the lines of the docker log's tail as they are readable now."""
        if self._container is None:
            return []
        log = self._container.log.tail(self._clock.now)
        return [container.decode(line) for line in container.replay_lines(log)]

    def rotate_log(self) -> None:
        """Let the docker log reach its size now."""
        if self._container is not None:
            self._container.log.rotate()

    def wedge(self) -> None:
        """Block the live lines of all sockets, until the daemon restarts."""
        self._blocked = True

    # What the daemon says

    def publish(self, event: str, *args: str) -> None:
        """Send an event to every listener that takes it in time."""
        message = frames.frame(event, *args)
        for listener in tuple(self.listeners):
            listener.offer_event(event, message)

    def say_as_daemon(self, text: str) -> None:
        """Send one of the daemon's own lines; they are in no log."""
        line = frames.daemon_line(self._settings.app_name, text)
        self.daemon_lines.append(TrueEvent(self._clock.now, line))
        if self.node.up:
            self.publish("console output", line)

    def _become(self, state: str) -> None:
        self.state = state
        self.statuses.append(TrueEvent(self._clock.now, state))
        # It reads the state when its turn comes: statuses are skipped and repeated.
        self._clock.after(self._lags.random() * EVENT_LAG, self._publish_status)

    def _publish_status(self) -> None:
        if self.node.up:
            self.publish("status", self.state)

    def stats(self) -> frames.Stats:
        """Return the last sample; at most one interval old."""
        settings = self._settings
        memory, received, sent, read, written, cpu = self._numbers
        uptime = 0
        if self.running:
            uptime = max(0, self._sampled_at - self.runs[-1].started_at - self._uptime_lag) // 1000
        return frames.Stats(
            memory_bytes=memory,
            memory_limit_bytes=settings.memory_limit,
            cpu_absolute=cpu / 1000,
            rx_bytes=received,
            tx_bytes=sent,
            uptime=uptime if settings.uptime else None,
            state=self.state,
            disk_bytes=1_500_000_000 + 137 * len(self.name),
            disk_io=(read, written) if settings.generation == "pelican" else None,
        )

    def _sample(self, run: TrueRun) -> None:
        if run is not self.runs[-1] or run.ended_at is not None:
            return
        load, numbers = self._load, self._numbers
        numbers[0] = min(numbers[0] + load.randrange(9_000_000), self._settings.memory_limit)
        for counter in range(1, 5):
            numbers[counter] += load.randrange(50_000)
        numbers[5] = load.randrange(150_000)
        self._sampled_at = self._clock.now
        self._clock.after(self._settings.stats_interval, self._sample, run)
        if self.listeners and self.node.up:
            self._clock.after(load.random() * EVENT_LAG, self._publish_stats)

    def _publish_stats(self) -> None:
        self.publish("stats", frames.stats_text(self.stats(), pushed=True))

    # Power

    def begin(self) -> None:
        """Be running from the first moment on, with the banner in the log."""
        run = self._new_run()
        self.print("".join(f"{line}\n" for line in self._fill(self.game.boot)).encode())
        self._ready(run)

    def start(self) -> bool:
        """Boot; False if another power action runs, or it is not offline."""
        if self._busy or self.state != "offline":
            return False
        self._busy = True
        step = self._settings.boot_time / 5 / (len(BEFORE_BOOT) + 1)
        for number, text in enumerate(BEFORE_BOOT):
            self._clock.after(step * (number + 1), self.say_as_daemon, text)
        self._clock.after(step * (len(BEFORE_BOOT) + 1), self._create)
        return True

    def stop(self, *, then_start: bool = False) -> bool:
        """Stop, and start again if told; False if another power action runs."""
        if self._busy:
            return False
        if not self.running:
            return self.start() if then_start else True
        self._busy = True
        run = self.runs[-1]
        self._become("stopping")
        self._print_over(run, self.game.stop, self._settings.stop_time)
        self._clock.after(self._settings.stop_time, self._exit, run, 0, False, then_start)
        return True

    def kill(self) -> None:
        """End it at once; `offline` is said before the last lines have been read."""
        if self.running:
            self._become("stopping")
            self._exit(self.runs[-1], 137, False, False)

    def crash(self, exit_code: int, *, out_of_memory: bool = False) -> None:
        """Let the game crash with its last words; the daemon starts it again, or says why not."""
        if not self.running:
            return
        for line in self._fill(self.game.crash):
            self.print(f"{line}\n".encode())
        self._exit(self.runs[-1], exit_code, out_of_memory, False)
        self.say_as_daemon("---------- Detected server process in a crashed state! ----------")
        self.say_as_daemon(f"Exit code: {exit_code}")
        self.say_as_daemon(f"Out of memory: {str(out_of_memory).lower()}")
        now, last = self._clock.now, self._last_crash
        if last is not None and now - last < CRASH_TIMEOUT * SECOND:
            self.say_as_daemon(
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
        self.print(f"{command}\n".encode("utf-8", "replace"))

    def attach_again(self) -> None:
        """Take up the server after the daemon has restarted: the container went on."""
        self._pipe.clear()
        self._blocked = self._busy = False
        self._uptime_lag = 0  # now from the container's StartedAt
        if self.running and self.state == "starting":
            self._become("running")  # at once, even if the game still boots

    def _new_run(self) -> TrueRun:
        now, settings = self._clock.now, self._settings
        log = container.DockerLog(settings.replay_size, settings.log_size)
        self._container = container.Container(log)
        self._uptime_lag = int(self._lags.random() * SECOND)
        self._numbers = [200_000_000, 0, 0, 0, 0, 0]
        self._sampled_at = now
        self.runs.append(run := TrueRun(len(self.runs) + 1, now))
        if settings.stats_interval:
            # Docker's stream of one container keeps its own rhythm.
            self._clock.after(self._load.random() * settings.stats_interval, self._sample, run)
        return run

    def _create(self) -> None:
        run = self._new_run()
        self._become("starting")
        boot_time = self._settings.boot_time * 4 / 5
        self._print_over(run, self.game.boot, boot_time)
        self._clock.after(boot_time, self._ready, run)

    def _ready(self, run: TrueRun) -> None:
        if run is not self.runs[-1] or run.ended_at is not None:
            return
        self._busy = False
        if self.state != "running":
            self._become("running" if self.game.done else "starting")
        self._chat(run)

    def _chat(self, run: TrueRun) -> None:
        if run.ended_at is not None or self.state == "stopping" or not self._settings.rate:
            return
        lines = self.game.say(self._said, self._clock.now)
        if lines:
            self.print(("\n".join(lines) + "\n").encode())
            gap = self._said.expovariate(1) * len(lines) / self._settings.rate
            self._clock.after(gap, self._chat, run)

    def _print_over(self, run: TrueRun, lines: tuple[str, ...], seconds: float) -> None:
        """Print template lines evenly over a time."""
        for number, line in enumerate(lines):
            self._clock.after(seconds * (number + 0.5) / len(lines), self._print_in, run, line)

    def _print_in(self, run: TrueRun, line: str) -> None:
        if run.ended_at is None:
            self.print("".join(f"{text}\n" for text in self._fill((line,))).encode())

    def _fill(self, lines: tuple[str, ...]) -> list[str]:
        return self.game.fill(lines, self._said, self._clock.now)

    def _exit(self, run: TrueRun, exit_code: int, out_of_memory: bool, then_start: bool) -> None:  # noqa: FBT001 - called by the clock, which passes positions
        if self._container is None or run.ended_at is not None:
            return
        self._container.running = False
        run.ended_at, run.exit_code, run.out_of_memory = self._clock.now, exit_code, out_of_memory
        self._busy = False
        self._numbers = [0] * 6
        self._become("offline")
        self._publish_stats()
        if then_start:
            self.start()
