"""Which Octopus product answers a question, and the rates that it answers with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agents.energy.feed import Ask, Finding, Flag
from agents.energy.feeds.octopus_products import Direction, cap_p, import_periods, on_sale
from agents.energy.feeds.octopus_rates import NoSuchProduct, Rates, Which, rates
from agents.energy.reading import findings_at
from agents.energy.tariff import VAT
from core.errors import FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import IntArray
from core.slots import SLOT, slot_ceil, slot_floor
from core.vintage import Quantity

CAP_SLACK_P = 0.01
"""Caps are published with their VAT, rates before it: they agree to the hundredth of a penny."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rates, the products that they are of, and what was noticed."""

    codes: tuple[str, ...]
    rates: Rates
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked: the rates of one quantity in the region ``letter``."""

    ask: Ask
    letter: str
    quantity: Quantity

    @property
    def ahead(self) -> bool:
        """Whether slots beyond the present are asked for."""
        return self.ask.end > self.ask.now

    def rates(self, base_url: str, code: str, start: datetime, end: datetime) -> Rates:
        """Its rates under a product; :class:`NoSuchProduct`."""
        which: Which = "standing-charges" if self.quantity == "standing_charge" else "standard-unit-rates"
        return rates(self.ask.get, base_url, (code, self.letter), which, start, end)


class _Retired(Exception):
    """Why a product is of no use; never leaves this module."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """Import or export under one product, or under the one on sale.

    :param product: product code; None to find it by asking what is on sale.
    :param setting: name of the setting that holds the code.
    """

    base_url: str
    direction: Direction
    product: str | None
    setting: str

    def found(self, wanted: Wanted) -> Found:
        """Rates for the slots asked, of the product or, where it is retired, of the one on sale.

        :raises FeedUnreachable: no answer.
        :raises FeedInvalid: no product has rates, or an answer is not what the API documents.
        """
        retired: list[str] = []
        for code in self._candidates(wanted.ask):
            try:
                found = self._of(code, wanted)
            except NoSuchProduct:
                retired.append(f"{code} is not known (any more)")
            except _Retired as reason:
                retired.append(f"{code} {reason}")
            else:
                return _switched(found, code, retired, wanted) if retired else found
        raise FeedInvalid(
            f"Octopus, no Agile {self.direction.lower()} product for region {wanted.letter}: "
            f"{'; '.join(retired) or 'none is on sale'}.",
            remedy=f"Set {self.setting} to a product that has prices, and restart.",
        )

    def _candidates(self, ask: Ask) -> Iterator[str]:
        """The product that is set, then those on sale; what is on sale is asked only when it is needed."""
        if self.product is not None:
            yield self.product
        for code in on_sale(ask.get, self.base_url, self.direction, ask.now):
            if code != self.product:
                yield code

    def _of(self, code: str, wanted: Wanted) -> Found:
        """Rates of one product, and before it was sold those of its predecessors.

        Raises :class:`_Retired` or :class:`NoSuchProduct` where it is of no use.
        """
        start, end = slot_floor(wanted.ask.start), slot_ceil(wanted.ask.end)
        periods = import_periods(code, start, end) if self.direction == "IMPORT" else [(code, start, end)]
        held, codes, findings = Rates.none(), list[str](), list[Finding]()
        for owner, since, until in periods:
            try:
                part = wanted.rates(self.base_url, owner, since, until)
            except NoSuchProduct:
                if owner == code:
                    raise
                continue
            held = held.followed_by(part)
            codes += [owner] * bool(part.index.size)
            findings += _noticed(owner, wanted.quantity, part)
        self._require_in_use(code, wanted, held)
        return Found(tuple(codes), held, tuple(findings))

    def _require_in_use(self, code: str, wanted: Wanted, held: Rates) -> None:
        """The newest rate must reach the present, where slots beyond it were asked for.

        The standing charge of a retired product stays on record, so there the unit rates are looked at too.
        """
        present = slot_floor(wanted.ask.now)
        if wanted.ahead and wanted.quantity == "standing_charge" and held.index.size:
            held = replace(wanted, quantity="price").rates(self.base_url, code, present, present + SLOT)
        if not held.index.size:
            raise _Retired("has no rates for the time asked")
        if wanted.ahead and held.index[-1] < slot_index(present):
            raise _Retired(f"has no rates after {instant_of(int(held.index[-1]) + 1):%Y-%m-%d %H:%M} UTC")


def _switched(found: Found, code: str, retired: Sequence[str], wanted: Wanted) -> Found:
    detail = f"{'; '.join(retired)}. {code}, which is on sale, is used instead."
    start, end = slot_floor(wanted.ask.start), slot_ceil(wanted.ask.end)
    switch = Finding(Flag.RETIRED, wanted.quantity, start, end, detail)
    return replace(found, findings=(switch, *found.findings))


def _noticed(code: str, quantity: Quantity, held: Rates) -> tuple[Finding, ...]:
    """Records that contradict each other, and unit rates above what the product allows."""
    twice = "{count} slots have two records with different rates; the first is used."
    found = findings_at(Flag.DUPLICATE, quantity, held.disputed, twice)
    cap = cap_p(code)
    if cap is None or quantity != "price":
        return found
    above = held.index[held.exc_vat_p * (1 + VAT) > cap + CAP_SLACK_P]
    return (
        *found,
        *findings_at(Flag.OUTLIER, quantity, above, f"{{count}} prices are above {code}'s cap of {cap:g} p/kWh."),
    )


def gaps(ask: Ask, quantity: Quantity, known: IntArray) -> tuple[Finding, ...]:
    """Slots without a rate before the last known one, and of the past all that were asked for."""
    last = slot_index(slot_ceil(ask.end)) if ask.end <= ask.now else int(known[-1]) + 1
    missing = np.setdiff1d(np.arange(slot_index(ask.start), last), known)
    return findings_at(Flag.GAP, quantity, missing, "{count} slots have no rate and are left open.")
