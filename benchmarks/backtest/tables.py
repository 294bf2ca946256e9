"""The tables of docs/backtest.md; nothing in them is written by hand."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from benchmarks.backtest.days import LEAST_LOST_GBP, MEASURES, Spread, lost, saved, spread, values
from benchmarks.backtest.rules import RULES
from benchmarks.backtest.running import CAUTIOUS, FORESIGHT, PLANNER, WITHOUT_ERROR
from benchmarks.comparison.tables import NOTHING, number, percent, table

Json = dict[str, Any]

TITLES = {
    PLANNER: "**Slackwater**, rolling, with forecast errors",
    CAUTIOUS: "Slackwater, rolling, averse to risk",
    WITHOUT_ERROR: "Slackwater, rolling, without forecast errors",
    FORESIGHT: "Slackwater, perfect foresight by weeks",
    "run-now": "run now, first fit",
    "cheapest-window": "cheapest window by price",
    "greenest-window": "greenest window",
    "greedy": "greedy by price and carbon",
}
WORST = 10
WORST_SHARE = 0.1
TARGET_S, TARGET_GAP = 900.0, 0.01


def titled(method: str) -> str:
    """A method's name for pictures and running text."""
    return TITLES[method].replace("*", "")


def totals(results: Json) -> str:
    """What each method took in all."""
    heads = (
        "method", "energy, GBP", "carbon, kg", "pauses, GBP", "penalties, GBP", "total with carbon, GBP",
        "deadlines missed", "pauses", "IT energy, kWh", "fullest site", "processor, s",
    )  # fmt: skip
    rows = []
    for method, title in TITLES.items():
        found = results["methods"][method]
        sums = (
            values(results, method, name).sum() for name in ("energy_gbp", "carbon_kg", "pauses_gbp", "penalty_gbp")
        )
        rows.append(
            [
                title,
                *(number(float(total)) for total in sums),
                number(float(values(results, method, "total_gbp").sum())),
                number(sum(found["missed"])),
                number(found["pauses"]),
                number(found["it_kwh"]),
                percent(found["peak_share"], 1),
                number(found["cpu_s"]),
            ]
        )
    return table(heads, rows)


def savings(results: Json) -> str:
    """What the planner saves against each baseline."""
    heads = ("against", "of", "all days together", "median day", "P5", "P95", "days worse")
    rows = [
        [
            titled(baseline),
            title,
            *_cells(spread(results, baseline, measure)),
            f"{int((saved(results, baseline, measure) < 0).sum())} of {saved(results, baseline, measure).size}",
        ]
        for baseline in RULES
        for measure, title in MEASURES.items()
    ]
    return table(heads, rows)


def _cells(found: Spread) -> list[str]:
    return [percent(share, 1) for share in found]


def losses(results: Json) -> str:
    """The days lost in total cost, the worst of all baselines first."""
    found = sorted(chain.from_iterable(lost(results, baseline) for baseline in RULES), key=lambda one: -one.gbp)
    counts = ", ".join(f"{len(lost(results, baseline))} against {titled(baseline)}" for baseline in RULES)
    days = int((np.array(results["jobs_by_day"]) > 0).sum())
    said = f"Days lost in total cost, of {days}: {counts}."
    if not found:
        return said
    rows = [
        [f"{one.day:%-d %B %Y}", titled(one.baseline), number(one.gbp, 2), percent(one.share, 1), one.why]
        for one in found[:WORST]
    ]
    return f"{said}\n\n" + table(("day", "against", "lost, GBP", "of its cost", "why"), rows)


def lost_list(results: Json) -> str:
    """Every day lost, by baseline."""
    parts = []
    for baseline in RULES:
        found = sorted(lost(results, baseline))
        days = ", ".join(f"{one.day:%-d %b} ({one.gbp:.2f})" for one in found) or "none"
        parts.append(f"- Against {titled(baseline)}: {days}.")
    return "\n".join(parts)


def ignorance(results: Json) -> str:
    """What not knowing costs."""
    heads = ("what is not known", "measure", "all days together", "median day", "P5", "P95")
    pairs = (
        ("prices and carbon ahead (the price of forecast error)", PLANNER, WITHOUT_ERROR),
        ("the jobs to come, and prices beyond 48 hours", WITHOUT_ERROR, FORESIGHT),
    )
    rows = [
        [told, title, *_dearer(results, method, reference, measure)]
        for told, method, reference in pairs
        for measure, title in MEASURES.items()
    ]
    return table(heads, rows)


def _dearer(results: Json, method: str, reference: str, measure: str) -> list[str]:
    found = spread(results, reference, measure, method)
    return [percent(-share, 2) for share in (found.whole, found.median, found.high, found.low)]


def caution(results: Json) -> str:
    """What aversion to risk costs and what it spares: by how much days came out dearer for forecast errors."""
    heads = ("run", "total cost, GBP", "dearer for forecast errors, GBP a day: mean", "mean of the worst tenth of days",
             "worst day", "days dearer")  # fmt: skip
    exact = values(results, WITHOUT_ERROR, "total_gbp")
    rows = []
    for method in (PLANNER, CAUTIOUS):
        own = values(results, method, "total_gbp")
        dearer = np.sort(own - exact)[::-1]
        tail = dearer[: max(1, round(WORST_SHARE * dearer.size))]
        told = (number(float(figure), 2) for figure in (dearer.mean(), tail.mean(), dearer[0]))
        days = f"{int((dearer > LEAST_LOST_GBP).sum())} of {dearer.size}"
        rows.append([titled(method), number(float(own.sum())), *told, days])
    return table(heads, rows)


def replans(results: Json) -> str:
    """How good and how quick the re-plans were."""
    heads = (
        "run", "re-plans", "open jobs", "certified gap: median", "P95", "worst", "time, ms: median", "P95", "worst",
        "processor, ms: mean", "contended", "judged", "disagreements", "moves a job", "job-slots moved",
    )  # fmt: skip
    return table(
        heads, ([titled(name), *_replan(results["methods"][name])] for name in (PLANNER, CAUTIOUS, WITHOUT_ERROR))
    )


def _replan(found: Json) -> list[str]:
    gaps = np.quantile(found["gap"], (0.5, 0.95, 1)).tolist()
    times = (1000 * np.quantile(found["solve_s"], (0.5, 0.95, 1))).tolist()
    return [
        number(len(found["gap"])),
        number(float(np.median(found["open_jobs"]))),
        *(percent(gap) for gap in gaps),
        *(number(ms) for ms in times),
        number(1000 * float(np.mean(found["solve_cpu_s"]))),
        percent(found["contended"] / len(found["gap"]), 0),
        number(found["judged"]),
        number(len(found["disagreements"])),
        number(found["moves_a_job"], 2),
        percent(found["job_slots_moved"] / max(1, found["job_slots_planned"]), 1),
    ]


def reached(results: Json) -> str:
    """The figures to reach, and what was."""
    median = float(np.median(results["methods"][PLANNER]["gap"]))
    found = results["methods"][PLANNER]
    rows = [
        ["whole backtest, minutes", number(TARGET_S / 60), number(results["wall_s"] / 60, 1),
         _verdict(results["wall_s"] <= TARGET_S)],
        ["of that the rolling run itself, minutes", NOTHING, number(found["wall_s"] / 60, 1), NOTHING],
        ["processor time of the rolling run, minutes", NOTHING, number(found["cpu_s"] / 60, 1), NOTHING],
        ["processor time of all methods, minutes", NOTHING, number(_processor_s(results) / 60, 1), NOTHING],
        ["median certified gap", f"under {percent(TARGET_GAP, 0)}", percent(median), _verdict(median < TARGET_GAP)],
    ]  # fmt: skip
    return table(("figure", "to reach", "reached", "met"), rows)


def _processor_s(results: Json) -> float:
    return float(sum(found["cpu_s"] for found in results["methods"].values()))


def _verdict(met: bool) -> str:
    return "yes" if met else "no"


def errors(results: Json) -> str:
    """The forecast errors that were met, beside those measured of real forecasts."""
    from benchmarks.backtest.forecasts import CARBON_MAE_G, PRICE_MAE_P

    met, sizes = results["met_errors"], results["errors"]
    rows = [
        [told, *(number(mae, 2) for mae in measured), *(number(mae, 2) for mae in met.get(name, (None, None))),
         f"{sizes[key]['phi']:.4f}"]
        for told, key, name, measured in (
            ("Agile price, p/kWh, from the first unpublished half-hour", "price", "price_p", PRICE_MAE_P),
            ("carbon, g/kWh, from the present half-hour", "carbon", "carbon_g", CARBON_MAE_G),
        )
    ]  # fmt: skip
    heads = ("mean absolute error, Great Britain", "day 1, measured", "day 2, measured", "day 1, here", "day 2, here",
             "kept each half-hour")  # fmt: skip
    return table(heads, rows)
