"""Whether the option that was chosen is the best of those recorded, by the record's own figures.

An option that fits is rejected because it is dearer: at the final prices, or in what the plan counts, money and carbon.
Where one fits that is neither, the search ended before it came to it, and the record says so; taking it would then save
less than the plan's objective is above its bound, or the bound would not be one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.replaying.findings import Finding, differs
from core.explanation import Reject

ROUNDING_GBP = 3e-6
"""Four figures of six decimals are compared at most."""


def chosen_is_best(
    body: Mapping[str, Any], slack_gbp: float, carbon_price_gbp_per_kg: float | None
) -> Iterator[Finding]:
    """What does not hold of an award's options.

    :param slack_gbp: the plan's objective less its bound.
    :param carbon_price_gbp_per_kg: at which carbon is counted; None where it is not one for all.
    """
    options = {option["option_id"]: option for option in body["options"]}
    taken = [name for name, option in options.items() if option["reject_code"] is None]
    if taken != [body["chosen_id"]]:
        yield differs(
            "chosen_id", f"recorded {body['chosen_id']}, the options without a reason against them are {taken}"
        )
        return
    chosen = options.pop(taken[0])
    for option in (chosen, *options.values()):
        yield from _adds_up(option, carbon_price_gbp_per_kg)
    for option in options.values():
        yield from _not_better(option, chosen, slack_gbp)


def _adds_up(option: Mapping[str, Any], carbon_price_gbp_per_kg: float | None) -> Iterator[Finding]:
    """Whether what was compared is money, carbon at its price and scarcity."""
    name, cost, carbon, scarcity, priced = (option["option_id"], *map(float, _parts(option)))
    if abs(cost + carbon + scarcity - priced) > ROUNDING_GBP:
        yield differs(f"options.{name}", f"{cost:.6f} + {carbon:.6f} + {scarcity:.6f} GBP are not {priced:.6f}")
    if carbon_price_gbp_per_kg is not None:
        counted = carbon_price_gbp_per_kg * float(option["carbon_kg"])
        if abs(counted - carbon) > ROUNDING_GBP * max(1.0, carbon_price_gbp_per_kg):
            yield differs(f"options.{name}", f"its carbon counts GBP {carbon:.6f}, at the carbon price {counted:.6f}")


def _not_better(option: Mapping[str, Any], chosen: Mapping[str, Any], slack_gbp: float) -> Iterator[Finding]:
    """Whether an option was rightly rejected."""
    if not option["feasible"]:
        return
    saved = _counted(chosen) - _counted(option)
    cheaper = float(chosen["priced_gbp"]) - float(option["priced_gbp"])
    if option["reject_code"] == Reject.OVERLOOKED:
        if saved > slack_gbp + ROUNDING_GBP:
            yield differs(
                f"options.{option['option_id']}", f"it would save GBP {saved:.6f}, more than the bound leaves"
            )
    elif min(saved, cheaper) > ROUNDING_GBP:
        yield differs(f"options.{option['option_id']}", f"it fits, is GBP {cheaper:.6f} cheaper, and was not taken")


def _counted(option: Mapping[str, Any]) -> float:
    """Money and carbon."""
    return float(option["cost_gbp"]) + float(option["carbon_gbp"])


def _parts(option: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return option["cost_gbp"], option["carbon_gbp"], option["scarcity_gbp"], option["priced_gbp"]
