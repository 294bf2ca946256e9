"""docs/backtest.md: every figure in it comes from a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.backtest import tables
from benchmarks.backtest.arrivals import PENALTY_GBP_PER_KWH, SLACK_SLOTS
from benchmarks.backtest.forecasts import SCENARIOS
from benchmarks.backtest.rolling import EFFORT, HORIZON_SLOTS
from benchmarks.backtest.running import JUDGED_OF, RISK
from benchmarks.instances.demand import MOST_KW, MOST_SLOTS
from benchmarks.instances.families import ALLOWED_SITES
from benchmarks.replanning import MOVE_GBP_PER_KWH

Json = dict[str, Any]

TEMPLATE = Path(__file__).with_name("page.md")
PICTURES = {
    "savings": "What a day saves: the dot is the median day, the line goes from P5 to P95.",
    "days": "Each day by itself, by the day on which its jobs arrived.",
    "gaps": "The re-plans: how far from the proven bound, and how long they took.",
}


def page(results: Json, pictures: Sequence[str]) -> str:
    """The whole page."""
    first = date.fromisoformat(results["first_day"])
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        machine=results["machine"],
        load=f"{results['load']:.1f}",
        first=f"{first:%-d %B %Y}",
        last=f"{first + timedelta(days=results['days'] - 1):%-d %B %Y}",
        days=results["days"],
        seed=results["seed"],
        jobs=f"{results['jobs']:,}",
        jobs_a_day=f"{results['jobs_a_day']:g}",
        kinds=", ".join(f"{count:,} {kind}" for kind, count in results["kinds"].items()),
        utilisation=f"{100 * results['utilisation']:.0f}",
        carbon_price=f"{results['carbon_price_gbp_per_tonne']:g}",
        zones=", ".join(results["zones"]),
        most_kw=MOST_KW,
        most_slots=MOST_SLOTS,
        least_slack=SLACK_SLOTS[0],
        most_slack=SLACK_SLOTS[1],
        allowed=ALLOWED_SITES,
        penalties=", ".join(f"{gbp:g} ({tier})" for tier, gbp in PENALTY_GBP_PER_KWH.items()),
        horizon=HORIZON_SLOTS,
        move=f"{MOVE_GBP_PER_KWH:g}",
        rounds=EFFORT.rounds,
        trials=EFFORT.trials_a_job,
        clearings=EFFORT.clearings,
        target_gap=f"{100 * EFFORT.target_gap:g}",
        judged_of=JUDGED_OF,
        reached=tables.reached(results),
        totals=tables.totals(results),
        savings=tables.savings(results),
        losses=tables.losses(results),
        lost_list=tables.lost_list(results),
        ignorance=tables.ignorance(results),
        caution=tables.caution(results),
        scenarios=SCENARIOS,
        risk_weight=f"{100 * RISK.weight:g}",
        risk_tail=f"{100 * (1 - RISK.level):g}",
        replans=tables.replans(results),
        errors=tables.errors(results),
        pictures="\n\n".join(f"![{PICTURES[name]}](backtest/{name}.svg)\n\n*{PICTURES[name]}*" for name in pictures),
    )
