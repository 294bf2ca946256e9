"""What patience saves, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agents.quotes.quote import HOUR, Offer, Quote
from web.pages.formatting import day_hour, gbp, kg, percent

NEGLIGIBLE = 0.0005
"""GBP or kg: what reads as nothing."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in two parts around an instant."""

    before: str
    at: datetime | None = None
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}{'' if self.at is None else f'{day_hour(self.at)} UTC'}{self.after}"


def sentences(quote: Quote, names: Mapping[str, str], *, waits: bool) -> list[Sentence]:
    """What waiting until the job's own deadline saves, how much of it needs no waiting, and what more would add.

    :param names: of sites by id.
    :param waits: False for a fixed job.
    """
    best, now = quote.own.offer, quote.now
    if not waits:
        return [Sentence("A fixed job does not wait, so patience saves it nothing.")]
    if best is None:
        return _possible_later(quote)
    if now is None:
        told = [Sentence("No site has room for it at once. It can end by ", best.end, f" for {gbp(best.spent_gbp)}.")]
    elif best.end <= now.end:
        told = [_without_waiting(best, now, names)]
    else:
        told = _waiting(quote, best, now, names)
    return [*told, *_further(quote, best)]


def saving(saved_gbp: float, saved_kg: float, whole: Offer | None = None) -> str:
    """``saves £1.20 (31 %) and 2.1 kg CO₂``, or what it takes instead; shares are of ``whole``."""
    saved: list[str] = []
    taken: list[str] = []
    parts = ((saved_gbp, gbp, "", whole and whole.spent_gbp), (saved_kg, kg, " CO₂", whole and whole.carbon_kg))
    for amount, words, what, of in parts:
        if abs(amount) >= NEGLIGIBLE:
            share = f" ({percent(amount / of, 0)})" if of and 0 < amount <= of else ""
            (saved if amount > 0 else taken).append(f"{words(abs(amount))}{what}{share}")
    phrases = [f"saves {' and '.join(saved)}"] if saved else []
    phrases += [f"takes {' and '.join(taken)} more"] if taken else []
    return " but ".join(phrases) or "saves nothing"


def _waiting(quote: Quote, best: Offer, now: Offer, names: Mapping[str, str]) -> list[Sentence]:
    spared = saving(now.spent_gbp - best.spent_gbp, now.carbon_kg - best.carbon_kg, now)
    told = [Sentence("Waiting until ", best.end, f" {spared}.")]
    first = next(point.offer for point in quote.points if point.offer is not None)
    moved = now.spent_gbp - first.spent_gbp
    from_here = now
    if first.end <= now.end and first.site_id != now.site_id and moved >= NEGLIGIBLE:
        told.append(Sentence(f"Running in {names[first.site_id]} at once saves {gbp(moved)} of it without patience."))
        from_here = first
    saved = from_here.spent_gbp - best.spent_gbp
    if saved >= NEGLIGIBLE:
        an_hour = saved / ((best.end - from_here.end) / HOUR)
        told.append(Sentence(f"An hour of patience saves {gbp(an_hour)} on average."))
    return told


def _without_waiting(best: Offer, now: Offer, names: Mapping[str, str]) -> Sentence:
    elsewhere = best.site_id != now.site_id
    where = f"Running in {names[best.site_id]} instead of {names[now.site_id]}" if elsewhere else "Choosing the course"
    spared = saving(now.spent_gbp - best.spent_gbp, now.carbon_kg - best.carbon_kg, now)
    if spared == "saves nothing":
        return Sentence("Its best half-hours are the first ones: waiting saves nothing.")
    return Sentence(f"Its best half-hours are the first ones. {where} {spared}, without waiting.")


def _further(quote: Quote, best: Offer) -> list[Sentence]:
    """What a deadline later than the job's own would add."""
    later = [point for point in quote.points if point.latest_finish > quote.own.latest_finish and point.offer]
    last = later[-1].offer if later else None
    if last is None:
        return []
    if last.charge_gbp >= best.charge_gbp - NEGLIGIBLE:
        return [Sentence("A later deadline would save nothing more.")]
    more = saving(best.spent_gbp - last.spent_gbp, best.carbon_kg - last.carbon_kg)
    return [Sentence("With a deadline of ", last.end, f" it {more} again.")]


def _possible_later(quote: Quote) -> list[Sentence]:
    offer = next((point.offer for point in quote.points if point.offer is not None), None)
    if offer is None:
        return []
    return [Sentence("It could end by ", offer.end, f" for {gbp(offer.spent_gbp)} and {kg(offer.carbon_kg)} CO₂.")]
