"""Readings of the sites' meters; and beside each row of the ledger the forecast it began with and the room there was.

This file stands alone: later changes of the store's own formats must not change what it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ADDED = ("carbon_forecast_g_per_kwh", "room_kw")


def upgrade() -> None:
    op.create_table(
        "readings",
        sa.Column("site_id", sa.String, primary_key=True),
        sa.Column("settlement_date", sa.Date, primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("kwh", sa.JSON, nullable=False),
    )
    with op.batch_alter_table("slot_entries") as batch:
        for name in ADDED:
            batch.add_column(sa.Column(name, sa.Double))


def downgrade() -> None:
    with op.batch_alter_table("slot_entries") as batch:
        for name in ADDED:
            batch.drop_column(name)
    op.drop_table("readings")
