TABLE = """\
RUN SERVER SERVER_NAME FIRST_SEEN STARTED ENDED ENDING EXIT_CODE OUT_OF_MEMORY NOTICED
1 1a2b3c4d Survival 14:00:00 - 14:00:02 ended by itself 0 - first
2 1a2b3c4d Survival 14:00:03 14:00:03 - - - - uptime
"""


def test_a_listing_has_a_row_for_each(archiver, archive):
    result = archiver("runs", "--utc")
    rows = [line.split() for line in result.out.replace("2026-11-19 ", "").splitlines()]
    assert result.code == 0
    assert rows == [line.split() for line in TABLE.splitlines()]


def test_one_server_s_can_be_asked_for(archiver, archive):
    assert archiver("runs", "2a2b3c4d").code == 1
    assert archiver("runs", "-s", "survival").code == 0
