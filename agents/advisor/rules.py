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
LEAST_GBP = Decimal("0.005")
"""less than that is told as nothing"""
_REJECTIONS = {
    "dearer": "dearer at the final prices",
    "no_headroom": "no headroom left",
    "no_whole_headroom": "no whole block of headroom left",
    "not_worth": "more than its tier pays",
    "overlooked": "not looked at in time",
}


def rule_text(decision: Body) -> str:
    """Why here, why then, what its conditions and the baseline would cost; for a refusal, what would help, and when.

    :param decision: body of a ``decision`` record of any verdict.
    """
    refused = decision["verdict"] in {"counter", "withdraw"}
    sentences = _refusal(decision) if refused else _award(decision)
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _award(decision: Body) -> list[str]:
    why = decision.get("explanation")
    return [
        _place(decision) + _delay(decision) + _average(decision),
        f"Why: {_clause(decision['reason'])}" + (_then(decision, why) if why else ""),
        _dearest_condition(why) if why else _rejected(decision["options"], decision["chosen_id"]),
        _against_baseline(decision),
    ]


def _refusal(decision: Body) -> list[str]:
    lost = " any more" if decision["verdict"] == "withdraw" else ""
    why = decision.get("explanation")
    return [
        f"It has no place in the plan{lost}, because {_clause(decision['reason'])}",
        _share(why.get("share")) if why else "",
        _room(why) if why else _rejected(decision["options"], None),
        _offers(decision["counter_offers"]),
        _baseline_alone(decision),
    ]


def _then(decision: Body, why: Body) -> str:
    """Why not at another time."""
    window, priced = why["next_here"], _priced(decision)
    if window is None or priced is None:
        return ""
    extra = Decimal(window["priced_gbp"]) - priced
    when = f"the next best window there begins {moment(window['start'])}"
    if extra >= LEAST_GBP:
        return f"; {when} and would cost {pounds(extra)} more"
    if extra > -LEAST_GBP:
        return f"; {when} and would cost the same"
    code = window["reject_code"]
    return f"; {when}, would cost {pounds(-extra)} less and was passed over: {_REJECTIONS.get(code, code)}"


def _priced(decision: Body) -> Decimal | None:
    """What the chosen option was compared at."""
    chosen = _chosen(decision)
    return Decimal(chosen["priced_gbp"]) if chosen and chosen["priced_gbp"] is not None else None


def _dearest_condition(why: Body) -> str:
    """Which of its conditions costs the job most."""
    if not why["conditions"]:
        return ""
    dearest = max(why["conditions"], key=lambda condition: Decimal(condition["saving_gbp"]))
    saved = Decimal(dearest["saving_gbp"])
    if saved < LEAST_GBP:
        return "None of its conditions costs it anything at these prices"
    money, carbon = _change(-Decimal(dearest["saving_cost_gbp"])), _change_of_mass(-Decimal(dearest["saving_kg"]))
    return (
        f"Of its conditions one costs it most: if it {dearest['change']}, it could save {pounds(saved)}, "
        f"everything counted ({money} and {carbon} CO₂)"
    )


def _room(why: Body) -> str:
    """When there is room for a job that waits."""
    eta = why["eta"]
    if eta is None:
        return f"When there will be room cannot be said: {_clause(why['eta_reason'])}"
    where = f"from {moment(eta['start'])} UTC at {eta['site_id']}"
    if eta["beyond_horizon"]:
        return f"The plan has no room for it; after the plan there is some {where}, if headroom is as on its last day"
    return f"The plan as it stands has room for it {where}, its deadline aside"


def _share(share: Body | None) -> str:
    """How far beyond its fair share its tenant is."""
    if share is None:
        return ""
    asked, due = (f"{100 * Decimal(share[name]):.0f} %" for name in ("asked_share", "due_share"))
    where = f"at {share['site_id']} from {moment(share['start'])} UTC on"
    return f"All jobs of its tenant ask for {asked} of the room {where}, against a fair share of {due}"


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
    chosen = _chosen(decision)
    if chosen is None or not Decimal(chosen["energy_kwh"]):
        return ""
    pence = 100 * Decimal(chosen["cost_gbp"]) / Decimal(chosen["energy_kwh"])
    grams = 1000 * Decimal(chosen["carbon_kg"]) / Decimal(chosen["energy_kwh"])
    return f", where energy is forecast at {pence:.1f} p/kWh and {grams:.0f} g/kWh on average"


def _chosen(decision: Body) -> Body | None:
    return next((option for option in decision["options"] if option["option_id"] == decision["chosen_id"]), None)


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
        return "No change that would make it possible is on offer"
    words = [f"{_clause(offer['change'])} ({_extra(offer)})" for offer in offers]
    return f"What would make it possible: {listed(words, 'or')}"


def _extra(offer: Body) -> str:
    """What an offer costs: money and carbon apart where both are known."""
    if offer.get("extra_cost_gbp") is None or offer.get("extra_carbon_kg") is None:
        extra = Decimal(offer["extra_gbp"])
        return f"{pounds(extra)} more" if extra > 0 else "at no extra cost"
    money, carbon = Decimal(offer["extra_cost_gbp"]), Decimal(offer["extra_carbon_kg"])
    if abs(money) < LEAST_GBP and abs(carbon) < LEAST_GBP:
        return "at no extra cost"
    return f"{_change(money)} and {_change_of_mass(carbon)} CO₂"


def _change(money: Decimal) -> str:
    return f"{pounds(abs(money))} {'less' if money <= 0 else 'more'}"


def _change_of_mass(carbon: Decimal) -> str:
    return f"{mass(abs(carbon))} {'less' if carbon <= 0 else 'more'}"


def _against_baseline(decision: Body) -> str:
    cost, carbon = Decimal(decision["cost_gbp"]), Decimal(decision["carbon_kg"])
    own = f"{_claim(decision)}: it costs {pounds(cost)} and emits {mass(carbon)} CO₂"
    if decision["baseline_cost_gbp"] is None:
        return f"{own}; the baseline “{decision['baseline_policy']}” would have found no room in its window"
    paid, emitted = Decimal(decision["baseline_cost_gbp"]), Decimal(decision["baseline_carbon_kg"])
    saved, spared = paid - cost, emitted - carbon
    change = f"{_change(-saved)} and {_change_of_mass(-spared)}"
    return f"{own}, {change} than {_baseline(decision)} ({pounds(paid)}, {mass(emitted)})"


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
