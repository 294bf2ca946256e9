"""Explanations made by hand."""

from __future__ import annotations

from typing import Any

from core.explanation import Contested, Eta, Explanation, Lift, PricedCourse, Reject, SiteOption


def course(number: int = 1, priced: float = 1.0, **changes: Any) -> PricedCourse:
    """A course at site ``s<number>`` in slots 1 and 2, of which a quarter is carbon and a quarter scarcity."""
    figures = {
        "pauses": 0,
        "energy_kwh": 12.0,
        "cost_gbp": priced / 2,
        "carbon_kg": 2.5 * priced,
        "carbon_gbp": priced / 4,
        "headroom_gbp": priced / 4,
        "hardware_gbp": 0.0,
        "caps_gbp": 0.0,
    }
    return PricedCourse(f"s{number}", 1, 3, **(figures | changes))


def option(number: int, reject: str | None, priced: float = 1.0) -> SiteOption:
    return SiteOption(f"s{number}", course(number, priced), Reject(reject) if reject else None)


def explained(*options: SiteOption, **changes: Any) -> Explanation:
    """A job served at ``s1``, with everything there is to say of it."""
    whole: dict[str, Any] = {
        "chosen": course(),
        "sites": (option(1, None), *options),
        "next_here": SiteOption("s1", course(1, 1.25), Reject.DEARER),
        "next_best": None,
        "run_now": course(2, 3.0),
        "run_now_fits": True,
        "lifts": (Lift("deadline", "finished up to 4 h later", 0.4, 0.3, -0.2),),
        "contested": (Contested(2, 0.05, 0.5),),
    }
    return Explanation("job-1", **(whole | changes))


def waiting(**changes: Any) -> Explanation:
    """A job that is not served and for which there is room later."""
    eta = Eta("s1", 3, 5, beyond_horizon=False)
    return Explanation(
        "job-1", None, **({"sites": (option(1, "no_headroom"),), "reason": "no room", "eta": eta} | changes)
    )
