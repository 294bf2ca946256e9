"""The first tables: jobs, slot entries, sites, assets, ticks, vintages and bookings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _instant(name, *, null=False):
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _words(*names):
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _reals(*names, null=False):
    return [sa.Column(name, sa.Double, nullable=null) for name in names]


def upgrade() -> None:
    _jobs()
    _slot_entries()
    _documents("site", "site_id")
    _documents("asset", "asset_id")
    _ticks()
    _vintages()
    _bookings()


def downgrade() -> None:
    for table in ("bookings", "vintages", "ticks", "asset", "site", "slot_entries", "jobs"):
        op.drop_table(table)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.String, nullable=False, unique=True),
        sa.Column("job_name", sa.Text, nullable=False),
        *_words("tenant", "flexibility_type", "status"),
        sa.Column("reason", sa.Text),
        sa.Column("site_id", sa.String),
        sa.Column("exit_status", sa.BigInteger),
        _instant("submitted_at"),
        _instant("updated_at"),
        sa.Column("document", sa.JSON, nullable=False),
    )
    op.create_index("jobs_by_status", "jobs", ["status", "number"])


def _slot_entries() -> None:
    op.create_table(
        "slot_entries",
        sa.Column("job_id", sa.String, primary_key=True),
        sa.Column("leg", sa.String, primary_key=True),
        sa.Column("slot_start", sa.DateTime(timezone=True), primary_key=True),
        *_words("site_id"),
        *_reals("power_kw", "pue", "price_gbp_per_kwh"),
        sa.Column("price_kind", sa.SmallInteger, nullable=False),
        *_reals("carbon_g_per_kwh"),
        sa.Column("carbon_kind", sa.SmallInteger, nullable=False),
        *_reals("delivered_kwh", null=True),
        sa.Column("settled", sa.Boolean, nullable=False),
    )
    op.create_index("slot_entries_by_slot", "slot_entries", ["slot_start", "leg"])
    op.create_index("slot_entries_unsettled", "slot_entries", ["settled", "slot_start"])


def _documents(table, key) -> None:
    op.create_table(
        table,
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column(key, sa.String, nullable=False, unique=True),
        sa.Column("document", sa.JSON, nullable=False),
    )


def _ticks() -> None:
    op.create_table(
        "ticks",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("tick_id", sa.String, nullable=False, unique=True),
        *_words("trigger"),
        _instant("started_at"),
        _instant("ended_at"),
        *_words("outcome"),
        sa.Column("detail", sa.Text, nullable=False),
        _instant("plan_start", null=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("slots", "jobs", "placed", "unserved", "rounds")),
        *_reals("objective_gbp", "bound_gbp", "gap", null=True),
        *_reals("wall_s", "churn"),
        sa.Column("log_seq", sa.BigInteger),
    )


def _vintages() -> None:
    op.create_table(
        "vintages",
        sa.Column("number", sa.Integer, primary_key=True),
        *_words("feed", "zone", "quantity", "sha256"),
        _instant("fetched_at"),
        _instant("starts"),
        _instant("ends"),
        *_words("unit"),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("feed", "zone", "quantity", "sha256", name="vintages_once"),
    )
    op.create_index("vintages_by_fetch", "vintages", ["feed", "zone", "quantity", "fetched_at"])


def _bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("booking_id", sa.String, primary_key=True),
        *_words("slot_id", "job_id", "site_id"),
        _instant("starts"),
        _instant("ends"),
        *_reals("power_kw", "price_gbp_per_kwh", "carbon_g_per_kwh"),
        *_words("state"),
        _instant("created_at"),
        sa.Column("log_seq", sa.BigInteger),
    )
    op.create_index("bookings_by_site", "bookings", ["site_id", "starts", "ends"])
    active = sa.text("state IN ('reserved', 'confirmed')")
    op.create_index(
        "bookings_active_slot", "bookings", ["slot_id"], unique=True, sqlite_where=active, postgresql_where=active
    )
