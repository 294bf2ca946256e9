"""The text that always works: a decision in two to four plain sentences, every figure read off its record.

It speaks of the job as "it" and of sites by their ids: no job's name, tenant or command is in a decision's record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from agents.advisor.phrases import MINUS, listed, mass, moment, pounds, stretch, waiting

Body = Mapping[str, Any]

MOST_REJECTED = 3
_REJECTIONS = {
    "dearer": "dearer at the final prices",
    "no_headroom": "no headroom left",
    "no_whole_headroom": "no whole block of headroom left",
}


def rule_text(decision: Body) -> str:
    """Why here, why then, what was rejected, what it costs against the baseline; for a refusal, what would help.

    :param decision: body of a ``decision`` record of any verdict.
    """
    refused = decision["verdict"] in {"counter", "withdraw"}
    sentences = _refusal(decision) if refused else _award(decision)
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _award(decision: Body) -> list[str]:
    return [
        _place(decision) + _delay(decision) + _average(decision),
        f"Why: {_clause(decision['reason'])}",
        _rejected(decision["options"], decision["chosen_id"]),
        _against_baseline(decision),
    ]


def _refusal(decision: Body) -> list[str]:
    lost = " any more" if decision["verdict"] == "withdraw" else ""
    return [
        f"It has no place in the plan{lost}, because {_clause(decision['reason'])}",
        _rejected(decision["options"], None),
        _offers(decision["counter_offers"]),
        _baseline_alone(decision),
    ]


def _clause(reason: str) -> str:
    """A recorded reason as part of a sentence, its money written like all other."""
    signed = re.sub(r"GBP (-?)(?=\d)", lambda found: f"{MINUS if found[1] else ''}£", reason)
    return signed.strip().rstrip(".")


def _place(decision: Body) -> str:
    runs = decision["runs"]
    verb = "It moves to" if decision["verdict"] == "move" else "It runs at"
    stretches = f" in {len(runs)} stretches within" if len(runs) > 1 else ","
    return f"{verb} {decision['site_id']}{stretches} {stretch(runs[0]['start'], runs[-1]['end'])}"


def _delay(decision: Body) -> str:
    """Why then: how much later than the baseline it begins."""
    if decision["baseline_start"] is None:
        return ""
    begins = datetime.fromisoformat(decision["runs"][0]["start"])
    later = begins - datetime.fromisoformat(decision["baseline_start"])
    policy = decision["baseline_policy"]
    if not later:
        return f", just when “{policy}” would have started it"
    return f", {waiting(later)} {'later' if later.total_seconds() > 0 else 'earlier'} than “{policy}” would have"


def _average(decision: Body) -> str:
    chosen = next((option for option in decision["options"] if option["option_id"] == decision["chosen_id"]), None)
    if chosen is None or not Decimal(chosen["energy_kwh"]):
        return ""
    pence = 100 * Decimal(chosen["cost_gbp"]) / Decimal(chosen["energy_kwh"])
    grams = 1000 * Decimal(chosen["carbon_kg"]) / Decimal(chosen["energy_kwh"])
    return f", where energy is forecast at {pence:.1f} p/kWh and {grams:.0f} g/kWh on average"


def _rejected(options: Sequence[Body], chosen_id: str | None) -> str:
    others = [option for option in options if option["option_id"] != chosen_id]
    if not others:
        return ""
    shown = [_option(option) for option in others[:MOST_REJECTED]]
    more = len(others) - len(shown)
    return f"Rejected: {listed([*shown, f'{more} more'] if more else shown)}"


def _option(option: Body) -> str:
    code = option["reject_code"] or "not needed"
    why = _REJECTIONS.get(code, code.replace("_", " "))
    cost, carbon = pounds(Decimal(option["cost_gbp"])), mass(Decimal(option["carbon_kg"]))
    return f"{option['site_id']} from {moment(option['start'])} ({cost}, {carbon}; {why})"


def _offers(offers: Sequence[Body]) -> str:
    if not offers:
        return "No single change that would make it possible is on offer"
    words = [f"{offer['change']} ({_extra(Decimal(offer['extra_gbp']))})" for offer in offers]
    return f"What would make it possible: {listed(words, 'or')}"


def _extra(extra: Decimal) -> str:
    return f"{pounds(extra)} more" if extra > 0 else "at no extra cost"


def _against_baseline(decision: Body) -> str:
    cost, carbon = Decimal(decision["cost_gbp"]), Decimal(decision["carbon_kg"])
    own = f"{_claim(decision)}: it costs {pounds(cost)} and emits {mass(carbon)} CO₂"
    if decision["baseline_cost_gbp"] is None:
        return f"{own}; the baseline “{decision['baseline_policy']}” would have found no room in its window"
    paid, emitted = Decimal(decision["baseline_cost_gbp"]), Decimal(decision["baseline_carbon_kg"])
    saved, spared = paid - cost, emitted - carbon
    money = f"{pounds(abs(saved))} {'less' if saved >= 0 else 'more'}"
    air = f"{mass(abs(spared))} {'less' if spared >= 0 else 'more'}"
    return f"{own}, {money} and {air} than {_baseline(decision)} ({pounds(paid)}, {mass(emitted)})"


def _baseline_alone(decision: Body) -> str:
    if decision["baseline_cost_gbp"] is None:
        return ""
    cost, carbon = Decimal(decision["baseline_cost_gbp"]), Decimal(decision["baseline_carbon_kg"])
    return f"{_claim(decision)}: {_baseline(decision)} would cost {pounds(cost)} and emit {mass(carbon)} CO₂"


def _baseline(decision: Body) -> str:
    where = f"{decision['baseline_site_id']} from {moment(decision['baseline_start'])} UTC"
    return f"the baseline “{decision['baseline_policy']}” at {where}"


def _claim(decision: Body) -> str:
    """The label of the figures: a forecast, and whether simulated figures are in it."""
    claim = str(decision["claim_level"]).capitalize()
    return f"{claim}, simulated figures included" if "simulated" in decision["data_kinds"] else claim
