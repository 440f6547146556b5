import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.cli import ingest_cmd
from archiver.cli.ingest_cmd import describe
from archiver.operations.ingest import Progress

PROGRESS = Progress(
    servers=3,
    live=2,
    lines=12_345,
    recovered=40,
    gaps=1,
    lines_per_second=17.6,
    queued=0,
    dropped=0,
    refused_for=None,
    trouble=None,
)


def test_progress_is_one_line():
    assert describe(PROGRESS) == "2/3 servers  18 lines/s  12,345 lines  40 recovered  1 gap"


def test_trouble_is_told_safely_and_what_matters_most_comes_first():
    text = describe(Progress(3, 0, 0, 0, 0, 0.0, 5, 1_000, 12.4, "refused \x1b[2J\n  where: node1"))
    assert text == (
        "the store has refused for 12 s  1,000 frames dropped  0/3 servers  0 lines/s  0 lines"
        "  0 recovered  0 gaps  refused \\u001b[2J"
    )


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A panel with two servers; its URL, and a file that everyone can read with its key."""
    command = [sys.executable, "-m", "archiver.simulator", "--servers", "2", "--rate", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        key = tmp_path / "key"
        key.write_text(told["api_key"], encoding="utf-8")
        key.chmod(0o644)
        yield {"url": told["url"], "key": told["api_key"], "file": str(key)}
        process.terminate()


def test_once_takes_the_backlog_of_the_named_servers_and_ends(archiver, simulator, data_dir):
    options = ["--panel-url", simulator["url"], "--api-key-file", simulator["file"]]
    name = "*"
    for _ in range(2):  # all, then one by its identifier
        result = subprocess.run(
            [sys.executable, "-m", "archiver", "ingest", "--once", "-s", name, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=25,
        )
        assert (result.returncode, result.stdout) == (0, ""), result.stderr
        assert f"chmod 600 {simulator['file']}" in result.stderr
        assert simulator["key"] not in result.stderr
        servers = [
            json.loads(line) for line in archiver("servers", "-o", "ndjson").out.splitlines()
        ]
        assert len(servers) == 2
        name = servers[0]["server"]
    assert len(archiver("connections", name, "-o", "ndjson").out.splitlines()) > len(
        archiver("connections", servers[1]["server"], "-o", "ndjson").out.splitlines()
    )
    assert archiver("logs").code == 0


def test_a_person_sees_one_line_of_progress(capsys, terminal):
    ingest_cmd._show(PROGRESS)
    assert capsys.readouterr() == ("", f"\r\x1b[2K{describe(PROGRESS)}")
