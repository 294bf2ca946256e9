from __future__ import annotations

import importlib
import pkgutil
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import audit.bodies
from audit.bodies.decision import RunBody
from audit.bodies.log import RecoveryBody
from audit.canonical import canonical
from audit.fields import Body, dec
from audit.record import BODIES, body_of
from tests.unit.audit.samples import NOON, decision, delivery

FORBIDDEN = {"job_name", "name_of_job", "tenant", "command", "command_line", "argv", "asset_name"}


def _bodies():
    """Every body, those inside others too."""
    found = set()
    for module in pkgutil.iter_modules(audit.bodies.__path__):
        named = vars(importlib.import_module(f"audit.bodies.{module.name}")).values()
        found |= {c for c in named if isinstance(c, type) and issubclass(c, Body)}
    assert found >= set(BODIES.values())
    return found


def test_no_body_has_a_field_for_a_name_a_tenant_or_a_command():
    assert not {field for body in _bodies() for field in body.model_fields} & FORBIDDEN


def test_no_body_has_a_float_field():
    assert not [f for body in _bodies() for f in body.model_fields.values() if f.annotation is float]


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="job_name"):
        RecoveryBody(torn_bytes=1, torn_sha256="0" * 64, quarantine_path="x", acknowledged=False, job_name="secret")


@pytest.mark.parametrize("power", [2.0, "2.0 kW", "nan", "1e3", ".5", ""])
def test_a_decimal_is_a_plain_decimal_string(power):
    with pytest.raises(ValidationError, match="power_kw"):
        RunBody(start=NOON, end=NOON, power_kw=power)


@pytest.mark.parametrize("start", [NOON.replace(tzinfo=None), "2026-03-01T00:00:00", "soon", 5])
def test_a_time_without_an_offset_is_refused(start):
    with pytest.raises(ValidationError, match="start"):
        RunBody(start=start, end=NOON, power_kw="1")


def test_an_aware_time_is_recorded_in_utc():
    summer = timezone(timedelta(hours=1))
    assert RunBody(start=NOON.astimezone(summer), end="2026-03-01T13:00:00+01:00", power_kw="1").model_dump() == {
        "start": "2026-03-01T12:00:00Z",
        "end": "2026-03-01T12:00:00Z",
        "power_kw": "1",
    }


@given(st.floats(-1e9, 1e9), st.integers(0, 8))
def test_dec_gives_a_plain_decimal_within_half_a_unit(value, places):
    text = dec(value, places)
    assert abs(float(text) - value) <= 0.5 * 10**-places + 1e-6
    assert "e" not in text
    assert not (text.startswith("-") and float(text) == 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_dec_refuses_what_is_not_a_figure(value):
    with pytest.raises(ValueError, match="not a finite figure"):
        dec(value, 2)


def test_a_kind_carries_its_own_body_only():
    with pytest.raises(ValueError, match="carries a DecisionBody, not a DeliveryBody"):
        body_of("decision", delivery())
    with pytest.raises(ValueError, match=r"unknown record kind 'gossip'; known kinds: decision"):
        body_of("gossip", delivery())


@pytest.mark.parametrize("kind", BODIES)
def test_every_kind_is_named_after_its_body(kind):
    name = BODIES[kind].__name__.removesuffix("Body").lower()
    assert kind.replace("_", "").endswith(name)


def test_a_float_smuggled_past_the_model_is_still_refused():
    body = decision().model_copy(update={"cost_gbp": 1.5})
    with pytest.raises(ValueError, match="is a float"):
        canonical(body_of("decision", body))
