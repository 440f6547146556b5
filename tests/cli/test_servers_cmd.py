TABLE = """\
SERVER SERVER_NAME PANEL NODE UUID FIRST_SEEN LAST_SEEN DELETED
1a2b3c4d Survival main node1 1a2b3c4d-0000-4000-8000-000000000000 14:00:00 14:00:00 -
"""


def test_a_listing_has_a_row_for_each(archiver, archive):
    result = archiver("servers", "--utc")
    rows = [line.split() for line in result.out.replace("2026-11-19 ", "").splitlines()]
    assert result.code == 0
    assert rows[:2] == [line.split() for line in TABLE.splitlines()]


def test_a_deleted_server_is_listed_on_request(archiver, archive, open_writer):
    with open_writer() as writer:
        writer.mark_deleted(1, 1_795_096_900_000_000)
    assert "Survival" not in archiver("servers").out
    assert "2026-11-19 14:01:40" in archiver("servers", "--all", "--utc").out
    assert "Survival" not in archiver("status").out
