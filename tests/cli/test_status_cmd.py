import json
import os
import re
import subprocess
import sys


def test_status_says_that_nothing_records(archiver, archive):
    result = archiver("status", "--utc")
    assert (result.code, result.err) == (1, "not recording: start 'archiver ingest'\n")
    head, *rows = [re.split(r" {2,}", line) for line in result.out.splitlines()]
    row = dict(zip(head, next(row for row in rows if "Survival" in row), strict=True))
    assert row["CONNECTED"] == "no"
    assert row["LAST_LINE"] == "2026-11-19 14:02:41"


def test_status_says_who_records(archiver, archive, open_writer):
    with open_writer():
        result = archiver("status", "--utc", "-o", "ndjson")
    assert result.code == 0
    assert result.err.startswith(f"recording: process {os.getpid()} on ")
    assert json.loads(result.out.splitlines()[0])["status"] is None


def test_status_says_that_the_collector_was_killed(archiver, archive):
    code = (
        "import os, sys; from pathlib import Path; from archiver.store.writer import Writer;"
        "Writer.open(f'sqlite:///{sys.argv[1]}/archive.db', Path(sys.argv[1]), now=1); os._exit(9)"
    )
    command = [sys.executable, "-c", code, str(archive)]
    assert subprocess.run(command, check=False, timeout=20).returncode == 9
    result = archiver("status", "--utc")
    assert result.code == 1
    assert re.match(r"not recording: process \d+ on .* is dead; start 'archiver in", result.err)
