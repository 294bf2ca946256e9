"""Job requests: what is accepted, what is refused, and what the refusal names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from core.job import JobRequest, Level, Tier, capped_levels, require_concave

GOOD: dict[str, Any] = {
    "job_name": "train",
    "duration_hours": 2,
    "power_kw": 10,
    "latest_finish": "2023-03-02T00:00Z",
}


def request(**changes: Any) -> JobRequest:
    return JobRequest.model_validate({name: v for name, v in {**GOOD, **changes}.items() if v is not ...})


def refusal(**changes: Any) -> tuple[str, str]:
    """Field (or empty for the whole) and message of the first refusal."""
    with pytest.raises(ValidationError) as caught:
        request(**changes)
    first = caught.value.errors()[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("power_kw", -1),
        ("power_kw", 0),
        ("power_kw", 1e9),
        ("power_kw", float("nan")),
        ("power_kw", float("inf")),
        ("power_kw", "lots"),
        ("power_kw", [1]),
        ("duration_hours", 0),
        ("duration_hours", -2),
        ("duration_hours", 169),
        ("duration_hours", float("nan")),
        ("latest_finish", "2023-03-02T00:00"),
        ("latest_finish", "2023-03-02"),
        ("latest_finish", "tomorrow"),
        ("latest_finish", 1677715200),
        ("latest_finish", None),
        ("latest_finish", "0001-01-01T00:00+05:00"),
        ("latest_finish", "9999-12-31T23:59-05:00"),
        ("earliest_start", "2023-03-01T00:00"),
        ("tier", "gold"),
        ("flexibility_type", "elastic"),
        ("job_type", "poetry"),
        ("priority", "urgent"),
        ("tenant", "a b"),
        ("tenant", ""),
        ("job_name", ""),
        ("job_name", "x" * 121),
        ("job_name", None),
        ("gpu_count", 0),
        ("gpu_count", 1.5),
        ("carbon_cap_g_per_kwh", -1),
        ("max_price_gbp_per_kwh", 1000),
        ("pause_cost_gbp", -0.01),
        ("allowed_regions", "GB"),
        ("allowed_regions", ["GB"] * 51),
        ("command", []),
        ("command", "rm -rf"),
        ("timeout_minutes", 0),
        ("colour", "red"),
    ],
)
def test_bad_input_is_refused_naming_its_field(field: str, value: object):
    changes: dict[str, Any] = {field: value}
    if field == "gpu_count":
        changes["power_kw"] = None
    assert refusal(**changes)[0].split(".")[0] == field


@pytest.mark.parametrize("priority", [[], {}, 3])
def test_a_priority_of_another_type_is_refused_not_a_crash(priority: object):
    assert refusal(priority=priority)[0] == "priority"


@pytest.mark.parametrize("field", ["job_name", "duration_hours", "latest_finish"])
def test_a_missing_field_is_named(field: str):
    assert refusal(**{field: ...}) == (field, "Field required")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"earliest_start": "2023-03-02T00:00Z"}, "is not after earliest_start"),
        ({"earliest_start": "2023-03-03T00:00Z"}, "is not after earliest_start"),
        ({"gpu_count": 2}, "not both"),
        ({"power_kw": None}, "power_kw, gpu_count or an asset_id"),
        ({"levels": [{"power_kw": 5, "work_per_slot": 1}]}, "levels are for throttlable jobs"),
    ],
)
def test_fields_that_contradict_one_another_are_refused_in_words(changes: dict[str, Any], words: str):
    assert words in refusal(**changes)[1]


def test_a_body_that_is_no_object_is_refused():
    for body in ([], "text", 3, None):
        with pytest.raises(ValidationError):
            JobRequest.model_validate(body)


def test_the_older_wire_shape_is_understood():
    old = JobRequest.model_validate(
        {
            "job_name": "old",
            "duration_hours": 1,
            "estimated_power_kw": 7.5,
            "deadline": "2023-03-02T01:00+01:00",
            "max_price_per_kwh": 0.2,
            "priority": "critical",
        }
    )
    assert (old.power_kw, old.max_price_gbp_per_kwh, old.tier) == (7.5, 0.2, Tier.PREMIUM)
    assert old.latest_finish == datetime(2023, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("priority", "tier"),
    [("critical", Tier.PREMIUM), ("high", Tier.STANDARD), ("normal", Tier.FLEXIBLE), ("low", Tier.SPOT)],
)
def test_a_priority_names_the_tier_unless_one_is_given(priority: str, tier: Tier):
    assert request(priority=priority).tier is tier
    assert request(priority=priority, tier="spot").tier is Tier.SPOT


@pytest.mark.parametrize(
    ("levels", "good"),
    [
        (((5, 0.8), (10, 1.0)), True),
        (((5, 0.5), (10, 1.0)), True),
        (((10, 1.0),), True),
        (((5, 0.4), (10, 1.0)), False),
        (((10, 1.0), (5, 0.8)), False),
        (((5, 0.8), (10, 0.8)), False),
        (((5, 0.8), (5, 1.0)), False),
    ],
)
def test_levels_must_rise_and_be_concave(levels: tuple[tuple[float, float], ...], good: bool):
    ladder = [{"power_kw": power, "work_per_slot": work} for power, work in levels]
    if good:
        assert len(request(flexibility_type="throttlable", levels=ladder).levels or ()) == len(levels)
    else:
        assert "levels" in refusal(flexibility_type="throttlable", levels=ladder)[1]


def test_the_default_ladder_is_concave_and_ends_at_full_power():
    ladder = capped_levels(40.0)
    require_concave(ladder)
    assert ladder[-1] == Level(power_kw=40.0, work_per_slot=1.0)
