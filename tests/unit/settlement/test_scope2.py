"""Scope 2 of settled half-hours: by location and by market, with certificates that are claimed once and no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from loguru import logger

from accounting.runs import as_of
from agents.settlement.bodies import statement_of
from agents.settlement.inventory import Inventory
from audit.fields import dec
from core.errors import LogUnavailable
from core.series import Kind, Series, Unit
from core.slots import SLOTS_PER_DAY, format_utc
from tests.house import START, Bench, small_site
from tests.unit.settlement.test_agent import UNIT, FullLog, begin, register, state

NOON = START + timedelta(hours=12)
NEXT_NOON = NOON + timedelta(days=1)
TWINS = (
    small_site("london", own_load_kw=40.0),
    small_site("leeds", own_load_kw=40.0),
    small_site("oslo", "NO", "NO-NO2"),
)
"""two British sites in one zone that both draw something of their own"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "settlement.toml"
    path.write_text("")
    made = Bench.build(tmp_path / "var", sites=TWINS, settlement_file=path)
    begin(made)
    yield made
    made.house.close()


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What the server logs."""
    lines: list[str] = []
    handler = logger.add(lines.append, level="ERROR", format="{message}")
    yield lines
    logger.remove(handler)


def certificate(gc_id="gc-1", site_id="london", start=NOON, wh=5000, hours=1.0, zone="GB-C", storage="false"):
    """An entry of the settlement file."""
    return f"""
[[certificate]]
gc_id = "{gc_id}"
issuer = "TEST-ISSUER"
zone = "{zone}"
site_id = "{site_id}"
start = {format_utc(start)}
end = {format_utc(start + timedelta(hours=hours))}
wh = {wh}
storage = {storage}
"""


def claimed(bodies: list[dict], site_id="london") -> dict[tuple[str, int], int]:
    """Wh by certificate and settlement period."""
    return {
        (each["gc_id"], body["settlement_period"]): each["matched_wh"]
        for body in bodies
        if body["site_id"] == site_id and body["scope2"]
        for each in body["scope2"]["certificates"]
    }


def in_force(bench: Bench) -> dict[str, set[str]]:
    """By certificate the sites for which the log claims it now."""
    records, _ = bench.house.log.records(kind="settlement_period", limit=100_000)
    versions = [statement_of(record.seq, record.recorded_at, record.body) for record in records]
    found: dict[str, set[str]] = {}
    for each in as_of(versions, bench.clock.now()).values():
        for used in each.figures["scope2"]["certificates"]:
            found.setdefault(used["gc_id"], set()).add(each.key.site_id)
    return found


def restarted(bench: Bench) -> Bench:
    bench.house.close()
    return Bench.build(bench.folder, at=bench.clock.now(), settlement_file=register(bench))


def test_each_half_hour_is_stated_by_both_methods_and_simulated_is_said(bench: Bench):
    body = state(bench, SLOTS_PER_DAY)[0]
    told = body["scope2"]
    assert (told["kind"], told["certificates"], told["matched_wh"]) == ("simulated", [], 0)
    assert told["provider"]
    assert Decimal(told["import_kwh"]) == pytest.approx(-1000 * Decimal(body["metered_mwh"]), abs=Decimal("0.06"))
    assert told["location_kg"] == dec(Decimal(told["import_kwh"]) * Decimal(told["g_per_kwh"]) / 1000, 6)
    assert (told["market_kg"], told["residual_g_per_kwh"]) == (told["location_kg"], None)
    assert told["without_residual_mix"] is True


def test_certificates_are_matched_with_what_was_metered_half_hour_by_half_hour(bench: Bench):
    register(bench).write_text(
        certificate("gc-2", wh=900_000, storage="true") + certificate("gc-1") + '[residual_mix]\nGB-C = "400"\n'
    )
    stated = [body for body in state(bench, SLOTS_PER_DAY) if body["site_id"] == "london"]
    first, second = (body["scope2"] for body in stated[24:26])
    drawn = [int(Decimal(each["import_kwh"]) * 1000) for each in (first, second)]
    assert claimed(stated) == {("gc-1", 25): 5000, ("gc-2", 25): drawn[0] - 5000, ("gc-2", 26): drawn[1]}
    assert [each["storage"] for each in first["certificates"]] == [False, True]
    assert (first["matched_wh"], Decimal(first["market_kg"]), first["without_residual_mix"]) == (drawn[0], 0, False)
    assert Decimal(first["location_kg"]) > 0
    rest = stated[26]["scope2"]
    assert Decimal(rest["market_kg"]) == Decimal(rest["import_kwh"]) * 400 / 1000
    assert (rest["residual_g_per_kwh"], rest["without_residual_mix"]) == ("400.000", False)


def test_a_certificate_noted_later_restates_its_half_hours(bench: Bench):
    state(bench, SLOTS_PER_DAY)
    register(bench).write_text(certificate())
    stated = state(bench, SLOTS_PER_DAY + 1)
    assert claimed(stated) == {("gc-1", 25): 5000}
    assert [(body["settlement_period"], body["revision"]) for body in stated] == [(25, 1)]
    assert state(bench, SLOTS_PER_DAY + 2) == []


def test_a_certificate_that_changes_its_site_is_never_claimed_for_both(bench: Bench, told: list[str]):
    register(bench).write_text(certificate(site_id="leeds"))
    state(bench, SLOTS_PER_DAY)
    assert in_force(bench) == {"gc-1": {"leeds"}}
    register(bench).write_text(certificate())
    state(bench, SLOTS_PER_DAY + 1)
    assert in_force(bench) == {}
    assert any("gc-1 is claimed already, for leeds on 2023-03-01" in line for line in told)
    state(bench, SLOTS_PER_DAY + 2)
    assert in_force(bench) == {"gc-1": {"london"}}
    register(bench).write_text(certificate(site_id="leeds"))
    state(bench, SLOTS_PER_DAY + 3)
    assert in_force(bench) == {"gc-1": {"leeds"}}


def test_what_the_log_claims_counts_after_a_restart_and_after_its_day_is_stated_no_more(bench: Bench, told: list[str]):
    register(bench).write_text(certificate())
    state(bench, SLOTS_PER_DAY)
    bench.at(10 * SLOTS_PER_DAY)
    again = restarted(bench)
    try:
        late = NOON + timedelta(days=9)
        register(again).write_text(certificate(site_id="leeds", start=late) + certificate("gc-2", "leeds", late))
        stated = state(again, 10 * SLOTS_PER_DAY)
        assert claimed(stated, "leeds") == {("gc-2", 25): 5000}
        assert any("gc-1 is claimed already, for london on 2023-03-01" in line for line in told)
        assert in_force(again) == {"gc-1": {"london"}, "gc-2": {"leeds"}}
    finally:
        again.house.close()


def test_nothing_is_claimed_or_stated_again_after_a_restart(bench: Bench):
    register(bench).write_text(certificate())
    state(bench, SLOTS_PER_DAY)
    again = restarted(bench)
    try:
        assert state(again, SLOTS_PER_DAY + 1) == []
    finally:
        again.house.close()


def test_what_the_log_did_not_take_is_not_claimed(bench: Bench):
    register(bench).write_text(certificate(site_id="leeds"))
    settlement = bench.house.loop._tick._with.settlement
    settlement._log = FullLog(bench.house.log)
    with pytest.raises(LogUnavailable):
        state(bench, SLOTS_PER_DAY)
    settlement._log = bench.house.log
    register(bench).write_text(certificate())
    assert claimed(state(bench, SLOTS_PER_DAY)) == {("gc-1", 25): 5000}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (certificate(zone="DE-LU"), "gc-1 is of DE-LU; it cannot be delivered in GB-C"),
        (certificate(site_id="oslo"), "gc-1 is for oslo, whose Scope 2 is not stated"),
        (certificate(start=NOON - timedelta(days=1)), "gc-1 is for 2023-02-28, which is stated no more"),
    ],
)
def test_a_certificate_that_cannot_be_claimed_is_told_and_the_rest_is_stated(bench: Bench, told: list[str], entry, why):
    register(bench).write_text(entry + certificate("gc-2"))
    assert claimed(state(bench, SLOTS_PER_DAY)) == {("gc-2", 25): 5000}
    assert any(why in line for line in told)


def test_of_a_site_with_several_pairs_nothing_is_counted_for_each(bench: Bench, told: list[str]):
    second = UNIT.replace('baseline_indicator = "B" }', 'baseline_indicator = "B" }, ' + PAIR)
    register(bench).write_text(second + certificate())
    stated = [body for body in state(bench, SLOTS_PER_DAY) if body["site_id"] == "london"]
    assert len({body["msid_pair_commit"] for body in stated}) == 2
    figures = "metered_mwh", "baseline_mwh", "expected_mwh", "deviation_mwh", "scope2"
    assert {body[name] for body in stated for name in figures} == {None}
    assert any("gc-1 is for london, whose Scope 2 is not stated" in line for line in told)


PAIR = '{ import_msid = "1012345678902", baseline_indicator = "B" }'


class Published:
    """An energy agent whose carbon intensity is what a test says, of the first ``known`` half-hours of a day."""

    def __init__(self, g_per_kwh: float, kind: Kind = Kind.ESTIMATE) -> None:
        self.g_per_kwh, self.kind, self.known = g_per_kwh, kind, SLOTS_PER_DAY

    def observed(self, zone: str, start: datetime, slots: int) -> tuple[None, Series]:
        values = np.full(slots, self.g_per_kwh)
        values[self.known :] = np.nan
        return None, Series.of(start, values, self.kind, Unit.G_PER_KWH, "NESO", datetime(2023, 3, 1, tzinfo=UTC))


def publishing(bench: Bench, g_per_kwh: float, kind: Kind = Kind.ESTIMATE) -> Published:
    energy = Published(g_per_kwh, kind)
    bench.house.loop._tick._with.settlement._inventory = Inventory(energy, bench.house.log)
    return energy


def intensities(bodies: list[dict]) -> set[tuple[str, str]]:
    return {(body["scope2"]["g_per_kwh"], body["scope2"]["kind"]) for body in bodies}


def test_an_intensity_that_is_revised_restates_for_two_days_and_then_stands(bench: Bench):
    energy = publishing(bench, 200.0)
    assert intensities(state(bench, SLOTS_PER_DAY)) == {("200.000", "estimate")}
    energy.g_per_kwh = 210.0
    again = state(bench, 2 * SLOTS_PER_DAY - 1)
    assert intensities(again) == {("210.000", "estimate")}
    assert {body["revision"] for body in again} == {1}
    energy.g_per_kwh = 220.0
    assert {body["settlement_date"] for body in state(bench, 3 * SLOTS_PER_DAY)} == {"2023-03-02", "2023-03-03"}
    settlement = bench.house.loop._tick._with.settlement
    settlement._look_again()
    settlement._looked_at = None
    assert state(bench, 3 * SLOTS_PER_DAY) == []


def test_a_forecast_is_named_and_does_not_stand(bench: Bench):
    energy = publishing(bench, 200.0, Kind.FORECAST)
    assert intensities(state(bench, SLOTS_PER_DAY)) == {("200.000", "forecast")}
    energy.kind, energy.g_per_kwh = Kind.ESTIMATE, 190.0
    stated = [body for body in state(bench, 4 * SLOTS_PER_DAY) if body["settlement_date"] == "2023-03-01"]
    assert intensities(stated) == {("190.000", "estimate")}


def test_what_was_not_known_in_two_days_is_asked_for_while_the_rest_stands(bench: Bench):
    energy = publishing(bench, 200.0)
    energy.known = 40
    state(bench, SLOTS_PER_DAY)
    energy.known, energy.g_per_kwh = SLOTS_PER_DAY, 210.0
    stated = [body for body in state(bench, 4 * SLOTS_PER_DAY) if body["settlement_date"] == "2023-03-01"]
    assert {body["settlement_period"] for body in stated} == set(range(41, 49))
    assert intensities(stated) == {("210.000", "estimate")}


def test_without_an_intensity_there_is_no_scope_2_and_no_claim(bench: Bench):
    register(bench).write_text(certificate())
    energy = publishing(bench, float("nan"))
    assert {body["scope2"] for body in state(bench, SLOTS_PER_DAY)} == {None}
    energy.g_per_kwh = 190.0
    assert claimed(state(bench, SLOTS_PER_DAY + 1)) == {("gc-1", 25): 5000}
