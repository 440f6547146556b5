"""What ``archiver logs --follow`` shows while collectors come and go."""

import asyncio
import json
import signal
from asyncio.subprocess import PIPE, Process

import pytest

PLACES = """
    SELECT s.identifier, l.seq FROM lines l JOIN servers s ON s.id = l.server_id ORDER BY l.id
"""


async def read_places(process: Process, count: int) -> list[tuple[str, int]]:
    """Server and seq of the first lines that were followed, when there are so many."""
    assert process.stdout is not None
    found: list[tuple[str, int]] = []
    while len(found) < count:
        line = json.loads(await process.stdout.readline())
        found.append((line["server"], line["seq"]))
    return found


@pytest.mark.timeout(100)
async def test_every_line_is_followed_once_though_collectors_are_killed(
    serving, collect, say, talking
):
    async with serving(servers=3, token_limit=None, request_limit=10**6) as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until_joined()
        process = await asyncio.create_subprocess_exec(
            *(*collector.program, "logs", "--follow", "-n", "all", "-o", "ndjson"),
            env=collector.environment(),
            stdout=PIPE,
            stderr=PIPE,
        )
        async with talking(panel.world):
            for _ in range(2):
                known = collector.count_lines()
                await collector.until(lambda known=known: collector.count_lines() > known, "lines")
                assert await collector.send(signal.SIGKILL) == -signal.SIGKILL
                await collector.start()
                await collector.until_joined()
        say(panel.world)
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0

        stored = collector.rows(PLACES)
        async with asyncio.timeout(20):
            followed = await read_places(process, len(stored))
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    # What is there at first comes by time, the rest in order of commit.
    assert sorted(followed) == sorted(stored)
    assert followed[-60:] == stored[-60:]
    assert (out, process.returncode) == (b"", 130)
    assert b"Warning" not in err
