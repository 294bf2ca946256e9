"""Drafts: what a sentence says, what is assumed, and never a number that is neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.advisor.drafts import DEFAULT_HOURS, DEFAULT_KW, NUMBERS, Draft, model_draft, rule_draft, sentence_of
from core.errors import InputError
from core.job import JobRequest

NOW = datetime(2026, 11, 20, 14, 10, tzinfo=UTC)
PLACES = {"Iceland": "IS", "IS": "IS", "London": "london", "Norway": "NO", "Great Britain": "GB"}
WHOLE = "Train on 8 H100s for 6 hours by tomorrow 6pm, cheaper than 12p/kWh, in Iceland or Norway, can be paused"


def read(text: str) -> Draft:
    return rule_draft(sentence_of(text, NOW, PLACES))


def proposed(text: str, **fields: Any) -> Draft:
    return model_draft(sentence_of(text, NOW, PLACES), fields)


def understood(draft: Draft) -> dict[str, Any]:
    return {field.field: field.value for field in draft.understood}


def assumed(draft: Draft) -> dict[str, Any]:
    return {field.field: field.value for field in draft.assumed}


def test_a_whole_sentence_leaves_little_to_assume() -> None:
    draft = read(WHOLE)
    assert understood(draft) == {
        "job_type": "training",
        "flexibility_type": "pausable",
        "gpu_count": 8,
        "duration_hours": 6,
        "latest_finish": datetime(2026, 11, 21, 18, tzinfo=UTC),
        "max_price_gbp_per_kwh": pytest.approx(0.12),
        "allowed_regions": ("IS", "NO"),
    }
    assert assumed(draft).keys() == {"job_name", "tier"}
    assert (draft.unread, draft.source, draft.note) == ((), "rules", "")
    assert draft.request == JobRequest.model_validate({**understood(draft), **assumed(draft)})


def test_what_is_missing_is_assumed_and_said_to_be() -> None:
    draft = read("5 kW, please")
    told = assumed(draft)
    assert (told["duration_hours"], told["flexibility_type"]) == (DEFAULT_HOURS, "deferrable")
    assert told["latest_finish"] == datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
    assert draft.request.power_kw == 5
    assert assumed(read("for 3 hours"))["power_kw"] == DEFAULT_KW


def test_the_assumed_deadline_leaves_a_long_job_room_but_is_never_too_far_ahead() -> None:
    assert assumed(read("20 h at 5 kW"))["latest_finish"] == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    assert assumed(read("5 days at 5 kW"))["latest_finish"] == datetime(2026, 11, 27, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sentence", "field", "value"),
    [
        ("2 h at 5 kW within 12 hours", "latest_finish", NOW + timedelta(hours=12)),
        ("2 h at 5 kW, done in 8 h", "latest_finish", NOW + timedelta(hours=8)),
        ("2 h at 5 kW, 9 hours from now", "latest_finish", NOW + timedelta(hours=9)),
        ("2 h at 5 kW starting in 3 hours", "earliest_start", NOW + timedelta(hours=3)),
        ("2 h at 5 kW, not before Monday", "earliest_start", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2 h at 5 kW from 22:00 until tomorrow", "latest_finish", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2 h at 5 kW, deadline is Sunday noon", "latest_finish", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2 h at 5 kW and each pause costs £3", "pause_cost_gbp", 3.0),
        ("2 h at 5 kW and each pause costs £3", "flexibility_type", "pausable"),
        ("2 h at 5 kW, it cannot be paused", "flexibility_type", "deferrable"),
        ("2 h at 5 kW, may be throttled", "flexibility_type", "throttlable"),
        ("2 h at 5 kW right away", "flexibility_type", "fixed"),
        ("2 h at 5 kW, low priority", "tier", "spot"),
        ("2 h at 5 kW below 90 g/kWh", "carbon_cap_g_per_kwh", 90.0),
        ("CFD run of 2 h at 5 kW", "job_type", "hpc"),
        ("2 h at 5 kW called 'night 7'", "job_name", "night 7"),
        ("2 h at 5 kW for tenant physics.lab", "tenant", "physics.lab"),
        ("2 h at 5 kW in great britain", "allowed_regions", ("GB",)),
    ],
)
def test_a_field_is_read_by_its_unit_and_the_words_around_it(sentence: str, field: str, value: Any) -> None:
    assert understood(read(sentence))[field] == value


def test_power_said_beside_gpus_is_the_power() -> None:
    draft = read("8 GPUs drawing 10 kW for 2 h")
    assert (draft.request.power_kw, draft.request.gpu_count) == (10, None)
    assert draft.unread == ("8 GPUs",)


def test_what_no_field_takes_is_told() -> None:
    draft = read("render 300 frames for 2 h at 5 kW tonight, not in Iceland; it is quick")
    assert draft.unread == ("300 frames", "tonight", "not in Iceland")
    assert draft.request.allowed_regions == ()


@pytest.mark.parametrize(
    ("sentence", "complaint"),
    [
        ("", "0 characters"),
        ("x" * 601, "601 characters"),
        ("please run my job", "names no duration"),
        ("8 GPUs for 400 hours", "duration_hours"),
        ("2 h at 5 kW from Monday until Sunday", "latest_finish"),
    ],
)
def test_a_sentence_that_makes_no_job_is_refused_with_a_remedy(sentence: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as refused:
        read(sentence)
    assert refused.value.field == "text"
    assert refused.value.remedy


def test_a_models_reading_is_taken_where_the_sentence_says_it() -> None:
    draft = proposed(
        "it draws five kilowatts and takes ninety of them, I mean 90 min, by 18:00",
        job_name="draws five",
        flexibility_type="pausable",
        duration_hours=1.5,
        power_kw=5.0,
        latest_finish=datetime(2026, 11, 20, 18, tzinfo=UTC),
        allowed_regions=("IS",),
    )
    assert draft.source == "model"
    assert draft.request.duration_hours == 1.5
    said = {field.field: field.said for field in draft.understood}
    assert (said["power_kw"], said["latest_finish"], said["allowed_regions"]) == ("five kilowatts", "18:00", "")
    assert draft.unread == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration_hours", 7.0),
        ("power_kw", 50.0),
        ("gpu_count", 64),
        ("latest_finish", datetime(2026, 11, 25, tzinfo=UTC)),
        ("max_price_gbp_per_kwh", 0.5),
        ("carbon_cap_g_per_kwh", 10.0),
        ("pause_cost_gbp", 4.0),
        ("job_name", "run 99"),
    ],
)
def test_a_number_that_the_sentence_does_not_say_is_never_taken(field: str, value: Any) -> None:
    draft = proposed(WHOLE, **{field: value})
    assert getattr(draft.request, field) != value
    assert any(part.startswith(field) and part.endswith("(not in the sentence)") for part in draft.unread)
    assert draft.request.duration_hours == 6, "what the rules read stands in its place"


def test_a_number_of_another_kind_is_no_evidence() -> None:
    assert proposed("6 hours on 8 GPUs", power_kw=6.0).request.power_kw is None


def test_a_model_that_reads_no_number_leaves_the_sentence_unread() -> None:
    with pytest.raises(InputError, match="names no duration"):
        proposed("make it so", tier="premium")


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(NUMBERS - {"earliest_start", "latest_finish"})),
        st.floats(min_value=0.1, max_value=150).map(lambda value: round(value, 1)),
    ),
    st.integers(min_value=-5, max_value=100),
)
def test_every_number_of_a_draft_is_in_the_sentence_or_an_assumption(fields: dict[str, Any], hours: int) -> None:
    if "gpu_count" in fields:
        fields["gpu_count"] = int(fields["gpu_count"]) + 1
    draft = proposed(WHOLE, **fields, latest_finish=NOW + timedelta(hours=hours))
    sentence = sentence_of(WHOLE, NOW, PLACES)
    made = draft.request.model_dump(include=set(NUMBERS), exclude_none=True, exclude_defaults=True)
    for field, value in made.items():
        assert assumed(draft).get(field) == value or sentence.says(field, value)
