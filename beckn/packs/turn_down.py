"""Turn-down: load of a site that can be moved away from the half-hours where it is planned, sold by the site.

CAPACITY_AVAILABLE is how much less it can draw, kW; PRICE what that costs by the plan's own prices and a margin, per
kWh not drawn. The baseline is declared: what the plan in force draws, on a tamper-evident log before it is sold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from beckn.packs.forms import TURN_DOWN, TurnDownForm, TurnDownOfferForm, context_of, read_form
from beckn.packs.grid import wire_number
from beckn.packs.reading import at, duration, number
from beckn.packs.site import Shown, iso_duration, read_shown, require_length, role_inputs

KIND = "TurnDownResource"
OFFER_KIND = "TurnDownOffer"
METHOD = "declared-plan"
"""the plan in force, as the log has it"""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The plan against which a reduction is measured.

    :param tick_id: the round that made it. :param log_seq: its record in the decision log.
    """

    tick_id: str
    log_seq: int | None

    def wire(self) -> dict[str, Any]:
        """As it travels."""
        told: dict[str, Any] = {"method": METHOD, "tickId": self.tick_id}
        return told if self.log_seq is None else {**told, "logSeq": self.log_seq}


@dataclass(frozen=True, slots=True)
class TurnDown:
    """Load that can be moved away.

    :param maximum_duration: for how long on end. :param confidence: per half-hour, 0 to 1.
    """

    shown: Shown
    maximum_duration: timedelta
    confidence: tuple[Decimal, ...]
    baseline: Baseline

    def wire(self, base: str) -> dict[str, Any]:
        """The ``resourceAttributes``; ``base`` is where this participant is reached."""
        return {
            "@context": context_of(base, TURN_DOWN),
            "@type": KIND,
            "maximumDuration": iso_duration(self.maximum_duration),
            "confidence": [wire_number(figure) for figure in self.confidence],
            "baselineMethodology": self.baseline.wire(),
            **self.shown.wire(base),
        }


def read_turn_down(attributes: Any, path: str) -> TurnDown:
    """Read the ``resourceAttributes`` of a turn-down; :class:`Fault` ``SCH_`` for the first thing wrong."""
    form = read_form(TurnDownForm, attributes, TURN_DOWN, path)
    shown = read_shown(form, attributes, path, duration(attributes, "notice", path))
    require_length(form.confidence, shown.grid, at(path, "confidence"))
    confidence = tuple(number(figure, at(path, "confidence")) for figure in attributes["confidence"])
    baseline = Baseline(form.baseline_methodology.tick_id, form.baseline_methodology.log_seq)
    return TurnDown(shown, duration(attributes, "maximumDuration", path), confidence, baseline)


def offer_attributes(
    base: str, seller: str, contract: dict[str, Any], baseline: Baseline, buyer: str | None = None
) -> dict[str, Any]:
    """The ``offerAttributes``; ``contract`` is the template of the contract's attributes."""
    return {
        "@context": context_of(base, TURN_DOWN),
        "@type": OFFER_KIND,
        "contractAttributes": contract,
        "inputs": role_inputs(seller, buyer, {"currency": "GBP", "baselineMethodology": baseline.wire()}),
    }


def read_offer(attributes: Any, path: str) -> TurnDownOfferForm:
    """Read the ``offerAttributes`` of a turn-down."""
    return read_form(TurnDownOfferForm, attributes, TURN_DOWN, path)
