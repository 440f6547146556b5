"""
The partitions of the block index: which lines are sealed, and in which files.

Revision ID: 0002
Revises: 0001

A partition holds every line whose id lies between two ids, both included. Ids are the
order of commit, so what is sealed is all up to one id, and what is not is the rest. A
row is written after the files are on the disk: files that no row names are nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite: the rowid itself
_COUNTERS = ("partition", "rebuild")


def upgrade() -> None:
    op.create_table(
        "partitions",
        sa.Column(
            "id", _ID, autoincrement=False, nullable=False, comment="number of the partition"
        ),
        sa.Column("first_id", sa.BigInteger(), nullable=False, comment="lines.id, the first"),
        sa.Column("last_id", sa.BigInteger(), nullable=False, comment="lines.id, the last"),
        sa.Column("lines", sa.BigInteger(), nullable=False, comment="sealed in it"),
        sa.Column("blocks", sa.BigInteger(), nullable=False, comment="that they form"),
        sa.Column("earliest_at", sa.BigInteger(), comment="of its lines; null: it has none"),
        sa.Column("latest_at", sa.BigInteger(), comment="of its lines; null: it has none"),
        sa.Column("directory", sa.Text(), nullable=False, comment="its name under index/"),
        sa.Column(
            "files", sa.Text(), nullable=False, comment="JSON: name to [size, CRC-32] of each"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was sealed"),
        sa.PrimaryKeyConstraint("id", name="pk_partitions"),
        sa.UniqueConstraint("first_id", name="uq_partitions_first_id"),
    )
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in _COUNTERS])


def downgrade() -> None:
    op.execute("DELETE FROM counters WHERE name IN ('partition', 'rebuild')")
    op.drop_table("partitions")
