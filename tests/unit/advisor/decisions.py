"""Bodies of decision records, as the log holds them."""

from __future__ import annotations

from typing import Any

from audit.bodies.decision import DecisionBody

HASH = "ab" * 32
OPTIONS = (
    ("iceland", "2023-03-02T02:00:00Z", "40.000000", "2.040000", "1.800000", None),
    ("norway", "2023-03-02T01:00:00Z", "40.000000", "2.390000", "2.100000", "dearer"),
    ("london", "2023-03-02T03:00:00Z", "44.000000", "1.900000", "7.100000", "no_whole_headroom"),
)


def award(**changes: Any) -> dict[str, Any]:
    """An award to iceland, four hours in the night, cheaper and cleaner than its baseline in London."""
    body = {
        "decision_id": "dec-1",
        "job_id": "job-1",
        "tenant_commit": HASH,
        "verdict": "award",
        "site_id": "iceland",
        "runs": [{"start": "2023-03-02T02:00:00Z", "end": "2023-03-02T06:00:00Z", "power_kw": "10.000000"}],
        "reason": "iceland is the cheapest at the final prices, energy, carbon and scarcity counted; "
        "the next best is norway at GBP 0.35 more",
        "options": [
            {
                "option_id": f"opt-{number}",
                "site_id": site,
                "start": start,
                "end": "2023-03-02T06:00:00Z",
                "energy_kwh": energy,
                "cost_gbp": cost,
                "carbon_kg": carbon,
                "feasible": reject != "no_whole_headroom",
                "reject_code": reject,
            }
            for number, (site, start, energy, cost, carbon, reject) in enumerate(OPTIONS, start=1)
        ],
        "chosen_id": "opt-1",
        "counter_offers": [],
        "cost_gbp": "2.040000",
        "carbon_kg": "1.800000",
        "baseline_policy": "run at submission",
        "baseline_site_id": "london",
        "baseline_start": "2023-03-01T14:30:00Z",
        "baseline_cost_gbp": "3.640000",
        "baseline_carbon_kg": "7.900000",
        "data_kinds": ["forecast", "simulated"],
        "sources": ["recorded"],
        "round_seq_id": "round-1",
        **changes,
    }
    return DecisionBody.model_validate(body).model_dump()


def explained(**changes: Any) -> dict[str, Any]:
    """The award with the figures behind it."""
    figures = zip(("2.400000", "2.750000", "2.300000"), award()["options"], strict=True)
    options = [
        {**option, "carbon_gbp": "0.180000", "scarcity_gbp": "0.180000", "priced_gbp": p} for p, option in figures
    ]
    return award(**{"options": options, "explanation": explanation(), **changes})


def explanation(**changes: Any) -> dict[str, Any]:
    """Figures of an award: a next best window, running at once, a deadline that costs 40 pence."""
    window = {"start": "2023-03-02T08:00:00Z", "end": "2023-03-02T12:00:00Z", "carbon_kg": "2.2"}
    return {
        "headroom_gbp": "0.180000",
        "hardware_gbp": "0.000000",
        "caps_gbp": "0.000000",
        "next_here": {
            **window,
            "site_id": "iceland",
            "cost_gbp": "2.5",
            "priced_gbp": "2.900000",
            "reject_code": "dearer",
        },
        "next_best": {
            **window,
            "site_id": "norway",
            "cost_gbp": "2.39",
            "priced_gbp": "2.750000",
            "reject_code": "dearer",
        },
        "run_now": {**window, "site_id": "iceland", "cost_gbp": "3.1", "priced_gbp": "4.000000", "reject_code": None},
        "run_now_fits": True,
        "conditions": [
            condition("window_start", "started as early as it likes", "0.000000", "0.000000", "0.000000"),
            condition("deadline", "finished up to 4 h later", "0.400000", "0.300000", "1.000000"),
        ],
        "contested": [{"start": "2023-03-02T02:00:00Z", "price_gbp_per_kw_slot": "0.0090", "worth_gbp": "0.09"}],
        **changes,
    }


def condition(constraint: str, change: str, saving_gbp: str, saving_cost_gbp: str, saving_kg: str) -> dict[str, str]:
    return {
        "constraint": constraint,
        "change": change,
        "saving_gbp": saving_gbp,
        "saving_cost_gbp": saving_cost_gbp,
        "saving_kg": saving_kg,
    }


def waiting(**changes: Any) -> dict[str, Any]:
    """The refusal with the figures behind it: room two hours after its deadline, offers in money and carbon."""
    eta = {"site_id": "norway", "start": "2023-03-02T14:00:00Z", "end": "2023-03-02T18:00:00Z", "beyond_horizon": False}
    offers = [
        {"change": "finish up to 4 h later", "extra_gbp": "0", "extra_cost_gbp": "0.00", "extra_carbon_kg": "0.0"},
        {"change": "run at norway too", "extra_gbp": "1.25", "extra_cost_gbp": "1.40", "extra_carbon_kg": "-1.5"},
    ]
    nothing = dict.fromkeys(("headroom_gbp", "hardware_gbp", "caps_gbp", "next_here", "next_best", "run_now"))
    figures = explanation(**nothing, run_now_fits=False, conditions=[], contested=[], eta=eta)
    return refusal(**{"counter_offers": offers, "explanation": figures, **changes})


def refusal(**changes: Any) -> dict[str, Any]:
    """A counter-offer: no headroom at either site, two changes that would help."""
    full = [{**option, "feasible": False, "reject_code": "no_headroom"} for option in award()["options"][:2]]
    return award(
        **{
            "decision_id": "dec-2",
            "verdict": "counter",
            "site_id": None,
            "runs": [],
            "reason": "no site has enough headroom left in its window",
            "options": full,
            "chosen_id": None,
            "cost_gbp": None,
            "carbon_kg": None,
            "counter_offers": [
                {"change": "finish up to 4 h later", "extra_gbp": "0.000000"},
                {"change": "run in any region", "extra_gbp": "1.250000"},
            ],
            **changes,
        }
    )
