from dataclasses import fields, is_dataclass

import pytest

from archiver.console import records
from archiver.store import rows, tables


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=str)
def test_every_column_says_what_it_holds(table):
    assert [column.name for column in table.columns if not column.comment] == []


@pytest.mark.parametrize(
    ("kind", "table", "added"),
    [
        (records.Line, tables.lines, {"id", "server_id", "batch"}),
        (records.Run, tables.runs, {"server_id"}),
        (records.Connection, tables.connections, {"server_id"}),
        (records.Gap, tables.gaps, {"server_id"}),
        (records.Event, tables.events, {"server_id"}),
        (records.StatusChange, tables.status_changes, {"id", "server_id"}),
        (records.StatsSample, tables.stats_samples, {"server_id"}),
        (records.Frame, tables.frames, {"id", "server_id"}),
        (records.StreamState, tables.streams, {"server_id", "keys"}),
    ],
)
def test_table_holds_what_its_record_holds(kind, table, added):
    names = {field.name for field in fields(kind)} if is_dataclass(kind) else set(kind._fields)

    assert set(table.columns.keys()) == names | added


@pytest.mark.parametrize(
    ("kind", "table", "left_out"),
    [
        (rows.LineRow, tables.lines, {"connection_id"}),
        (rows.RunRow, tables.runs, set()),
        (rows.ConnectionRow, tables.connections, set()),
        (rows.GapRow, tables.gaps, set()),
    ],
)
def test_row_of_a_reader_has_the_columns_of_its_table(kind, table, left_out):
    assert set(kind._fields[:-2]) == set(table.columns.keys()) - left_out
    assert kind._fields[-2:] == ("identifier", "server_name")
