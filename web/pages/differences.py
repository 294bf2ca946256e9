"""Two decisions beside one another: the fields that differ, figures with their difference, and the options of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from audit.record import Record
from web.pages.fields import Names, exact, fields_of, is_figure, label_of, unit_of, with_unit
from web.pages.formatting import MINUS, span
from web.pages.headlines import reason_words, reject_words

Body = Mapping[str, Any]
TOLD_APART = frozenset({"options", "runs", "counter_offers", "explanation", "carbon", "decision_id"})
"""fields of a decision that have a form of their own, or differ always"""
FIRST = ("verdict", "site_id", "reason", "cost_gbp", "cost_low_gbp", "cost_high_gbp", "carbon_kg")
"""fields that are told first, in this order"""
FIGURES = ("energy_kwh", "cost_gbp", "carbon_kg", "carbon_gbp", "scarcity_gbp", "priced_gbp")
"""figures of an option"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs: as it was, as it is, and for figures by how much, with the unit."""

    label: str
    a: str
    b: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class OptionPair:
    """The best course at one site as two decisions saw it; None where one of them had none there.

    :param differences: of its window, figures and outcome; empty where nothing differs.
    """

    site_id: str
    a: Body | None
    b: Body | None
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, and which fields are the same."""

    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    options: tuple[OptionPair, ...]


def compare(first: Record, second: Record, names: Names) -> Comparison:
    """Decision ``second`` against decision ``first``, who wrote them included; ``names`` are those of sites."""
    a, b = ({**record.body, **record.actor} for record in (first, second))
    told = [name for name in dict.fromkeys([*FIRST, *a, *b]) if name not in TOLD_APART]
    pairs = [(name, _difference(name, a, b, names)) for name in told]
    runs = _texts("Runs", _runs(a), _runs(b))
    offers = _texts("Counter-offers", _offers(a), _offers(b))
    return Comparison(
        differences=tuple(each for each in (runs, *(found for _, found in pairs), offers) if each is not None),
        same=tuple(label_of(name) for name, found in pairs if found is None),
        options=_options(a, b),
    )


def _difference(name: str, a: Body, b: Body, names: Names) -> Difference | None:
    if a.get(name) == b.get(name):
        return None
    if name == "reason":
        return Difference(label_of(name), reason_words(a[name], names), reason_words(b[name], names))
    before, after = (fields_of({name: body.get(name)}, names)[0].text for body in (a, b))
    return Difference(label_of(name), before, after, change(name, a.get(name), b.get(name)))


def change(name: str, before: object, after: object) -> str:
    """``after`` less ``before`` with sign and unit; empty unless both are figures with a unit."""
    unit = unit_of(name)
    if unit is None or not (is_figure(before) and is_figure(after)):
        return ""
    by = Decimal(str(after)) - Decimal(str(before))
    text = with_unit(exact(f"{by:f}"), unit)
    return text if text.startswith(MINUS) or not by else f"+{text}"


def _texts(label: str, before: str, after: str) -> Difference | None:
    return None if before == after else Difference(label, before, after)


def _runs(body: Body) -> str:
    runs = (f"{span(run['start'], run['end'])} at {exact(run['power_kw'])} kW" for run in body["runs"])
    return "; ".join(runs) or "none"


def _offers(body: Body) -> str:
    return "; ".join(offer["change"] for offer in body["counter_offers"]) or "none"


def _options(a: Body, b: Body) -> tuple[OptionPair, ...]:
    """Options are the best course at each site and numbered by rank, so that they are matched by their sites."""
    before, after = ({option["site_id"]: option for option in body["options"]} for body in (a, b))
    return tuple(
        OptionPair(site, before.get(site), after.get(site), _option(before.get(site), after.get(site), a, b))
        for site in dict.fromkeys([*after, *before])
    )


def _option(before: Body | None, after: Body | None, a: Body, b: Body) -> tuple[Difference, ...]:
    if before is None or after is None:
        return ()
    found = [
        _texts("Window", *(span(option["start"], option["end"]) for option in (before, after))),
        _texts("Outcome", _outcome(before, a), _outcome(after, b)),
        *(_difference(name, before, after, {}) for name in FIGURES),
    ]
    return tuple(each for each in found if each is not None)


def _outcome(option: Body, decision: Body) -> str:
    if option["option_id"] == decision["chosen_id"]:
        return "chosen"
    return reject_words(option.get("reject_code"))
