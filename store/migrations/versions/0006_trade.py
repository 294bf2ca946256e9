"""What is traded over Beckn: contracts, purchases, needs, reductions, messages, what is still owed; bookings.

This file stands alone: later changes of the store's own formats must not change what it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)


def _texts(*names):
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def upgrade() -> None:
    with op.batch_alter_table("bookings") as batch:
        batch.add_column(sa.Column("held_until", Instant))
        batch.add_column(sa.Column("contract_id", sa.String))
    op.create_index("bookings_by_contract", "bookings", ["contract_id"])
    op.create_table(
        "reductions",
        sa.Column("contract_id", sa.String, primary_key=True),
        sa.Column("site_id", sa.String, primary_key=True),
        sa.Column("starts", Instant, primary_key=True),
        sa.Column("baseline_kw", sa.Double, nullable=False),
        sa.Column("reduction_kw", sa.Double, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("held_until", Instant),
    )
    op.create_index("reductions_by_start", "reductions", ["starts", "state"])
    op.create_table(
        "contracts",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("contract_id", sa.String, nullable=False, unique=True),
        *_texts("side", "product", "transaction_id", "peer_id"),
        sa.Column("peer_uri", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        *(sa.Column(name, Instant, nullable=False) for name in ("starts", "ends", "created_at", "updated_at")),
        sa.Column("held_until", Instant),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("log_seq", sa.BigInteger),
    )
    op.create_index("contracts_by_state", "contracts", ["state", "ends"])
    op.create_index("contracts_by_transaction", "contracts", ["transaction_id"])
    op.create_table(
        "purchases",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("purchase_id", sa.String, nullable=False, unique=True),
        sa.Column("state", sa.String, nullable=False),
        *(sa.Column(name, Instant, nullable=False) for name in ("created_at", "updated_at")),
        sa.Column("deadline", Instant),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("purchases_by_state", "purchases", ["state"])
    op.create_table(
        "needs",
        sa.Column("need_id", sa.String, primary_key=True),
        sa.Column("peer_id", sa.String, nullable=False),
        sa.Column("peer_uri", sa.Text, nullable=False),
        *(sa.Column(name, Instant, nullable=False) for name in ("seen_at", "ends")),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("contract_id", sa.String),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("needs_by_end", "needs", ["ends"])
    op.create_table(
        "messages",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("once", sa.String, nullable=False, unique=True),
        *_texts("direction", "action", "message_id", "transaction_id", "peer_id"),
        sa.Column("at", Instant, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("contract_id", sa.String),
        sa.Column("code", sa.String),
    )
    op.create_index("messages_by_id", "messages", ["message_id"])
    op.create_index("messages_by_state", "messages", ["state", "number"])
    op.create_index("messages_by_contract", "messages", ["contract_id", "number"])
    op.create_index("messages_by_transaction", "messages", ["transaction_id", "number"])
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer, primary_key=True),
        *_texts("action", "message_id", "transaction_id", "peer_id"),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("request_signature", sa.Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("next_at", Instant),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("ended_at", Instant),
    )
    op.create_index("outbox_by_time", "outbox", ["state", "next_at"])
    op.create_index("outbox_by_stream", "outbox", ["stream", "state", "number"])


def downgrade() -> None:
    for table in ("outbox", "messages", "needs", "purchases", "contracts", "reductions"):
        op.drop_table(table)
    op.drop_index("bookings_by_contract", "bookings")
    with op.batch_alter_table("bookings") as batch:
        batch.drop_column("contract_id")
        batch.drop_column("held_until")
