"""
The first schema: tables, their counters, and the views that people read.

Revision ID: 0001
Revises:

The views are public, for Datasette, DuckDB, sqlite-utils and psql, and stable within
a major version. They have names where the tables have numbers, times as text (ISO
8601, microseconds, Z), 1 and 0 for yes and no, and null where something is not known.
`server` is the panel's identifier; the columns of `v_lines` are the keys of NDJSON.
Text times cannot use an index: to read a range of a large archive, ask the table
`lines` for `server_id` and `at`, or the program for an export.

v_lines        every line; `raw` as received, null where it is the same as `text`;
               `at` is the best time there is, `at_kind` says how it is known:
               observed (live), claimed (the line says so), before (replayed: it was
               printed between `earliest_at` and `at`)
v_gaps         where lines are missing, or may be: between `after_seq` and `before_seq`,
               at least `lower` and at most `upper`; `closed_at`: later found complete
v_status       each change of a server's status; `inferred`: seen late, in the stats
v_stats        samples of memory, processor, network and disk; counters are of the run
v_runs         each life of a game process
v_connections  each connection to a console, and what came over it
v_events       everything else that was received; `count` repeats in a row
v_servers      every server that was ever recorded
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite: the rowid itself

_COUNTERS = (
    "batch",
    "commit",
    "connection",
    "event",
    "frame",
    "gap",
    "line",
    "panel",
    "run",
    "server",
    "status_change",
)

# A column is its expression and its name; '@x' is the time x as text, '?x' is x as 1 or 0.
_SERVER = "s.identifier server, s.name server_name"
_VIEWS = {
    "v_lines": (
        f"""
        {_SERVER}, t.seq, t.run_id run, @observed_at, @earliest_at, @timestamp, @at,
        CASE t.at_kind WHEN 1 THEN 'observed' WHEN 2 THEN 'claimed' WHEN 3 THEN 'before' END at_kind,
        CASE t.source WHEN 1 THEN 'live' WHEN 2 THEN 'replay' WHEN 3 THEN 'daemon'
            WHEN 4 THEN 'message' WHEN 5 THEN 'install' WHEN 6 THEN 'transfer'
            WHEN 7 THEN 'import' END source,
        CASE WHEN t.level IS NULL THEN NULL WHEN t.level < 5 THEN 'trace'
            WHEN t.level < 9 THEN 'debug' WHEN t.level < 13 THEN 'info'
            WHEN t.level < 17 THEN 'warn' WHEN t.level < 21 THEN 'error'
            ELSE 'fatal' END level,
        t.text, t.raw
        """,
        "lines",
    ),
    "v_gaps": (
        f"""
        {_SERVER}, t.run_id run, t.after_seq, t.before_seq, @from_at, @to_at, t.reason,
        t.lower, t.upper, t.expected, @closed_at
        """,
        "gaps",
    ),
    "v_status": (
        f"{_SERVER}, t.run_id run, @at, @earliest_at, t.status, t.previous, ?inferred",
        "status_changes",
    ),
    "v_stats": (
        f"""
        {_SERVER}, t.run_id run, @at, t.memory_bytes, t.memory_limit_bytes, t.cpu_absolute,
        t.rx_bytes, t.tx_bytes, t.disk_bytes, t.disk_read_bytes, t.disk_write_bytes,
        t.uptime_ms, t.state
        """,
        "stats_samples",
    ),
    "v_runs": (
        f"""
        {_SERVER}, t.id run, @first_seen_at, t.noticed, @started_at, @ended_at, t.exit_code,
        ?out_of_memory
        """,
        "runs",
    ),
    "v_connections": (
        f"""
        {_SERVER}, t.id connection, @opened_at, @authenticated_at, @closed_at, t.close_code,
        t.close_reason, t.lines_live, t.lines_recovered, t.lines_repeated, t.renewals
        """,
        "connections",
    ),
    "v_events": (
        f"{_SERVER}, @at, t.event, t.args, t.connection_id connection, t.count, @last_at",
        "events",
    ),
    "v_servers": (
        """
        t.identifier server, t.name server_name, p.name panel, p.origin panel_origin, t.uuid,
        t.node, @first_seen_at, @last_seen_at, @deleted_at
        """,
        "servers",
    ),
}

_TIME = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S', t.{0} / 1000000, 'unixepoch')"
    " || printf('.%06dZ', t.{0} % 1000000)",
    # Interval arithmetic is exact; to_timestamp() goes through floating point.
    "postgresql": "to_char(timestamp '1970-01-01' + t.{0} * interval '1 microsecond',"
    """ 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
}


def _create_view(name: str) -> None:
    columns, table = _VIEWS[name]
    time = _TIME[op.get_bind().dialect.name]
    columns = re.sub(r"@(\w+)", lambda found: f"{time.format(found[1])} AS {found[1]}", columns)
    columns = re.sub(r"\?(\w+)", r"CASE WHEN t.\1 THEN 1 WHEN NOT t.\1 THEN 0 END AS \1", columns)
    join = (
        "JOIN panels p ON p.id = t.panel_id"
        if table == "servers"
        else ("JOIN servers s ON s.id = t.server_id")
    )
    # exec_driver_sql: the colons in the text are not parameters.
    op.get_bind().exec_driver_sql(
        f"CREATE VIEW {name} AS SELECT {columns} FROM {table} t {join}"  # noqa: S608  # constants above
    )


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False, comment="what is numbered"),
        sa.Column("value", sa.BigInteger(), nullable=False, comment="the last number given"),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "collectors",
        sa.Column(
            "id",
            _ID,
            autoincrement=False,
            nullable=False,
            comment="always 1: one collector per archive",
        ),
        sa.Column("pid", sa.Integer(), nullable=False, comment="process that records now"),
        sa.Column("host", sa.Text(), nullable=False, comment="where it runs"),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="when it opened the archive"),
        sa.PrimaryKeyConstraint("id", name="pk_collectors"),
    )
    op.create_table(
        "panels",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="number of the panel"),
        sa.Column("origin", sa.Text(), nullable=False, comment="normalised origin of its URL"),
        sa.Column("name", sa.Text(), nullable=False, comment="as configured"),
        sa.PrimaryKeyConstraint("id", name="pk_panels"),
        sa.UniqueConstraint("origin", name="uq_panels_origin"),
    )
    op.create_table(
        "servers",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="number of the server"),
        sa.Column("panel_id", sa.BigInteger(), nullable=False, comment="panels.id"),
        sa.Column("uuid", sa.Text(), nullable=False, comment="as the panel and daemon know it"),
        sa.Column(
            "identifier", sa.Text(), nullable=False, comment="short form, as in the panel's URLs"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="as last seen"),
        sa.Column("node", sa.Text(), nullable=False, comment="as last seen"),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False, comment="in the panel's list"),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False, comment="in the panel's list"),
        sa.Column(
            "deleted_at", sa.BigInteger(), comment="gone from the panel's list; null: still there"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
        sa.UniqueConstraint("panel_id", "uuid", name="uq_servers_panel_id_uuid"),
    )
    op.create_table(
        "streams",
        sa.Column("server_id", _ID, autoincrement=False, nullable=False, comment="servers.id"),
        sa.Column("next_seq", sa.BigInteger(), nullable=False, comment="for the next line"),
        sa.Column("run_id", sa.BigInteger(), comment="current run; null: none known"),
        sa.Column("confirmed_seq", sa.BigInteger(), comment="below it no insertion is expected"),
        sa.Column("replay_size", sa.Integer(), comment="lines in a full replay, learned"),
        sa.Column("rate", sa.Float(), comment="lines a second"),
        sa.Column("last_frame_at", sa.BigInteger(), comment="last sign of life"),
        sa.Column(
            "keys",
            sa.LargeBinary(),
            comment="places and hashes of the last lines, which outlive their rows",
        ),
        sa.PrimaryKeyConstraint("server_id", name="pk_streams"),
    )

    op.create_table(
        "runs",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="number of the run"),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column(
            "first_seen_at", sa.BigInteger(), nullable=False, comment="when the archiver noticed it"
        ),
        sa.Column(
            "noticed",
            sa.Text(),
            nullable=False,
            comment="by what: first connection, starting status, uptime",
        ),
        sa.Column("started_at", sa.BigInteger(), comment="running minimum of now - uptime"),
        sa.Column(
            "ended_at", sa.BigInteger(), comment="null: still running, or its end was not seen"
        ),
        sa.Column("exit_code", sa.Integer(), comment="null: not told"),
        sa.Column("out_of_memory", sa.Boolean(), comment="null: not told"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_server_id", "runs", ["server_id"])
    op.create_table(
        "connections",
        sa.Column(
            "id", _ID, autoincrement=False, nullable=False, comment="number of the connection"
        ),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column("opened_at", sa.BigInteger(), nullable=False, comment="when the socket opened"),
        sa.Column("authenticated_at", sa.BigInteger(), comment="live from here; null: never"),
        sa.Column("closed_at", sa.BigInteger(), comment="null: open"),
        sa.Column("close_code", sa.Integer(), comment="of the WebSocket"),
        sa.Column("close_reason", sa.Text(), comment="words for a person"),
        sa.Column(
            "lines_live", sa.BigInteger(), nullable=False, comment="recorded as they were printed"
        ),
        sa.Column("lines_recovered", sa.BigInteger(), nullable=False, comment="replayed and new"),
        sa.Column(
            "lines_repeated", sa.BigInteger(), nullable=False, comment="replayed and already stored"
        ),
        sa.Column("renewals", sa.Integer(), nullable=False, comment="of its token"),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
    )
    op.create_index("ix_connections_server_id_opened_at", "connections", ["server_id", "opened_at"])
    op.create_table(
        "frames",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="order of arrival"),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="connections.id"),
        sa.Column(
            "asked",
            sa.Boolean(),
            nullable=False,
            comment="from the socket that asked for the replay",
        ),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="when it arrived"),
        sa.Column("frame", sa.Text(), nullable=False, comment="as received"),
        sa.PrimaryKeyConstraint("id", name="pk_frames"),
    )
    op.create_index("ix_frames_server_id", "frames", ["server_id"])
    op.create_table(
        "lines",
        sa.Column(
            "id", _ID, autoincrement=False, nullable=False, comment="order of commit; never reused"
        ),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=False,
            comment="place in the stream: ordered, sparse, never changed",
        ),
        sa.Column("run_id", sa.BigInteger(), comment="runs.id; null: outside any known run"),
        sa.Column(
            "batch",
            sa.BigInteger(),
            nullable=False,
            comment="number of the transaction, without gaps",
        ),
        sa.Column("source", sa.SmallInteger(), nullable=False, comment="records.Source"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="the best time there is"),
        sa.Column(
            "at_kind", sa.SmallInteger(), nullable=False, comment="records.AtKind: how it is known"
        ),
        sa.Column(
            "observed_at", sa.BigInteger(), nullable=False, comment="when the archiver saw it"
        ),
        sa.Column("earliest_at", sa.BigInteger(), comment="replayed: not printed before this"),
        sa.Column("timestamp", sa.BigInteger(), comment="what the line itself claims"),
        sa.Column("level", sa.SmallInteger(), comment="OpenTelemetry severity number"),
        sa.Column("thread", sa.Text(), comment="what the line itself claims"),
        sa.Column("flags", sa.SmallInteger(), nullable=False, comment="records.Flag"),
        sa.Column("connection_id", sa.BigInteger(), comment="connections.id; null: imported"),
        sa.Column("text", sa.Text(), nullable=False, comment="searchable: no escape sequences"),
        sa.Column("raw", sa.Text(), comment="as received; null: the same as text"),
        sa.PrimaryKeyConstraint("id", name="pk_lines"),
        sa.UniqueConstraint("server_id", "seq", name="uq_lines_server_id_seq"),
    )
    op.create_index("ix_lines_server_id_at", "lines", ["server_id", "at"])
    op.create_table(
        "gaps",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="number of the gap"),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column("run_id", sa.BigInteger(), comment="runs.id"),
        sa.Column(
            "after_seq", sa.BigInteger(), comment="line before it; null: nothing is stored before"
        ),
        sa.Column("before_seq", sa.BigInteger(), comment="line after it; null: nothing yet"),
        sa.Column("from_at", sa.BigInteger(), comment="null: no lower bound"),
        sa.Column("to_at", sa.BigInteger(), nullable=False, comment="its end in time"),
        sa.Column("reason", sa.Text(), nullable=False, comment="words for a person"),
        sa.Column(
            "lower", sa.BigInteger(), nullable=False, comment="at least so many lines are missing"
        ),
        sa.Column("upper", sa.BigInteger(), comment="at most so many; null: unknown"),
        sa.Column("expected", sa.BigInteger(), comment="the likeliest number; null: no basis"),
        sa.Column("closed_at", sa.BigInteger(), comment="later found complete; null: still a gap"),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
    )
    op.create_index("ix_gaps_server_id_to_at", "gaps", ["server_id", "to_at"])
    op.create_table(
        "status_changes",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="order of commit"),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column("run_id", sa.BigInteger(), comment="runs.id"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when it was seen"),
        sa.Column(
            "earliest_at",
            sa.BigInteger(),
            comment="last moment of the previous status; null: seen live",
        ),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="offline, starting, running, stopping"
        ),
        sa.Column("previous", sa.Text(), comment="null: the first that was seen"),
        sa.Column("inferred", sa.Boolean(), nullable=False, comment="repaired from a stats sample"),
        sa.PrimaryKeyConstraint("id", name="pk_status_changes"),
    )
    op.create_index("ix_status_changes_server_id_at", "status_changes", ["server_id", "at"])
    op.create_table(
        "stats_samples",
        sa.Column("server_id", _ID, autoincrement=False, nullable=False, comment="servers.id"),
        sa.Column(
            "at", sa.BigInteger(), autoincrement=False, nullable=False, comment="when it arrived"
        ),
        sa.Column("run_id", sa.BigInteger(), comment="runs.id"),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False, comment="in use"),
        sa.Column("memory_limit_bytes", sa.BigInteger(), nullable=False, comment="allowed"),
        sa.Column("cpu_absolute", sa.Float(), nullable=False, comment="percent of one core"),
        sa.Column(
            "rx_bytes", sa.BigInteger(), nullable=False, comment="received since the run began"
        ),
        sa.Column("tx_bytes", sa.BigInteger(), nullable=False, comment="sent since the run began"),
        sa.Column("disk_bytes", sa.BigInteger(), nullable=False, comment="in use"),
        sa.Column("disk_read_bytes", sa.BigInteger(), comment="null: the daemon does not say"),
        sa.Column("disk_write_bytes", sa.BigInteger(), comment="null: the daemon does not say"),
        sa.Column("uptime_ms", sa.BigInteger(), comment="null: the daemon does not say"),
        sa.Column("state", sa.Text(), comment="null: the daemon does not say"),
        sa.PrimaryKeyConstraint("server_id", "at", name="pk_stats_samples"),
    )
    op.create_table(
        "events",
        sa.Column("id", _ID, autoincrement=False, nullable=False, comment="number of the event"),
        sa.Column("server_id", sa.BigInteger(), nullable=False, comment="servers.id"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when it arrived"),
        sa.Column("event", sa.Text(), nullable=False, comment="its name on the socket"),
        sa.Column("args", sa.Text(), nullable=False, comment="JSON text of a list"),
        sa.Column("connection_id", sa.BigInteger(), comment="connections.id"),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="how often in a row"),
        sa.Column("last_at", sa.BigInteger(), comment="of the last repeat; null: not repeated"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_server_id_at", "events", ["server_id", "at"])
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in _COUNTERS])
    for view in _VIEWS:
        _create_view(view)


def downgrade() -> None:
    for view in _VIEWS:
        op.execute(f"DROP VIEW {view}")
    op.drop_table("events")
    op.drop_table("stats_samples")
    op.drop_table("status_changes")
    op.drop_table("gaps")
    op.drop_table("lines")
    op.drop_table("frames")
    op.drop_table("connections")
    op.drop_table("runs")
    op.drop_table("streams")
    op.drop_table("servers")
    op.drop_table("panels")
    op.drop_table("collectors")
    op.drop_table("counters")
