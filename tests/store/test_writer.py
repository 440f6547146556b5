"""The write side: numbers, registration, restart, retries."""

from archiver.console.records import Line, Records, Source, StreamState
from archiver.store.location import parse
from archiver.store.session import Session
from archiver.store.writer import Writer

NOW = 1_780_000_000_000_000


def line(seq, text="joined the game", **changes):
    plain = Line(
        seq, None, Source.LIVE, NOW + seq, 1, NOW + seq, None, None, None, None, 0, 1, text, None
    )
    return plain._replace(**changes)


def register(writer: Writer, uuid: str = "u1", **changes) -> int:
    facts = {
        "panel_origin": "https://panel.example",
        "panel_name": "main",
        "uuid": uuid,
        "identifier": uuid[:8],
        "name": "Lobby",
        "node": "node1",
        "seen_at": NOW,
    }
    return writer.register(**facts | changes)


def test_committed_lines_can_be_read_by_another_connection(writer, archive_url):
    server = register(writer)

    batch = writer.commit([Records(server, StreamState(next_seq=20), [line(10)])])

    session = Session.open(parse(archive_url))
    assert session.rows("SELECT id, server_id, seq, batch, text FROM lines") == [
        (1, server, 10, batch, "joined the game")
    ]
    session.close()
