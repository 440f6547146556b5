"""
The tables of an archive, as SQLAlchemy sees them.

Times are integers: microseconds since the epoch, UTC (exact on both engines).
Small closed sets (``source``, ``at_kind``, ``flags``) are numbers with an enum in
:mod:`archiver.console.records`. Every id is given by the writer from ``counters``,
never by the database: SQLite hands out a deleted newest rowid again, and ids must
order rows as they were committed. There are no foreign keys: one writer writes
parents and children in one transaction, and a check per line would cost more than
the line.

People read the views (``v_lines`` and friends, in the first migration) instead.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite makes a column the rowid itself only if its type is exactly INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _key(comment: str, *, name: str = "id") -> Column[Any]:
    return Column(name, _Id, primary_key=True, autoincrement=False, comment=comment)


def _need(name: str, kind: type[TypeEngine[Any]], comment: str) -> Column[Any]:
    return Column(name, kind, nullable=False, comment=comment)


def _may(name: str, kind: type[TypeEngine[Any]], comment: str) -> Column[Any]:
    return Column(name, kind, nullable=True, comment=comment)


counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True, comment="what is numbered"),
    _need("value", BigInteger, "the last number given"),
)

collectors = Table(
    "collectors",
    metadata,
    _key("always 1: one collector per archive"),
    _need("pid", Integer, "process that records now"),
    _need("host", Text, "where it runs"),
    _need("since", BigInteger, "when it opened the archive"),
)

panels = Table(
    "panels",
    metadata,
    _key("number of the panel"),
    _need("origin", Text, "normalised origin of its URL"),
    _need("name", Text, "as configured"),
    UniqueConstraint("origin"),
)

servers = Table(
    "servers",
    metadata,
    _key("number of the server"),
    _need("panel_id", BigInteger, "panels.id"),
    _need("uuid", Text, "as the panel and daemon know it"),
    _need("identifier", Text, "short form, as in the panel's URLs"),
    _need("name", Text, "as last seen"),
    _need("node", Text, "as last seen"),
    _need("first_seen_at", BigInteger, "in the panel's list"),
    _need("last_seen_at", BigInteger, "in the panel's list"),
    _may("deleted_at", BigInteger, "gone from the panel's list; null: still there"),
    UniqueConstraint("panel_id", "uuid"),
)

streams = Table(
    "streams",
    metadata,
    _key("servers.id", name="server_id"),
    _need("next_seq", BigInteger, "for the next line"),
    _may("run_id", BigInteger, "current run; null: none known"),
    _may("confirmed_seq", BigInteger, "below it no insertion is expected"),
    _may("replay_size", Integer, "lines in a full replay, learned"),
    _may("rate", Float, "lines a second"),
    _may("last_frame_at", BigInteger, "last sign of life"),
    _may("keys", LargeBinary, "places and hashes of the last lines, which outlive their rows"),
)

runs = Table(
    "runs",
    metadata,
    _key("number of the run"),
    _need("server_id", BigInteger, "servers.id"),
    _need("first_seen_at", BigInteger, "when the archiver noticed it"),
    _need("noticed", Text, "by what: first connection, starting status, uptime"),
    _may("started_at", BigInteger, "running minimum of now - uptime"),
    _may("ended_at", BigInteger, "null: still running, or its end was not seen"),
    _may("exit_code", Integer, "null: not told"),
    _may("out_of_memory", Boolean, "null: not told"),
    Index(None, "server_id"),
)

connections = Table(
    "connections",
    metadata,
    _key("number of the connection"),
    _need("server_id", BigInteger, "servers.id"),
    _need("opened_at", BigInteger, "when the socket opened"),
    _may("authenticated_at", BigInteger, "live from here; null: never"),
    _may("closed_at", BigInteger, "null: open"),
    _may("close_code", Integer, "of the WebSocket"),
    _may("close_reason", Text, "words for a person"),
    _need("lines_live", BigInteger, "recorded as they were printed"),
    _need("lines_recovered", BigInteger, "replayed and new"),
    _need("lines_repeated", BigInteger, "replayed and already stored"),
    _need("renewals", Integer, "of its token"),
    Index(None, "server_id", "opened_at"),
)

frames = Table(
    "frames",
    metadata,
    _key("order of arrival"),
    _need("server_id", BigInteger, "servers.id"),
    _need("connection_id", BigInteger, "connections.id"),
    _need("asked", Boolean, "from the socket that asked for the replay"),
    _need("received_at", BigInteger, "when it arrived"),
    _need("frame", Text, "as received"),
    Index(None, "server_id"),
)

lines = Table(
    "lines",
    metadata,
    _key("order of commit; never reused"),
    _need("server_id", BigInteger, "servers.id"),
    _need("seq", BigInteger, "place in the stream: ordered, sparse, never changed"),
    _may("run_id", BigInteger, "runs.id; null: outside any known run"),
    _need("batch", BigInteger, "number of the transaction, without gaps"),
    _need("source", SmallInteger, "records.Source"),
    _need("at", BigInteger, "the best time there is"),
    _need("at_kind", SmallInteger, "records.AtKind: how it is known"),
    _need("observed_at", BigInteger, "when the archiver saw it"),
    _may("earliest_at", BigInteger, "replayed: not printed before this"),
    _may("timestamp", BigInteger, "what the line itself claims"),
    _may("level", SmallInteger, "OpenTelemetry severity number"),
    _may("thread", Text, "what the line itself claims"),
    _need("flags", SmallInteger, "records.Flag"),
    _may("connection_id", BigInteger, "connections.id; null: imported"),
    _need("text", Text, "searchable: no escape sequences"),
    _may("raw", Text, "as received; null: the same as text"),
    UniqueConstraint("server_id", "seq"),
    Index(None, "server_id", "at"),
)

gaps = Table(
    "gaps",
    metadata,
    _key("number of the gap"),
    _need("server_id", BigInteger, "servers.id"),
    _may("run_id", BigInteger, "runs.id"),
    _may("after_seq", BigInteger, "line before it; null: nothing is stored before"),
    _may("before_seq", BigInteger, "line after it; null: nothing yet"),
    _may("from_at", BigInteger, "null: no lower bound"),
    _need("to_at", BigInteger, "its end in time"),
    _need("reason", Text, "words for a person"),
    _need("lower", BigInteger, "at least so many lines are missing"),
    _may("upper", BigInteger, "at most so many; null: unknown"),
    _may("expected", BigInteger, "the likeliest number; null: no basis"),
    _may("closed_at", BigInteger, "later found complete; null: still a gap"),
    Index(None, "server_id", "to_at"),
)

status_changes = Table(
    "status_changes",
    metadata,
    _key("order of commit"),
    _need("server_id", BigInteger, "servers.id"),
    _may("run_id", BigInteger, "runs.id"),
    _need("at", BigInteger, "when it was seen"),
    _may("earliest_at", BigInteger, "last moment of the previous status; null: seen live"),
    _need("status", Text, "offline, starting, running, stopping"),
    _may("previous", Text, "null: the first that was seen"),
    _need("inferred", Boolean, "repaired from a stats sample"),
    Index(None, "server_id", "at"),
)

stats_samples = Table(
    "stats_samples",
    metadata,
    _key("servers.id", name="server_id"),
    Column("at", BigInteger, primary_key=True, autoincrement=False, comment="when it arrived"),
    _may("run_id", BigInteger, "runs.id"),
    _need("memory_bytes", BigInteger, "in use"),
    _need("memory_limit_bytes", BigInteger, "allowed"),
    _need("cpu_absolute", Float, "percent of one core"),
    _need("rx_bytes", BigInteger, "received since the run began"),
    _need("tx_bytes", BigInteger, "sent since the run began"),
    _need("disk_bytes", BigInteger, "in use"),
    _may("disk_read_bytes", BigInteger, "null: the daemon does not say"),
    _may("disk_write_bytes", BigInteger, "null: the daemon does not say"),
    _may("uptime_ms", BigInteger, "null: the daemon does not say"),
    _may("state", Text, "null: the daemon does not say"),
)

events = Table(
    "events",
    metadata,
    _key("number of the event"),
    _need("server_id", BigInteger, "servers.id"),
    _need("at", BigInteger, "when it arrived"),
    _need("event", Text, "its name on the socket"),
    _need("args", Text, "JSON text of a list"),
    _may("connection_id", BigInteger, "connections.id"),
    _need("count", BigInteger, "how often in a row"),
    _may("last_at", BigInteger, "of the last repeat; null: not repeated"),
    Index(None, "server_id", "at"),
)

partitions = Table(
    "partitions",
    metadata,
    _key("number of the partition"),
    _need("first_id", BigInteger, "lines.id, the first"),
    _need("last_id", BigInteger, "lines.id, the last"),
    _need("lines", BigInteger, "sealed in it"),
    _need("blocks", BigInteger, "that they form"),
    _may("earliest_at", BigInteger, "of its lines; null: it has none"),
    _may("latest_at", BigInteger, "of its lines; null: it has none"),
    _need("directory", Text, "its name under index/"),
    _need("files", Text, "JSON: name to [size, CRC-32] of each"),
    _need("created_at", BigInteger, "when it was sealed"),
    UniqueConstraint("first_id"),
)
