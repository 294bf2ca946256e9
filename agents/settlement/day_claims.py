"""Claims of carbon that deliveries of a day make, added up by account; the records alone count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from accounting.carbon import Attributional, Consequential
from accounting.claims import ClaimBook, ClaimLevel, RecordedClaim
from accounting.settlement_days import SettlementDay
from agents.settlement.claims import ClaimInForce
from core.errors import Conflict


@dataclass(frozen=True, slots=True)
class DayClaims:
    """The claims of a day in a book, and why some were left out of it: ``refused``, by the number of the delivery."""

    book: ClaimBook
    refused: Mapping[int, str]


def day_claims(claims: Iterable[ClaimInForce]) -> DayClaims:
    """Enter each of ``claims``; one that counts a half-hour of its job again is left out, named by its delivery."""
    book, refused = ClaimBook(), {}
    for claim in claims:
        try:
            book.add(recorded_claim(claim.delivery.body["job_id"], claim.carbon))
        except Conflict as error:
            refused[claim.delivery.seq] = error.diagnostics()
    return DayClaims(book, refused)


def recorded_claim(job_id: str, carbon: Mapping[str, Any]) -> RecordedClaim:
    """A claim from the ``carbon`` of a record.

    Its half-hours are those of its baseline's schedule and those in which more or less was drawn.
    """
    scheduled = {(each["site_id"], datetime.fromisoformat(each["start"])) for each in carbon["baseline_schedule"]}
    moved = {(each["site_id"], _start(each)) for each in (*carbon["displaced"], *carbon["rebound"])}
    consequential = carbon["consequential"]
    return RecordedClaim(
        subject=job_id,
        policy=carbon["baseline_policy"],
        level=ClaimLevel[carbon["claim_level"].upper()],
        halves=frozenset(scheduled | moved),
        by_forecast=_attributional(carbon["attributional_forecast"]),
        attributional=_attributional(carbon["attributional"]),
        consequential=None if consequential is None else Consequential.within(*_interval(consequential)),
    )


def _start(moved: Mapping[str, Any]) -> datetime:
    return SettlementDay(date.fromisoformat(moved["date"])).period_start(moved["sp"])


def _attributional(share: Mapping[str, Any] | None) -> Attributional | None:
    return None if share is None else Attributional.within(*_interval(share))


def _interval(mass: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(mass["saved_kg"]), Decimal(mass["low_kg"]), Decimal(mass["high_kg"])
