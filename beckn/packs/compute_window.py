"""Compute windows: free headroom of a site, half-hour by half-hour, for a buyer's compute.

The buyer pays PRICE per kWh of capacity kept for it, and receives SHORTFALL_PENALTY per kWh that was not.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from beckn.packs.forms import COMPUTE_WINDOW, ComputeWindowForm, ComputeWindowOfferForm, context_of, read_form
from beckn.packs.grid import wire_number
from beckn.packs.reading import at, duration, number
from beckn.packs.site import Shown, read_shown, role_inputs
from beckn.protocol.faults import Fault

KIND = "ComputeWindow"
OFFER_KIND = "ComputeWindowOffer"


@dataclass(frozen=True, slots=True)
class ComputeWindow:
    """Headroom of a site.

    :param minimum_kw: the least that may be taken in a half-hour. :param maximum_kw: the most, of any half-hour.
    :param hardware: what runs there, where it is told.
    """

    shown: Shown
    minimum_kw: Decimal
    maximum_kw: Decimal
    hardware: str | None = None

    def wire(self, base: str) -> dict[str, Any]:
        """The ``resourceAttributes``; ``base`` is where this participant is reached."""
        told: dict[str, Any] = {
            "@context": context_of(base, COMPUTE_WINDOW),
            "@type": KIND,
            "minimumKw": wire_number(self.minimum_kw),
            "maximumKw": wire_number(self.maximum_kw),
        }
        if self.hardware is not None:
            told["hardware"] = self.hardware
        return {**told, **self.shown.wire(base)}


def read_compute_window(attributes: Any, path: str) -> ComputeWindow:
    """Read the ``resourceAttributes`` of a compute window; :class:`Fault` ``SCH_`` for the first thing wrong."""
    form = read_form(ComputeWindowForm, attributes, COMPUTE_WINDOW, path)
    if form.minimum_kw > form.maximum_kw:
        raise Fault("SCH_INVALID_FORMAT", "minimumKw is above maximumKw", at(path, "minimumKw"))
    shown = read_shown(form, attributes, path, duration(attributes, "notice", path))
    least, largest = (number(attributes[name], at(path, name)) for name in ("minimumKw", "maximumKw"))
    return ComputeWindow(shown, least, largest, form.hardware)


def offer_attributes(base: str, seller: str, contract: dict[str, Any], buyer: str | None = None) -> dict[str, Any]:
    """The ``offerAttributes``; ``contract`` is the template of the contract's attributes."""
    return {
        "@context": context_of(base, COMPUTE_WINDOW),
        "@type": OFFER_KIND,
        "contractAttributes": contract,
        "inputs": role_inputs(seller, buyer, {"currency": "GBP"}),
    }


def read_offer(attributes: Any, path: str) -> ComputeWindowOfferForm:
    """Read the ``offerAttributes`` of a compute window."""
    return read_form(ComputeWindowOfferForm, attributes, COMPUTE_WINDOW, path)
