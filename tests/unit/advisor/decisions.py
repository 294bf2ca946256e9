"""Bodies of decision records, as the log holds them."""

from __future__ import annotations

from typing import Any

from audit.record import DecisionBody

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
