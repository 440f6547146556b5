"""
Record the consoles of every server that the keys see: the service.

Discovery finds servers again every few minutes; each has a listener; one recorder
commits for all. A signal ends it: sockets are read no more, what was read is
committed, and the archive is closed.
"""

import asyncio
import fnmatch
import gc
import logging
import math
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, NoReturn

from archiver import errors
from archiver.client import backoff
from archiver.client.answers import Server
from archiver.client.failures import FailedError
from archiver.client.intake import Intake
from archiver.config.settings import Settings
from archiver.console.timing import Timing
from archiver.operations.index_updates import IndexUpdates
from archiver.operations.listen import Listener, wall_clock
from archiver.operations.recorder import Committed, Recorder
from archiver.operations.site import Site
from archiver.store.writer import Writer

log = logging.getLogger(__name__)

MISSED_LISTS = 2  # a server that moves between two pages can be missing once
SKEW_TOLERANCE = 30.0  # seconds between the panel's clock and ours that are worth a word
PROGRESS_INTERVAL = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Progress:
    """How recording goes, for a person who watches."""

    servers: int
    live: int  # of them, authenticated
    lines: int  # committed since the start
    recovered: int  # of them, replayed and new
    gaps: int  # noted or changed since the start
    lines_per_second: float
    queued: int  # frames read and not committed
    dropped: int  # frames that found no room
    refused_for: float | None  # seconds for which the store has refused; None: it takes
    trouble: str | None  # the newest reason why a server is not connected


class Ingest:
    """
    One collector from start to end.

    Args:
        settings: All settings, with keys.
        servers: Globs over identifiers and names, on top of those in the settings.
        once: Take each server's replay and end.
        timing: Waits; None: the usual ones with the settings' intervals.
        random: Source of jitter; None: the system's.

    """

    def __init__(
        self,
        settings: Settings,
        *,
        servers: Sequence[str] = (),
        once: bool = False,
        timing: Timing | None = None,
        random: Random | None = None,
    ) -> None:
        self._settings = settings
        self._wanted = tuple(servers)
        self._once = once
        self._timing = timing or make_timing(settings)
        self._random = random or Random()  # noqa: S311  # jitter, no secret
        self._intake = Intake()
        self._listeners: dict[int, Listener] = {}  # by the server's number in the archive
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._missing: dict[int, int] = {}  # lists in a row without the server
        self._given_up: list[errors.ArchiverError] = []  # one for each panel that refuses for good
        self._failed: list[_Failed] = []  # with once: servers whose replay was not taken
        self._started = time.monotonic()
        self._lines = self._recovered = self._gaps = 0
        self._recent: list[tuple[float, int]] = []  # when, lines committed by then
        self._recorder: Recorder | None = None  # until the archive is open
        self._index = IndexUpdates(settings)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Read no more; commit what was read, and let ``run`` return."""
        self._stop.set()

    async def run(self, watch: Callable[[Progress], None] | None = None) -> None:
        """
        Record until ``stop``, or with *once* until each replay is taken.

        Args:
            watch: Told every second how it goes; None: nobody watches.

        Raises:
            ArchiverError: It cannot go on: no key works, the archive refuses for good.

        """
        settings = self._settings
        writer = await asyncio.to_thread(
            Writer.open, settings.database_url, settings.data_dir, now=wall_clock()
        )
        loop = asyncio.get_running_loop()

        def committed(what: Committed) -> None:
            loop.call_soon_threadsafe(self._note_commit, what)

        self._recorder = recorder = Recorder(writer, self._timing, committed)
        recording = loop.run_in_executor(None, recorder.run)
        try:
            await self._listen(recording, watch)
        finally:
            recorder.stop()
            await recording

    async def _listen(
        self,
        recording: "asyncio.Future[None]",
        watch: Callable[[Progress], None] | None,
    ) -> None:
        """Run all that listens until the end of whatever ends first."""
        async with AsyncExitStack() as stack:
            sites = [
                Site(self._settings, panel, self._timing, self._intake, self._random)
                for panel in self._settings.panels
            ]
            for site in sites:
                await stack.enter_async_context(site.panel)
            try:
                async with asyncio.TaskGroup() as group:
                    discoveries = [group.create_task(self._discover(site, group)) for site in sites]
                    if watch is not None:
                        group.create_task(self._watch(watch))
                    if not self._once:
                        group.create_task(self._index.run())
                    group.create_task(self._end_when(self._stop.wait()))
                    group.create_task(self._end_when(asyncio.shield(recording)))
                    if self._once:
                        group.create_task(self._end_when(self._wait_for_all(discoveries)))
            except* _End:
                pass
            except* errors.ArchiverError as group_of_errors:
                raise _first_error(group_of_errors) from None
        if self._once:
            self._conclude()

    async def _end_when(self, end: "asyncio.Future[None] | object") -> NoReturn:
        await end  # type: ignore[misc]  # any awaitable
        raise _End

    async def _wait_for_all(self, discoveries: Sequence["asyncio.Task[None]"]) -> None:
        await asyncio.gather(*discoveries)
        await asyncio.gather(*self._tasks.values())

    # Servers

    async def _discover(self, site: Site, group: asyncio.TaskGroup) -> None:
        """Find the panel's servers, again and again; with once only once."""
        steps = backoff.delays(self._timing, self._random)
        while True:
            try:
                listed = await site.panel.list_servers(site.settings.scope)
            except FailedError as failed:
                verdict = backoff.classify(failed.failure)
                wait = backoff.wait_before(verdict, steps, self._timing, self._random)
                if wait is None or self._once:
                    self._give_up(site, verdict.error())
                    return
                facts = {"panel": site.settings.name, "where": verdict.where, "do": verdict.do}
                log.warning(verdict.what, extra={"action": "discovery_failed", **facts})
                await asyncio.sleep(wait)
                continue
            steps = backoff.delays(self._timing, self._random)
            self._tell_skew(site)
            await self._take_list(site, listed, group)
            if self._once:
                return
            await asyncio.sleep(self._timing.discovery_interval)

    def _give_up(self, site: Site, error: errors.ArchiverError) -> None:
        """Go on with the other panels; where none is left there is nothing to do."""
        self._given_up.append(error)
        if len(self._given_up) == len(self._settings.panels):
            raise error
        facts = {"panel": site.settings.name, "where": error.where, "do": error.do}
        log.error(error.what, extra={"action": "panel_given_up", **facts})

    def _tell_skew(self, site: Site) -> None:
        skew = site.panel.skew
        if skew is not None and abs(skew) > SKEW_TOLERANCE:
            facts = {"panel": site.settings.name, "seconds": round(skew)}
            what = f"the panel's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
            log.warning(what, extra={"action": "clock_skewed", **facts})

    async def _take_list(
        self, site: Site, listed: Sequence[Server], group: asyncio.TaskGroup
    ) -> None:
        """Listen to what is new, stop listening to what is gone."""
        recorder = self._recorder
        assert recorder is not None  # nothing is discovered before the archive is open
        now = wall_clock()
        panel = site.settings
        wanted = [server for server in listed if self._is_wanted(server, site)]
        if not wanted:
            self._tell_nothing_wanted(site, listed)

        def register(writer: Writer) -> list[int]:
            return [
                writer.register(
                    panel_origin=panel.base,
                    panel_name=panel.name,
                    uuid=server.uuid,
                    identifier=server.identifier,
                    name=server.name,
                    node=server.node,
                    seen_at=now,
                )
                for server in wanted
            ]

        ids = await asyncio.wrap_future(recorder.call(register))
        for server_id, server in zip(ids, wanted, strict=True):
            self._missing.pop(server_id, None)
            if server_id in self._listeners:
                self._listeners[server_id].server = server
                continue
            listener = Listener(server, server_id, site, recorder, self._random)
            self._listeners[server_id] = listener
            self._tasks[server_id] = group.create_task(self._run_listener(listener))
        for server_id, listener in list(self._listeners.items()):
            if listener.site is site and server_id not in ids:
                self._miss(server_id)

    def _is_wanted(self, server: Server, site: Site) -> bool:
        def matches(globs: Sequence[str]) -> bool:
            names = (server.identifier, server.uuid, server.name)
            return any(fnmatch.fnmatchcase(name, glob) for glob in globs for name in names)

        return matches(site.settings.servers) and (not self._wanted or matches(self._wanted))

    def _tell_nothing_wanted(self, site: Site, listed: Sequence[Server]) -> None:
        globs = ", ".join(repr(glob) for glob in self._wanted or site.settings.servers)
        if self._once and len(self._settings.panels) == 1:
            raise errors.RemoteError(
                f"no server matches {globs}",
                where=site.settings.url,
                do=f"the key sees {len(listed)} server{'s' * (len(listed) != 1)}; "
                "name one of them, or check its user",
            )
        facts = {"panel": site.settings.name, "servers": len(listed)}
        log.warning("no server matches %s", globs, extra={"action": "no_server", **facts})

    def _miss(self, server_id: int) -> None:
        """Note that a server is not listed; after a second time it is gone."""
        self._missing[server_id] = self._missing.get(server_id, 0) + 1
        if self._missing[server_id] >= MISSED_LISTS:
            listener = self._listeners.pop(server_id)
            self._tasks.pop(server_id).cancel()
            del self._missing[server_id]
            at = wall_clock()
            listener.recorder.call(lambda writer: writer.mark_deleted(server_id, at))
            facts = {"server": listener.server.identifier}
            log.info("the panel lists the server no more", extra={"action": "server_gone", **facts})

    async def _run_listener(self, listener: Listener) -> None:
        """Listen; a key that is refused for one server ends only that one's listening."""
        try:
            await listener.run(once=self._once)
        except errors.ArchiverError as error:
            self._take_failure(_Failed(listener, error))

    def _take_failure(self, failed: "_Failed") -> None:
        server = failed.listener.server_id
        self._listeners.pop(server, None)  # discovery takes it up again
        self._tasks.pop(server, None)
        if self._once:
            self._failed.append(failed)  # told at the end
        else:
            _tell_failure(failed)

    def _conclude(self) -> None:
        """Raise the first of what failed, if anything did; the others are logged."""
        first = next(iter(self._given_up), None)
        for failed in self._failed:
            if first is None:
                first = failed.error
            else:
                _tell_failure(failed)
        if first is None:
            return
        if isinstance(first, errors.AuthError) and len(self._settings.panels) > 1:
            # Another key works, else it would have been raised before.
            raise errors.RemoteError(first.what, where=first.where, do=first.do)
        raise first

    # Progress

    def _note_commit(self, committed: Committed) -> None:
        self._intake.release(committed.frames, committed.size)
        self._lines += committed.lines
        self._index.note(committed.lines)
        self._recovered += committed.recovered
        self._gaps += committed.gaps

    async def _watch(self, watch: Callable[[Progress], None]) -> None:
        while True:
            watch(self.progress())
            await asyncio.sleep(PROGRESS_INTERVAL)

    def progress(self) -> Progress:
        """Return how recording goes."""
        now = time.monotonic()
        self._recent = [(at, lines) for at, lines in self._recent if at > now - 5]
        since, before = self._recent[0] if self._recent else (self._started, 0)
        self._recent.append((now, self._lines))
        refused_since = self._recorder.refused_since if self._recorder else None
        troubles = [
            f"{listener.server.name}: {listener.trouble.what}"
            for listener in self._listeners.values()
            if listener.trouble is not None
        ]
        return Progress(
            servers=len(self._listeners),
            live=sum(listener.is_live for listener in self._listeners.values()),
            lines=self._lines,
            recovered=self._recovered,
            gaps=self._gaps,
            lines_per_second=(self._lines - before) / max(now - since, 0.001),
            queued=self._intake.frames,
            dropped=self._intake.dropped,
            refused_for=None if refused_since is None else now - refused_since,
            trouble=troubles[-1] if troubles else None,
        )


class _Failed(NamedTuple):
    """Why listening to one server ended."""

    listener: Listener
    error: errors.ArchiverError


def _tell_failure(failed: _Failed) -> None:
    error = failed.error
    facts = {"server": failed.listener.server.identifier, "where": error.where, "do": error.do}
    log.error(error.what, extra={"action": "listening_ended", **facts})


class _End(Exception):  # noqa: N818  # not an error: it ends the group
    """Nothing more is to be listened to."""


def make_timing(settings: Settings) -> Timing:
    """Return the usual waits with the intervals that the settings name."""
    return Timing(
        commit_interval=settings.commit_interval,
        stats_interval=settings.stats_interval,
        discovery_interval=settings.discovery_interval,
        audit_interval=settings.audit_interval or math.inf,
    )


def tune_interpreter() -> None:
    """Set this process up for many small objects and two busy threads."""
    # Queued frames are many small objects that live for a second: with the usual
    # thresholds the collector of cycles goes through all of them again and again
    # (6 times as slow at 20,000 lines/s). And a thread that waits for its turn should
    # not hold up a hundred sockets for 5 ms each.
    gc.set_threshold(100_000, 50, 100)
    sys.setswitchinterval(0.001)


def run(
    settings: Settings,
    *,
    servers: Sequence[str] = (),
    once: bool = False,
    timing: Timing | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """
    Record in the foreground until SIGTERM or SIGINT; a second signal leaves at once.

    Arguments are those of `Ingest`, and *progress* of its ``run``.

    Raises:
        ArchiverError: As ``Ingest.run``.

    """
    tune_interpreter()
    ingest = Ingest(settings, servers=servers, once=once, timing=timing)
    asyncio.run(_run_until_signal(ingest, progress))


async def _run_until_signal(ingest: Ingest, progress: Callable[[Progress], None] | None) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        log.info("ending: what was read is committed", extra={"action": "stopping"})
        # The second one is not ours any more: it ends the process as if unhandled.
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        ingest.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await ingest.run(progress)


def _first_error(group: BaseExceptionGroup[errors.ArchiverError]) -> errors.ArchiverError:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, errors.ArchiverError)
    return first
