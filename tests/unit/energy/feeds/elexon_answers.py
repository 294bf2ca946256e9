"""A stand-in for Elexon and NESO: answers by path, and rows in the shapes that they give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.energy.feed import Ask, Feed, Fetched
from agents.energy.feeds import elexon, neso
from core.errors import FeedUnreachable
from core.settings import Settings
from core.slots import SLOT, format_utc, settlement_period
from core.vintage import RawAnswer

SETTINGS = Settings(_env_file=None, elexon_url="https://elexon.example/bmrs/api/v1/", neso_url="https://neso.example")
FEEDS: dict[str, Feed] = {feed.declaration.name: feed for feed in (*elexon.feeds(SETTINGS), *neso.feeds(SETTINGS))}
Body = Any
"""What is sent as JSON: ``bytes`` go as they are, a callable is given the parameters."""


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


class Upstream:
    """A ``Get`` that answers by the end of the path and keeps what was asked."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self.bodies = bodies
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, url: str, parameters: Mapping[str, str] | None = None, *, authorise: object = None) -> RawAnswer:
        asked = dict(parameters or {})
        self.asked.append((url, asked))
        found = [body for path, body in self.bodies.items() if url.endswith(path)]
        if not found:
            raise FeedUnreachable(f"{url} is not served")
        body = found[0](asked) if callable(found[0]) else found[0]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return RawAnswer.of(url, "application/json; charset=utf-8", content)


def fetch(name: str, bodies: Mapping[str, Body], start: datetime, end: datetime, now: datetime) -> Fetched:
    """What the feed ``name`` reads from ``bodies``."""
    return FEEDS[name].fetch(Ask("GB", start, end, now, Upstream(bodies)))


def period_row(slot: datetime, **fields: Any) -> dict[str, Any]:
    """A row of Elexon about a half-hour, named in both ways."""
    day, period = settlement_period(slot)
    return {
        "publishTime": format_utc(slot + SLOT),
        "startTime": format_utc(slot),
        "settlementDate": day.isoformat(),
        "settlementPeriod": period,
        **fields,
    }


def rows_each(start: datetime, count: int, **fields: Any) -> list[dict[str, Any]]:
    """``count`` rows from ``start``, newest first as Elexon gives them; a callable field is given the position."""
    made = [
        period_row(start + SLOT * i, **{name: value(i) if callable(value) else value for name, value in fields.items()})
        for i in range(count)
    ]
    return made[::-1]


def samples(start: datetime, count: int, hertz: Callable[[int], float | None] = lambda _: 50.0) -> list[dict[str, Any]]:
    """Samples of frequency every 15 s, newest first."""
    return [
        {
            "dataset": "FREQ",
            "measurementTime": format_utc(start + timedelta(seconds=15 * i)),
            "frequency": hertz(i),
        }
        for i in reversed(range(count))
    ]
