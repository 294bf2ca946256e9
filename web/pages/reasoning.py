"""Why here, why then, what each condition costs: the figures of a decision's record, arranged for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Body = Mapping[str, Any]

LEAST_GBP = Decimal("0.005")
"""a saving below this is shown as none"""
CONDITIONS = {
    "window_start": "its earliest start",
    "deadline": "its deadline",
    "after": "the jobs it comes after",
    "sites": "the sites it may use",
    "max_price": "its price limit",
    "max_carbon": "its carbon limit",
    "cap_kg": "its own carbon cap",
    "pauses": "running without pauses",
    "min_run": "its least length of a run",
    "hardware": "the hardware it needs",
    "planned": "the cost of moving it",
    "home": "the cost of leaving its home",
    "shared_caps": "the shared carbon caps",
}


@dataclass(frozen=True, slots=True)
class Window:
    """A row of the table of times: ``extra_gbp`` over what was chosen, None for the chosen one itself."""

    name: str
    figures: Body
    extra_gbp: Decimal | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a page shows.

    :param windows: the chosen course, and other times; empty where nothing was chosen.
    :param costly: conditions that cost something, dearest first; ``free`` the names of those that cost nothing.
    :param scarcity_gbp: what it holds of scarce headroom, hardware and carbon, at the final prices.
    """

    windows: Sequence[Window]
    costly: Sequence[Body]
    free: Sequence[str]
    scarcity_gbp: Decimal
    contested: Sequence[Body]


def reasoning(decision: Body) -> Reasoning | None:
    """The figures behind a decision; None in records older than those figures."""
    why = decision.get("explanation")
    if why is None:
        return None
    saving = {id(condition): Decimal(condition["saving_gbp"]) for condition in why["conditions"]}
    costly = [condition for condition in why["conditions"] if saving[id(condition)] >= LEAST_GBP]
    named = {condition["constraint"] for condition in costly}
    parts = (why[part] for part in ("headroom_gbp", "hardware_gbp", "caps_gbp"))
    return Reasoning(
        windows=_windows(decision, why),
        costly=sorted(costly, key=lambda condition: -saving[id(condition)]),
        free=[name for code, name in CONDITIONS.items() if code in _constraints(why) - named],
        scarcity_gbp=sum((Decimal(part) for part in parts if part is not None), Decimal()),
        contested=why["contested"],
    )


def extra_gbp(option: Body, decision: Body) -> Decimal | None:
    """What an option was compared at more than the chosen one; None where that is not known."""
    chosen = next((other for other in decision["options"] if other["option_id"] == decision["chosen_id"]), None)
    if chosen is None or option is chosen or option.get("priced_gbp") is None or chosen.get("priced_gbp") is None:
        return None
    return Decimal(option["priced_gbp"]) - Decimal(chosen["priced_gbp"])


def _constraints(why: Body) -> set[str]:
    return {condition["constraint"] for condition in why["conditions"]}


def _windows(decision: Body, why: Body) -> list[Window]:
    chosen = next((option for option in decision["options"] if option["option_id"] == decision["chosen_id"]), None)
    if chosen is None or chosen.get("priced_gbp") is None:
        return []
    rows = [Window("Chosen", chosen, None, None)]
    room = None if why["run_now_fits"] else "no_room"
    for name, figures, note in (
        ("Next best there", why["next_here"], why["next_here"] and why["next_here"]["reject_code"]),
        ("At once", why["run_now"], room),
    ):
        if figures is not None:
            rows.append(Window(name, figures, Decimal(figures["priced_gbp"]) - Decimal(chosen["priced_gbp"]), note))
    return rows if len(rows) > 1 else []
