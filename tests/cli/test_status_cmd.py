import json
import os
import re


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
