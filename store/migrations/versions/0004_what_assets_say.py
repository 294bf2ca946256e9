"""Assets without what nobody reads: their cost an hour, and whether they may be moved or slowed.

This file stands alone: later changes of the store's own formats must not change what it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

ASSETS = sa.table("asset", sa.column("position", sa.Integer), sa.column("document", sa.JSON))
DROPPED = {"is_deferrable": True, "is_throttlable": False, "hourly_cost_gbp": 0.0}


def upgrade() -> None:
    _rewrite(lambda document: {name: value for name, value in document.items() if name not in DROPPED})


def downgrade() -> None:
    """The defaults come back: what was said instead is lost."""
    _rewrite(lambda document: {**document, **DROPPED})


def _rewrite(changed) -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(ASSETS)).all():
        update = sa.update(ASSETS).where(ASSETS.c.position == row.position)
        connection.execute(update.values(document=changed(row.document)))
