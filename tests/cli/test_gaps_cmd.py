import json

TABLE = """\
GAP SERVER SERVER_NAME RUN FROM TO MISSING REASON CLOSED
1 1a2b3c4d Survival - 14:00:12 14:02:40 at least 12 reconnect after 148 s -
"""


def test_a_listing_has_a_row_for_each(archiver, archive):
    result = archiver("gaps", "--utc")
    rows = [line.split() for line in result.out.replace("2026-11-19 ", "").splitlines()]
    assert result.code == 0
    assert rows == [line.split() for line in TABLE.splitlines()]


def test_programs_get_the_numbers(archiver, archive):
    (row,) = map(json.loads, archiver("gaps", "-o", "ndjson").out.splitlines())
    assert (row["at_least"], row["at_most"], row["likely"]) == (12, None, None)
    assert "missing" not in row


def count(archiver, *arguments: str) -> int:
    return len(archiver("gaps", "-o", "ndjson", "--utc", *arguments).out.splitlines())


def test_gaps_of_a_time_or_a_server_can_be_asked_for(archiver, archive):
    assert count(archiver, "-S", "2026-11-19 14:02") == 1
    assert count(archiver, "-S", "2026-11-19 14:03") == 0
    assert count(archiver, "-U", "2026-11-19 14:00:12") == 0
    assert count(archiver, "-s", "2a2b3c4d") == 0


def test_gaps_that_were_found_complete_are_shown_on_request(archiver, archive):
    assert count(archiver, "--all") == 2
