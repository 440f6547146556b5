"""
One subscription of a socket: the goroutine that takes from its channels and writes.

It writes one thing at a time. While that write waits for a slow reader, live lines fill
a ring and then push the oldest out; the channel of events has no room at all.

Source: Wings f1c5bbd router/websocket/listeners.go and system/sink_pool.go.
"""

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archiver.simulator.session import Session


class Listener:
    """
    One subscription.

    Args:
        session: The socket it writes to.

    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._held: tuple[str, bytes] | None = None  # in its hands, while the write waits
        self._ring: deque[bytes] = deque()

    @property
    def good(self) -> bool:
        """Whether the socket's token is: else its lines become errors."""
        return self._session.good

    def offer_line(self, message: bytes) -> bool:
        """Take a live line; False if there is no room."""
        session = self._session
        if not session.paused:
            session.send(message)
        elif self._held is None:
            self._held = ("console output", message)
        elif len(self._ring) < session.settings.ring:
            self._ring.append(message)
        else:
            return False
        return True

    def force_line(self, message: bytes) -> None:
        """Take a live line after the wait, at the cost of the oldest."""
        if not self.offer_line(message):
            self._session.count("lines dropped")
            if self._ring:
                self._ring.popleft()
                self._ring.append(message)

    def offer_event(self, event: str, message: bytes) -> None:
        """Take an event, or lose it after the wait."""
        session = self._session
        if not session.paused:
            session.send(message, event)
        elif self._held is None:
            self._held = (event, message)
        else:
            session.clock.after(session.settings.patience, self._offer_again, event, message)

    def _offer_again(self, event: str, message: bytes) -> None:
        if self._session.paused:
            self._session.count("events dropped")
        else:
            self._session.send(message, event)

    def write_on(self) -> None:
        """Write what waited."""
        if self._held is not None:
            event, message = self._held
            self._held = None
            self._session.send(message, event)
        while self._ring:
            self._session.send(self._ring.popleft())
