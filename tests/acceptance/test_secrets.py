"""No API key, token or password is anywhere but where the user has put it."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}")  # how every JWT begins: {"
PASSWORD = "correct-horse"


def leaks(found: bytes, *secrets: str) -> list[bytes]:
    """Return what of *found* is a secret."""
    known = [secret.encode() for secret in secrets if secret.encode() in found]
    return known + TOKEN.findall(found)


def command_line(pid: int) -> bytes:
    """Return what everybody on this machine can see of a process."""
    found = Path(f"/proc/{pid}/cmdline")
    if found.exists():
        return found.read_bytes()
    return subprocess.check_output(["ps", "-ww", "-o", "args=", "-p", str(pid)])


async def test_a_run_full_of_failures_leaves_no_secret_anywhere(serving, collect):
    async with serving(servers=2) as panel:
        world = panel.world
        key = panel.api_key
        issued = world.respond(
            "GET",
            f"/api/client/servers/{world.servers[0].uuid}/websocket",
            {"authorization": f"Bearer {key}", "accept": "application/json"},
        )
        assert leaks(issued.body), "a token would be found"

        collector = collect(panel)
        world.fail_requests(500, 2, body="<html>proxy</html>", containing="/websocket")
        await collector.start("-vv", "ingest")
        await collector.until_joined()
        assert leaks(command_line(collector.process.pid), key) == []

        known = collector.rows("SELECT max(id) FROM connections")[0][0]
        world.drop_sockets()
        world.forget("Counter")
        again = "SELECT count(*) FROM connections WHERE authenticated_at NOT NULL AND id > ?"
        await collector.until(lambda: collector.rows(again, known) == [(1,)], "the other one")
        await collector.until(lambda: "does not have this server" in collector.said(), "its loss")

        files = [
            path for path in collector.data_dir.rglob("*") if path.is_file()
        ]  # with the WAL, which an end removes
        assert {"archive.db", "archive.db-wal"} <= {path.name for path in files}
        for path in files:
            assert leaks(path.read_bytes(), key) == [], path
        assert await collector.send(signal.SIGTERM) == 0
    assert "HTTP 500" in collector.said()
    assert leaks(collector.log.read_bytes(), key) == []
    assert leaks(collector.path.read_bytes(), key) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("-vv", "ingest", "--once"),
        ("-vv", "status"),
        ("config", "show"),
        ("config", "show", "-o", "ndjson"),
        ("--config", "/nowhere.toml", "config", "show"),
        ("db", "current"),
    ],
    ids=" ".join,
)
async def test_no_command_shows_a_key_or_password(serving, collect, arguments):
    async with serving() as panel:
        collector = collect(panel)
        wrong = panel.api_key[::-1]
        # Nobody listens there; the key is of no use either.
        url = f"postgresql://ann:{PASSWORD}@127.0.0.1:1/console"
        ended = await collector.run(
            *arguments, ARCHIVER_API_KEY_FILE="", ARCHIVER_API_KEY=wrong, ARCHIVER_DATABASE_URL=url
        )
        shown = f"{ended.out}{ended.err}"
    assert ended.code in {0, 3}
    assert shown
    assert leaks(shown.encode(), wrong, panel.api_key, PASSWORD) == []


async def test_setup_writes_the_key_to_its_own_file_and_shows_it_nowhere(serving, collect):
    async with serving() as panel:
        collector = collect(panel)
        config = collector.key_file.with_name("config.toml")
        ended = await collector.run(
            *("--config", str(config), "setup"), given=f"{panel.url}\n{panel.api_key}\n"
        )
        assert ended.code == 0, ended.err
        shown = await collector.run("--config", str(config), "config", "show", "-o", "ndjson")
    files = [path for path in config.parent.iterdir() if panel.api_key in path.read_text()]
    assert files == [collector.key_file, *files[1:]]
    (written,) = files[1:]
    assert written.stat().st_mode & 0o077 == 0
    assert leaks(f"{ended}{shown}{config.read_text()}".encode(), panel.api_key) == []
    assert any(json.loads(line)["setting"] == "panels[0].url" for line in shown.out.splitlines())
