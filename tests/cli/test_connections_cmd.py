TABLE = """\
CONNECTION SERVER SERVER_NAME OPENED AUTHENTICATED CLOSED CODE REASON LIVE RECOVERED REPEATED RENEWALS
1 1a2b3c4d Survival 14:00:00 14:00:00 14:00:12 1006 lost 2 0 0 0
2 1a2b3c4d Survival 14:02:40 14:02:40 - - - 0 0 0 0
"""


def test_a_listing_has_a_row_for_each(archiver, archive):
    result = archiver("connections", "--utc")
    rows = [line.split() for line in result.out.replace("2026-11-19 ", "").splitlines()]
    assert result.code == 0
    assert rows == [line.split() for line in TABLE.splitlines()]


def count(archiver, *arguments: str) -> int:
    return len(archiver("connections", "-o", "ndjson", "--utc", *arguments).out.splitlines())


def test_the_newest_can_be_asked_for_by_number_and_time(archiver, archive):
    assert count(archiver, "-S", "2026-11-19 14:01") == 1
    assert count(archiver, "-n", "1") == 1
    assert count(archiver, "-n", "all") == 2
    assert count(archiver, "2a2b3c4d") == 0
