import pytest

from archiver import errors
from archiver.store import location, revision

WHERE = location.parse("sqlite:////srv/archive.db")


def test_archive_of_this_revision_passes():
    revision.check(revision.REVISION, WHERE)


def test_archive_of_another_revision_is_refused_with_both_and_the_way_out():
    with pytest.raises(errors.SchemaOutOfDateError) as caught:
        revision.check("0000", WHERE)

    for part in ("'0000'", repr(revision.REVISION), "/srv/archive.db", "archiver db upgrade"):
        assert part in str(caught.value)


def test_archive_without_tables_is_refused_with_how_to_make_one():
    with pytest.raises(errors.StoreError, match="archiver ingest"):
        revision.check(None, WHERE)
