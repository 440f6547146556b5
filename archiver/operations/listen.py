"""
Keep one server connected, and pass on what it says.

One task a server takes what its socket's reader has queued, lets the procedure
draw the consequences, and hands the steps to the recorder. The second socket, for
the replay, and a request for another token run beside it as tasks of their own;
all of them share the procedure, one after the other, on the event loop.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import NoReturn

from archiver.client import backoff
from archiver.client.answers import Server
from archiver.client.backoff import Retry, Verdict
from archiver.client.failures import Closed, FailedError
from archiver.client.intake import Frame, Item, Overflow
from archiver.client.socket import BROKEN_OFF, Socket
from archiver.client.tokens import Token
from archiver.console.procedure import (
    CloseAsking,
    CloseMain,
    OpenAsking,
    Procedure,
    WantToken,
)
from archiver.operations.recorder import Recorder, Steps
from archiver.operations.site import Site

log = logging.getLogger(__name__)

NO_STATUS = 1005  # RFC 6455 section 7.4.1: closed without saying why
PULSE = 0.1  # seconds between two looks at a console that only has lines to tell
ATTEMPTS_ONCE = 3  # whoever wants one replay waits for an answer, not for a node's repair
TURN = 500  # frames before others on the event loop get theirs


class Listener:
    """
    Keeps one server connected until it is cancelled.

    Args:
        server: As the panel lists it.
        server_id: Its number in the archive.
        site: The panel, its tokens, its nodes.
        recorder: Takes the steps.
        random: Source of jitter.

    """

    def __init__(
        self, server: Server, server_id: int, site: Site, recorder: Recorder, random: Random
    ) -> None:
        self.server = server
        self.server_id = server_id
        self.site = site
        self.recorder = recorder
        self.random = random
        self.conversation: Conversation | None = None  # None: not connected
        self.trouble: Verdict | None = None  # why it is not

    @property
    def is_live(self) -> bool:
        """True while the console may arrive: authenticated, not merely open."""
        return self.conversation is not None and self.conversation.procedure.is_live

    async def run(self, *, once: bool = False) -> None:
        """
        Connect, and connect again, for ever.

        Args:
            once: End when the replay was taken.

        Raises:
            ArchiverError: The panel refuses the key; or, with *once*, there is a
                reason that waiting will not remove, or a few attempts did not.

        """
        timing = self.site.timing
        steps = backoff.delays(timing, self.random)
        attempts = 0
        while True:
            attempts += 1
            live_since = None
            try:
                token = await self.site.tokens.get(self.server.uuid)
            except FailedError as failed:
                verdict: Verdict | None = backoff.classify(failed.failure)
            else:
                self.conversation = Conversation(self, token)
                try:
                    verdict = await self.conversation.run(once=once)
                finally:
                    live_since, self.conversation = self.conversation.live_since, None
            if verdict is None:
                return
            if live_since is not None:
                self.trouble = None
                if time.monotonic() - live_since >= timing.healthy_after:
                    steps = backoff.delays(timing, self.random)
            wait = backoff.wait_before(verdict, steps, timing, self.random)
            in_vain = verdict.retry is not Retry.SOON or attempts == ATTEMPTS_ONCE
            if wait is None or (once and in_vain):
                raise verdict.error()
            self.tell(verdict)
            if verdict.fresh_token:
                self.site.tokens.forget(self.server.uuid)
            await asyncio.sleep(wait)

    def tell(self, verdict: Verdict) -> None:
        """Log a trouble when it is new, not at every attempt."""
        known, self.trouble = self.trouble, verdict
        if known is not None and known.what == verdict.what:
            level = logging.DEBUG
        else:
            level = logging.INFO if verdict.retry is Retry.SOON else logging.WARNING
        facts = {"server": self.server.identifier, "where": verdict.where, "do": verdict.do}
        log.log(level, verdict.what, extra={"action": "connection_failed", **facts})


class _EndGroup(Exception):  # noqa: N818  # not an error: it ends what runs beside
    """The main socket ended, and with it the tasks around it."""


def _end_group() -> NoReturn:
    raise _EndGroup


class Conversation:
    """
    One main socket and what runs beside it, from its opening to its close.

    Args:
        listener: Whose server it is.
        token: Opens the socket.

    """

    def __init__(self, listener: Listener, token: Token) -> None:
        self.live_since: float | None = None  # monotonic
        self.procedure = Procedure(listener.site.timing, wall_clock())
        self._listener = listener
        self._site = listener.site
        self._token = token
        self._asking: Socket | None = None
        self._asking_task: asyncio.Task[None] | None = None
        self._verdict: Verdict | None = None  # set: the main socket is to be closed
        self._taken: deque[Item] = deque()  # of the main socket's inbox, still to be received
        self._frames = 0  # taken and not yet told to the recorder
        self._size = 0

    async def run(self, *, once: bool) -> Verdict | None:
        """
        Open the socket and listen until it ends.

        Returns:
            Why it ended; None: the replay was taken, and *once* is enough.

        """
        verdict: Verdict | None = None
        try:
            async with asyncio.TaskGroup() as group:
                verdict = await self._open(group, once=once)
                _end_group()
        except* _EndGroup:
            pass
        finally:
            if self._frames:  # of which only their room is given back
                self._pass_on()
        return verdict

    async def _open(self, group: asyncio.TaskGroup, *, once: bool) -> Verdict | None:
        try:
            main = await self._site.open_socket(self._token, group)
        except FailedError as failed:
            return backoff.classify(failed.failure)
        return await self._converse(main, group, once=once)

    async def _converse(
        self, main: Socket, group: asyncio.TaskGroup, *, once: bool
    ) -> Verdict | None:
        spread = self._listener.random.random()
        self.procedure = Procedure(self._site.timing, wall_clock(), spread=spread)
        self._authenticate(self._token)
        closed: Closed | None = None
        try:
            while True:
                await self._settle(main, group)
                if self._verdict is not None or (once and self.procedure.is_replayed):
                    return self._verdict
                await self._take(main)
                closed = await self._receive()
                if closed is not None:
                    return backoff.classify(closed)
                self.procedure.advance(wall_clock(), time.monotonic())
                if self.procedure.is_replayed:
                    # Nothing is urgent: let more come, a turn costs as much as ten lines.
                    await asyncio.sleep(PULSE)
        finally:
            if closed is None:
                # We end it: all that comes until it is closed was heard on it.
                await main.close()
                self._taken.extend(main.inbox.take_now())
                await self._receive()
                closed = Closed(NO_STATUS, "the archiver stopped listening", by_us=True)
            code = closed.code if closed.code != BROKEN_OFF else None
            self.procedure.close(code, closed.reason, wall_clock(), time.monotonic())
            self._pass_on()

    async def _take(self, main: Socket) -> None:
        """Take what has come by the time that the procedure has something to do."""
        due = self.procedure.next_due()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                self._taken.extend(await main.inbox.take())

    async def _receive(self) -> Closed | None:
        """Give what the main socket brought to the procedure; return its end, if it came."""
        place = 0
        while self._taken:  # what is left where this is cancelled, its end receives
            place += 1
            match item := self._taken.popleft():
                case Frame(content, at, mono):
                    self._frames += 1
                    self._size += len(content)
                    self.procedure.receive(content, at, mono)
                case Overflow():
                    now = time.monotonic()
                    self.procedure.lose(item.frames, item.since_us, item.until_us, now)
                case Closed():
                    return item
            if place % TURN == 0:
                self._pass_on()
                await asyncio.sleep(0)
        if self.live_since is None and self.procedure.is_live:
            self.live_since = time.monotonic()
            self._listener.trouble = None
            facts = {"server": self._listener.server.identifier}
            log.info("connection opened", extra={"action": "connection_opened", **facts})
        return None

    def _pass_on(self) -> None:
        """Hand the steps so far to the recorder."""
        steps = self.procedure.steps()
        if steps or self._frames:
            given = Steps(self._listener.server_id, steps, self._frames, self._size)
            self._frames = self._size = 0
            self._listener.recorder.tell(given)

    async def _settle(self, main: Socket, group: asyncio.TaskGroup) -> None:
        """Do what the procedure wants."""
        for action in self.procedure.actions():
            match action:
                case WantToken():
                    group.create_task(self._renew(main))
                case OpenAsking(delay, is_audit):
                    ask = self._ask(delay, main, group, is_audit=is_audit)
                    self._asking_task = group.create_task(ask)
                case CloseAsking():
                    self._stop_asking(group)
                case CloseMain(reason, do, slow):
                    retry = Retry.SLOW if slow else Retry.SOON
                    where = self._token.url
                    self._verdict = Verdict(retry, reason, where, do, fresh_token=True)
        self._pass_on()
        for message in self.procedure.main.messages_to_send():
            await main.send(message)
        asking = self._asking  # it may end while a message is under way
        if asking is not None and self.procedure.asking is not None:
            for message in self.procedure.asking.messages_to_send():
                await asking.send(message)

    def _authenticate(self, token: Token) -> None:
        self._token = token
        renew_at = self._site.tokens.renew_at(token)
        self.procedure.main.authenticate(token.jwt, renew_at=renew_at, now=time.monotonic())

    async def _renew(self, main: Socket) -> None:
        """Fetch another token, however long that takes; the socket stays meanwhile."""
        timing, random = self._site.timing, self._listener.random
        steps = backoff.delays(timing, random)
        uuid = self._listener.server.uuid
        while True:
            try:
                token = await self._site.tokens.get(uuid, instead_of=self._token)
            except FailedError as failed:
                verdict = backoff.classify(failed.failure)
                self._listener.tell(verdict)
                wait = backoff.wait_before(verdict, steps, timing, random)
                await asyncio.sleep(timing.slow_retry if wait is None else wait)
            else:
                self._listener.trouble = None
                self._authenticate(token)
                main.inbox.wake()
                return

    async def _ask(
        self, delay: float, main: Socket, group: asyncio.TaskGroup, *, is_audit: bool
    ) -> None:
        """Open the second socket and pass on what it says, until it is closed."""
        await asyncio.sleep(delay)
        try:
            if is_audit:
                await self._site.audit_turn(self._token)
            async with self._site.asking_place(self._token):
                token = await self._site.tokens.get(self._listener.server.uuid)
                asking = await self._site.open_socket(token, group)
                try:
                    reason = await self._listen_asking(asking, token, main)
                finally:
                    try:
                        await asking.close()
                    finally:
                        self._throw_away(asking.inbox.take_now())
        except FailedError as failed:
            reason = backoff.classify(failed.failure).what
        if self._asking_task is asyncio.current_task():
            self._asking = None
            self.procedure.fail_asking(reason, wall_clock(), time.monotonic())
            main.inbox.wake()

    async def _listen_asking(self, asking: Socket, token: Token, main: Socket) -> str:
        """Return why the second socket ended."""
        self._asking = asking
        self.procedure.open_asking(
            token.jwt, renew_at=self._site.tokens.renew_at(token), now=time.monotonic()
        )
        while True:
            main.inbox.wake()
            items = deque(await asking.inbox.take())
            while items:
                match item := items.popleft():
                    case Frame(content, at, mono):
                        self._frames += 1
                        self._size += len(content)
                        self.procedure.receive_asked(content, at, mono)
                    case Overflow():
                        self._throw_away(items)
                        return "the archive fell behind"
                    case Closed():
                        return backoff.classify(item).what

    def _throw_away(self, items: Iterable[Item]) -> None:
        """Count frames that nobody wants any more, so that their room is given back."""
        for item in items:
            if isinstance(item, Frame):
                self._frames += 1
                self._size += len(item.content)

    def _stop_asking(self, group: asyncio.TaskGroup) -> None:
        """Close the second socket, or stop opening it."""
        if self._asking is not None:
            group.create_task(self._asking.close())
        elif self._asking_task is not None:
            self._asking_task.cancel()
        self._asking = self._asking_task = None


def wall_clock() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000
