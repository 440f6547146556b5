"""
${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}

Rules of a migration:
- Released means frozen: never edit one that somebody may have run.
- It imports nothing of the archiver: tables.py goes on changing, this file does not.
- `lines` only gains nullable columns; its rows are never rewritten.
- Changes of a table go through `op.batch_alter_table`; every constraint has a name.
- Views that use a changed table are dropped before and created after. Their columns
  are public: none is renamed or removed within a major version.
- Both engines, upgrade and downgrade; revision.REVISION moves along, and
  tests/test_migrations.py gets rows to insert at the new revision.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
