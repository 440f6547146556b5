"""
Keep the index up to date beside a collector, in processes of their own.

Sealing takes a core for a moment, and the collector's event loop has sockets to read.
What a search finds does not depend on it: lines that are not sealed are looked at.
"""

import asyncio
import logging
import os
import sys
from contextlib import suppress

from archiver.config.settings import Settings
from archiver.store.partitions import unsealed
from archiver.store.reads import Reader

log = logging.getLogger(__name__)

LEAST = 20_000  # new lines that are worth a partition; fewer are looked at in milliseconds


class IndexUpdates:
    """
    Starts ``archiver index update`` whenever there is enough to seal.

    Args:
        settings: Name the archive and its index.

    """

    def __init__(self, settings: Settings) -> None:
        # Not on the command line, which everybody can see: the URL may hold a password.
        self._environ = {
            **os.environ,
            "ARCHIVER_DATA_DIR": str(settings.data_dir),
            "ARCHIVER_DATABASE_URL": settings.database_url,
            "ARCHIVER_CONFIG": str(settings.file or ""),
        }
        self._url = settings.database_url
        self._lines = 0  # that are not sealed yet, about
        self._enough = asyncio.Event()

    def note(self, lines: int) -> None:
        """Count *lines* that were committed."""
        self._lines += lines
        if self._lines >= LEAST:
            self._enough.set()

    async def run(self) -> None:
        """Update the index, again and again, until cancelled."""
        self.note(await asyncio.to_thread(_count_unsealed, self._url))
        while True:
            await self._enough.wait()
            self._enough.clear()
            self._lines = 0
            await self._update()

    async def _update(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "archiver", "index", "update", "--least", str(LEAST)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ,
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):  # it may have ended by itself
                process.terminate()
            await process.wait()
            raise
        if process.returncode:
            facts = {"code": process.returncode, "said": said.decode(errors="replace").strip()}
            log.warning(
                "the index could not be updated; searches take longer",
                extra={"action": "index_update_failed", **facts},
            )
        else:
            log.debug("the index is up to date", extra={"action": "index_updated"})


def _count_unsealed(url: str) -> int:
    """Return how many lines earlier collectors have left."""
    with Reader.open(url) as reader:
        archive = reader.partitions()
        left = unsealed(archive.rows(), archive.last_line_id())
        return sum(last - first + 1 for first, last in left)
