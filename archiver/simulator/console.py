"""
One server's console: from the container to the log, and to everybody who listens.

Live lines go to every listener one after the other; a listener that does not take its
line in time holds up the rest. Everything else goes over an event bus that waits for
nobody and is in no log.

Source: Wings f1c5bbd server/{console,listeners}.go and system/{sink_pool,rate}.go.
"""

from collections import deque
from typing import Protocol

from archiver.simulator import container, frames
from archiver.simulator.clock import SECOND, Clock, seeded
from archiver.simulator.recovery import Fate, Witness
from archiver.simulator.settings import Settings
from archiver.simulator.truth import TrueEvent, TrueLine

THROTTLE_WINDOW = SECOND // 10


class Listener(Protocol):
    """One subscription of one socket."""

    @property
    def good(self) -> bool:
        """Whether the socket's token is: else its lines become errors."""

    def offer_line(self, message: bytes) -> bool:
        """Take a live line; False if there is no room."""

    def force_line(self, message: bytes) -> None:
        """Take a live line after the wait, at the cost of the oldest."""

    def offer_event(self, event: str, message: bytes) -> None:
        """Take an event, or lose it."""


class Console:
    """
    The console of one server.

    Args:
        clock: The time.
        settings: Those of its world.
        uuid: The server's.

    """

    def __init__(self, clock: Clock, settings: Settings, uuid: str) -> None:
        self.listeners: list[Listener] = []
        self.lines: list[TrueLine] = []
        self.witness = Witness(settings.replay_size)
        self.daemon_lines: list[TrueEvent] = []
        self.container: container.Container | None = None
        self.run = 0  # number of the container's
        self.wedged = False  # the sink pool hangs: no live line for anybody
        self._clock = clock
        self._settings = settings
        self._lags = seeded(settings.seed, uuid, "console")
        self._live_at = self._log_at = 0  # of the newest line; both paths keep the order
        # Live lines behind one that found no room.
        self._pipe: deque[tuple[bytes, Fate | None]] = deque()
        self._blocked = False
        self._window = self._in_window = 0  # of the throttle
        self._throttled = False
        self._losses = seeded(settings.seed, uuid, "losses")
        self._loss = 0.0  # how probably a socket is not handed a live line
        self._lossy_until = 0
        self._to_drop = 0  # live lines that no socket is handed

    @property
    def running(self) -> bool:
        """Whether the container runs: only then a game prints and a replay is answered."""
        return self.container is not None and self.container.running

    def create_container(self, run: int) -> None:
        """Begin a run with an empty log, as every boot does."""
        log = container.DockerLog(self._settings.replay_size, self._settings.log_size)
        self.container = container.Container(log)
        self.run = run
        self.witness.clear(self._clock.now)

    def print(self, written: bytes) -> None:
        """Let the game write to its terminal; nothing happens while it does not run."""
        if self.container is None or not self.container.running:
            return
        now = self._clock.now
        lag = self._lags.random()
        settings = self._settings
        log_lag, live_lag = settings.log_lag * SECOND, settings.live_lag * SECOND
        for line in self.container.print(written):
            # The log's copier and the attached stream are two readers of one pipe.
            self._log_at = max(self._log_at, now + int(lag * log_lag))
            self._live_at = max(self._live_at, now + int((1 - lag) * live_lag))
            log = self.container.log
            rotations = log.rotations
            log.append(line, self._log_at, now)
            text = container.decode(line[:-2])
            if len(line) <= container.CHUNK and b" \r" not in line:
                live: tuple[str, ...] = (text,) if text else ()
            else:
                live = tuple(map(container.decode, container.live_pieces(line)))
            fate = None
            if settings.truth:
                self.lines.append(TrueLine(now, self.run, text, live))
                if log.rotations > rotations:
                    self.witness.clear(now)
                fate = self.witness.log(len(line), len(live), self._log_at)
            for piece in live:
                if self._allows(now):
                    self._clock.at(self._live_at, self._pass_on, piece, fate)

    def _allows(self, now: int) -> bool:
        """Tell whether the throttle lets a live line through; say so once per episode."""
        if now - self._window >= THROTTLE_WINDOW:
            self._window, self._in_window = now, 0
        if self._in_window < self._settings.throttle_lines:
            self._in_window += 1
            self._throttled = False
            return True
        if not self._throttled:
            self._throttled = True
            self.say_as_daemon("Server is outputting console data too quickly -- throttling...")
        return False

    def _pass_on(self, text: str, fate: Fate | None) -> None:
        if self.listeners and not self.wedged:
            message = frames.frame("console output", text)
            if self._blocked:
                self._pipe.append((message, fate))
            else:
                self._push(message, fate)

    def _push(self, message: bytes, fate: Fate | None) -> None:
        listeners = self.listeners
        if self._to_drop:
            self._to_drop -= 1
            return
        if self._clock.now < self._lossy_until:
            random = self._losses.random
            listeners = [listener for listener in listeners if random() >= self._loss]
        if fate is not None and any(listener.good for listener in listeners):
            fate.hear(self._clock.now)
        full = [listener for listener in listeners if not listener.offer_line(message)]
        if full:
            self._blocked = True
            self._clock.after(self._settings.patience, self._force, message, full)

    def _force(self, message: bytes, full: list[Listener]) -> None:
        for listener in full:
            listener.force_line(message)
        self._blocked = False
        while self._pipe and not self._blocked:
            self._push(*self._pipe.popleft())

    def lose_lines(self, probability: float, seconds: float) -> None:
        """Hand no live line to a socket, with this probability each, for a while."""
        self._loss = probability
        self._lossy_until = self._clock.now + int(seconds * SECOND)

    def drop_lines(self, count: int) -> None:
        """Hand the next live lines to no socket."""
        self._to_drop += count

    def replay(self) -> list[str]:
        """Return the lines of the docker log's tail as they are readable now."""
        if self.container is None:
            return []
        log = self.container.log.tail(self._clock.now)
        return [container.decode(line) for line in container.replay_lines(log)]

    def rotate_log(self) -> None:
        """Remove the docker log, as at its 5 MB."""
        if self.container is not None:
            self.container.log.rotate()
            self.witness.clear(self._clock.now)

    def publish(self, event: str, *args: str) -> None:
        """Send an event to every listener that takes it in time."""
        message = frames.frame(event, *args)
        for listener in tuple(self.listeners):
            listener.offer_event(event, message)

    def say_as_daemon(self, text: str) -> None:
        """Send one of the daemon's own lines; they are in no log."""
        line = frames.daemon_line(self._settings.app_name, text)
        self.daemon_lines.append(TrueEvent(self._clock.now, line))
        self.publish("console output", line)
