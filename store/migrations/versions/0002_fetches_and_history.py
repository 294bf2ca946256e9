"""Fetches with every body once, one vintage for each series of a fetch, the history by day, and scores.

What the feeds answered before comes over: each old row is a fetch of one body and one series, read from its bytes at
the time noted. Its address was not kept, so the answer's is empty; the slots asked for are those it answered.

This file stands alone: later changes of the store's own formats must not change what it writes.
"""

import hashlib
import zlib
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SETTLED_TO_FORECAST, MISSING, SLOTS = 3, 4, 48
DAY = np.dtype(
    [("values", "<f8", (SLOTS,)), ("fetched", "<i8", (SLOTS,)), ("fetch", "<u8", (SLOTS,)), ("kinds", "i1", (SLOTS,))]
)
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.drop_index("vintages_by_fetch", "vintages")
    op.rename_table("vintages", "cached_answers")
    _fetches()
    _vintages()
    _history()
    _scores()
    _convert(op.get_bind())
    op.drop_table("cached_answers")
    op.create_index("jobs_by_submission", "jobs", ["submitted_at"])


def downgrade() -> None:
    """The old tables, without what the feeds answered: that is lost."""
    op.drop_index("jobs_by_submission", "jobs")
    for table in ("scores", "history", "vintages", "answers", "fetches", "bodies"):
        op.drop_table(table)
    op.create_table(
        "vintages",
        sa.Column("number", sa.Integer, primary_key=True),
        *_words("feed", "zone", "quantity", "sha256"),
        *_instants("fetched_at", "starts", "ends"),
        *_words("unit"),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("feed", "zone", "quantity", "sha256", name="vintages_once"),
    )
    op.create_index("vintages_by_fetch", "vintages", ["feed", "zone", "quantity", "fetched_at"])


def _words(*names):
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _instants(*names):
    return [sa.Column(name, INSTANT, nullable=False) for name in names]


def _of_fetch():
    return sa.Column("fetch_id", sa.String, sa.ForeignKey("fetches.fetch_id", ondelete="CASCADE"), primary_key=True)


def _fetches() -> None:
    op.create_table(
        "bodies",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "fetches",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("fetch_id", sa.String, nullable=False, unique=True),
        *_words("feed", "zone"),
        *_instants("fetched_at", "starts", "ends"),
        sa.Column("error", sa.Text),
    )
    op.create_index("fetches_by_feed", "fetches", ["feed", "zone", "fetched_at"])
    op.create_index("fetches_by_time", "fetches", ["fetched_at"])
    op.create_table(
        "answers",
        _of_fetch(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("sha256", sa.String, sa.ForeignKey("bodies.sha256"), nullable=False),
    )
    op.create_index("answers_by_body", "answers", ["sha256"])


def _vintages() -> None:
    op.create_table(
        "vintages",
        _of_fetch(),
        sa.Column("quantity", sa.String, primary_key=True),
        *_instants("starts", "ends"),
        *_words("unit"),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("figures", sa.LargeBinary, nullable=False),
    )


def _history() -> None:
    op.create_table(
        "history",
        sa.Column("zone", sa.String, primary_key=True),
        sa.Column("quantity", sa.String, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("feed", sa.String, primary_key=True),
        sa.Column("figures", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _scores() -> None:
    op.create_table(
        "scores",
        *(sa.Column(name, sa.String, primary_key=True) for name in ("model", "zone", "quantity")),
        sa.Column("day_ahead", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("scored_at", INSTANT, primary_key=True),
        sa.Column("slots", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("mae", "naive_mae", "slot_mean_mae", "coverage", "level")),
    )
    op.create_index("scores_by_zone", "scores", ["zone", "quantity", "scored_at"])


def _convert(connection) -> None:
    """Every old row, in the order of fetching so that later figures of one kind take the place of earlier ones."""
    old = _table(connection, "cached_answers")
    tables = [_table(connection, name) for name in ("bodies", "fetches", "answers", "vintages")]
    numbers = connection.execute(sa.select(old.c.number).order_by(old.c.fetched_at, old.c.number)).scalars().all()
    seen, days = set(), {}
    for first in range(0, len(numbers), BATCH):
        batch = numbers[first : first + BATCH]
        rows = {row.number: row for row in connection.execute(sa.select(old).where(old.c.number.in_(batch)))}
        new = {table.name: [] for table in tables}
        for number in batch:
            _convert_row(rows[number], new, seen, days)
        for table in tables:
            if new[table.name]:
                connection.execute(sa.insert(table), new[table.name])
    packed = [
        {"zone": zone, "quantity": quantity, "day": day, "feed": feed, "figures": zlib.compress(figures.tobytes(), 1)}
        for (zone, quantity, day, feed), figures in days.items()
        if np.any(figures["kinds"] != MISSING)
    ]
    if packed:
        connection.execute(sa.insert(_table(connection, "history")), packed)


def _table(connection, name):
    return sa.Table(name, sa.MetaData(), autoload_with=connection, resolve_fks=False)


def _convert_row(row, new, seen, days) -> None:
    """Add what an old row becomes to the rows of the new tables, each body and each fetch once, and to the days."""
    fetched_at, starts, ends = (_utc(at) for at in (row.fetched_at, row.starts, row.ends))
    fetch_id = _fetch_id(row, fetched_at, starts, ends)
    if row.sha256 not in seen:
        size = len(zlib.decompress(row.body))
        new["bodies"].append({"sha256": row.sha256, "size": size, "body": row.body})
    if fetch_id not in seen:
        facts = {"feed": row.feed, "zone": row.zone, "fetched_at": fetched_at, "starts": starts, "ends": ends}
        answer = {"position": 0, "url": "", "content_type": "application/json", "sha256": row.sha256}
        new["fetches"].append({"fetch_id": fetch_id, **facts})
        new["answers"].append({"fetch_id": fetch_id, **answer})
    seen.update((row.sha256, fetch_id))
    values = np.array([np.nan if value is None else value for value in row.figures["values"]], dtype="<f8")
    kinds = np.array(row.figures["kinds"], dtype="i1")
    new["vintages"].append(
        {
            "fetch_id": fetch_id,
            "quantity": row.quantity,
            "starts": starts,
            "ends": ends,
            "unit": row.unit,
            "source": row.source,
            "stale": row.figures["stale"],
            "figures": zlib.compress(values.tobytes() + kinds.tobytes(), 1),
        }
    )
    _fold(days, row, (values, kinds), (starts - EPOCH) // timedelta(minutes=30), (fetched_at, fetch_id))


def _utc(instant):
    """SQLite gives what was stored in UTC without its offset."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _fetch_id(row, *times) -> str:
    parts = [row.feed, row.zone, *(at.isoformat() for at in times), "", row.sha256]
    return f"fetch-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"


def _fold(days, row, figures, first_slot, fetch) -> None:
    """Put the figures of a row, fetched no earlier than any before it, into the days that they are firmer than."""
    values, kinds = figures
    fetched_at, fetch_id = fetch
    index = np.arange(first_slot, first_slot + kinds.size)
    for day in np.unique(index // SLOTS).tolist():
        held = days.setdefault((row.zone, row.quantity, day, row.feed), _no_figures())
        here = index // SLOTS == day
        at = index[here] % SLOTS
        won = (kinds[here] < SETTLED_TO_FORECAST) & (kinds[here] <= held["kinds"][at])
        held["values"][at[won]], held["kinds"][at[won]] = values[here][won], kinds[here][won]
        held["fetched"][at[won]] = (fetched_at - EPOCH) // timedelta(microseconds=1)
        held["fetch"][at[won]] = int(fetch_id.removeprefix("fetch-"), 16)


def _no_figures():
    none = np.zeros((), dtype=DAY)
    none["values"], none["kinds"] = np.nan, MISSING
    return none
