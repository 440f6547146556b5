import sqlite3

from archiver.store.revision import REVISION


def test_an_archive_is_made_and_says_its_revision(archiver, tmp_path):
    where = ("--data-dir", str(tmp_path / "new"))
    assert archiver(*where, "db", "current").code == 3
    assert archiver(*where, "db", "upgrade") == (
        0,
        "",
        f"the archive is at revision {REVISION}\n",
    )
    assert archiver(*where, "db", "current") == (0, f"{REVISION}\n", "")
    assert archiver(*where, "logs").code == 1


def test_another_revision_is_told_with_what_to_do(archiver, archive):
    connection = sqlite3.connect(archive / "archive.db")
    connection.execute("UPDATE alembic_version SET version_num = 'abcd'")
    connection.commit()
    connection.close()
    found = archiver("db", "current")
    assert (found.code, found.out) == (1, "abcd\n")
    assert "archiver db upgrade" in found.err
    refused = archiver("logs")
    assert refused.code == 3
    assert "'abcd'" in refused.err
    assert repr(REVISION) in refused.err
    assert "archiver db upgrade" in refused.err
