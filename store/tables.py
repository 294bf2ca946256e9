"""The tables. The mapping to the words of ``core`` stands with each repository."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from core.slots import require_aware


class Instant(TypeDecorator[datetime]):
    """An aware UTC time: ``timestamptz`` on PostgreSQL; on SQLite, which has no such type, text in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        utc = require_aware(value)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _instant(name: str, *, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, Instant, nullable=null)


def _number() -> sa.Column[int]:
    """Order of arrival: times alone do not tell, because a replay's clock stands still between ticks."""
    return sa.Column("number", sa.Integer, primary_key=True)


metadata = sa.MetaData()

jobs = sa.Table(
    "jobs",
    metadata,
    _number(),
    sa.Column("job_id", sa.String, nullable=False, unique=True),
    sa.Column("job_name", sa.Text, nullable=False),
    sa.Column("tenant", sa.String, nullable=False),
    sa.Column("flexibility_type", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("site_id", sa.String),
    sa.Column("exit_status", sa.BigInteger),
    _instant("submitted_at"),
    _instant("updated_at"),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Index("jobs_by_status", "status", "number"),
    sa.Index("jobs_by_submission", "submitted_at"),
)

slot_entries = sa.Table(
    "slot_entries",
    metadata,
    sa.Column("job_id", sa.String, primary_key=True),
    sa.Column("leg", sa.String, primary_key=True),
    sa.Column("slot_start", Instant, primary_key=True),
    sa.Column("site_id", sa.String, nullable=False),
    sa.Column("power_kw", sa.Double, nullable=False),
    sa.Column("pue", sa.Double, nullable=False),
    sa.Column("price_gbp_per_kwh", sa.Double, nullable=False),
    sa.Column("price_kind", sa.SmallInteger, nullable=False),
    sa.Column("carbon_g_per_kwh", sa.Double, nullable=False),
    sa.Column("carbon_kind", sa.SmallInteger, nullable=False),
    sa.Column("delivered_kwh", sa.Double),
    sa.Column("settled", sa.Boolean, nullable=False),
    sa.Column("carbon_forecast_g_per_kwh", sa.Double),
    sa.Column("room_kw", sa.Double),
    sa.Index("slot_entries_by_slot", "slot_start", "leg"),
    sa.Index("slot_entries_unsettled", "settled", "slot_start"),
)


readings = sa.Table(
    "readings",
    metadata,
    sa.Column("site_id", sa.String, primary_key=True),
    sa.Column("settlement_date", sa.Date, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("kwh", sa.JSON, nullable=False),
)


def _documents(name: str, key: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column(key, sa.String, nullable=False, unique=True),
        sa.Column("document", sa.JSON, nullable=False),
    )


sites = _documents("site", "site_id")
assets = _documents("asset", "asset_id")

ticks = sa.Table(
    "ticks",
    metadata,
    _number(),
    sa.Column("tick_id", sa.String, nullable=False, unique=True),
    sa.Column("trigger", sa.String, nullable=False),
    _instant("started_at"),
    _instant("ended_at"),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    _instant("plan_start", null=True),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("slots", "jobs", "placed", "unserved", "rounds")),
    *(sa.Column(name, sa.Double) for name in ("objective_gbp", "bound_gbp", "gap")),
    *(sa.Column(name, sa.Double, nullable=False) for name in ("wall_s", "churn")),
    sa.Column("log_seq", sa.BigInteger),
)

bodies = sa.Table(
    "bodies",
    metadata,
    sa.Column("sha256", sa.String, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

fetches = sa.Table(
    "fetches",
    metadata,
    _number(),
    sa.Column("fetch_id", sa.String, nullable=False, unique=True),
    sa.Column("feed", sa.String, nullable=False),
    sa.Column("zone", sa.String, nullable=False),
    _instant("fetched_at"),
    _instant("starts"),
    _instant("ends"),
    sa.Column("error", sa.Text),
    sa.Index("fetches_by_feed", "feed", "zone", "fetched_at"),
    sa.Index("fetches_by_time", "fetched_at"),
)


def _of_fetch() -> sa.Column[str]:
    return sa.Column("fetch_id", sa.String, sa.ForeignKey("fetches.fetch_id", ondelete="CASCADE"), primary_key=True)


answers = sa.Table(
    "answers",
    metadata,
    _of_fetch(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("sha256", sa.String, sa.ForeignKey("bodies.sha256"), nullable=False),
    sa.Index("answers_by_body", "sha256"),
)

vintages = sa.Table(
    "vintages",
    metadata,
    _of_fetch(),
    sa.Column("quantity", sa.String, primary_key=True),
    _instant("starts"),
    _instant("ends"),
    sa.Column("unit", sa.String, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("stale", sa.Boolean, nullable=False),
    sa.Column("figures", sa.LargeBinary, nullable=False),
)

# SQLite keeps a table without row numbers in the order of its key: a year is read in one run of pages.
history = sa.Table(
    "history",
    metadata,
    sa.Column("zone", sa.String, primary_key=True),
    sa.Column("quantity", sa.String, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("feed", sa.String, primary_key=True),
    sa.Column("figures", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

scores = sa.Table(
    "scores",
    metadata,
    *(sa.Column(name, sa.String, primary_key=True) for name in ("model", "zone", "quantity")),
    sa.Column("day_ahead", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("scored_at", Instant, primary_key=True),
    sa.Column("slots", sa.Integer, nullable=False),
    *(sa.Column(name, sa.Double) for name in ("mae", "naive_mae", "slot_mean_mae", "coverage", "level")),
    sa.Index("scores_by_zone", "zone", "quantity", "scored_at"),
)

_ACTIVE = sa.text("state IN ('reserved', 'confirmed')")
bookings = sa.Table(
    "bookings",
    metadata,
    sa.Column("booking_id", sa.String, primary_key=True),
    sa.Column("slot_id", sa.String, nullable=False),
    sa.Column("job_id", sa.String, nullable=False),
    sa.Column("site_id", sa.String, nullable=False),
    _instant("starts"),
    _instant("ends"),
    sa.Column("power_kw", sa.Double, nullable=False),
    sa.Column("price_gbp_per_kwh", sa.Double, nullable=False),
    sa.Column("carbon_g_per_kwh", sa.Double, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    _instant("created_at"),
    sa.Column("log_seq", sa.BigInteger),
    _instant("held_until", null=True),
    sa.Column("contract_id", sa.String),
    sa.Index("bookings_by_site", "site_id", "starts", "ends"),
    sa.Index("bookings_by_contract", "contract_id"),
    sa.Index("bookings_active_slot", "slot_id", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
)

reductions = sa.Table(
    "reductions",
    metadata,
    sa.Column("contract_id", sa.String, primary_key=True),
    sa.Column("site_id", sa.String, primary_key=True),
    sa.Column("starts", Instant, primary_key=True),
    sa.Column("baseline_kw", sa.Double, nullable=False),
    sa.Column("reduction_kw", sa.Double, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    _instant("held_until", null=True),
    sa.Index("reductions_by_start", "starts", "state"),
)

contracts = sa.Table(
    "contracts",
    metadata,
    _number(),
    sa.Column("contract_id", sa.String, nullable=False, unique=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("side", "product", "transaction_id", "peer_id")),
    sa.Column("peer_uri", sa.Text, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    _instant("starts"),
    _instant("ends"),
    _instant("created_at"),
    _instant("updated_at"),
    _instant("held_until", null=True),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("log_seq", sa.BigInteger),
    sa.Index("contracts_by_state", "state", "ends"),
    sa.Index("contracts_by_transaction", "transaction_id"),
)

purchases = sa.Table(
    "purchases",
    metadata,
    _number(),
    sa.Column("purchase_id", sa.String, nullable=False, unique=True),
    sa.Column("state", sa.String, nullable=False),
    _instant("created_at"),
    _instant("updated_at"),
    _instant("deadline", null=True),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("purchases_by_state", "state"),
)

needs = sa.Table(
    "needs",
    metadata,
    sa.Column("need_id", sa.String, primary_key=True),
    sa.Column("peer_id", sa.String, nullable=False),
    sa.Column("peer_uri", sa.Text, nullable=False),
    _instant("seen_at"),
    _instant("ends"),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("contract_id", sa.String),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("needs_by_end", "ends"),
)

messages = sa.Table(
    "messages",
    metadata,
    _number(),
    sa.Column("once", sa.String, nullable=False, unique=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("direction", "action", "message_id", "transaction_id")),
    sa.Column("peer_id", sa.String, nullable=False),
    _instant("at"),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("contract_id", sa.String),
    sa.Column("code", sa.String),
    sa.Index("messages_by_id", "message_id"),
    sa.Index("messages_by_state", "state", "number"),
    sa.Index("messages_by_contract", "contract_id", "number"),
    sa.Index("messages_by_transaction", "transaction_id", "number"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    _number(),
    *(sa.Column(name, sa.String, nullable=False) for name in ("action", "message_id", "transaction_id", "peer_id")),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("stream", sa.String, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("request_signature", sa.Text),
    _instant("created_at"),
    _instant("expires_at"),
    _instant("next_at", null=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("reason", sa.Text),
    _instant("ended_at", null=True),
    sa.Index("outbox_by_time", "state", "next_at"),
    sa.Index("outbox_by_stream", "stream", "state", "number"),
)
