"""The words of the trade on the wire, by the points of the checklist: grids, settlement, carbon apart, filters."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beckn.catalogue import catalogue, catalogues, parse_resource_id
from beckn.filters import select
from beckn.packs import demand_flex
from beckn.packs.compute_window import read_compute_window
from beckn.packs.contracts import offer_id_of, parse_offer_id
from beckn.packs.grid import Column, Grid, read_grid, same_grid, write_event, write_report
from beckn.packs.performance import Measured, Page, assemble, read_measured
from beckn.packs.settlement import Interval, delivered_kw, intervals_of, revenue_flows, settle
from beckn.packs.turn_down import read_turn_down
from beckn.protocol.faults import Fault
from core.slots import LONDON, SLOT, settlement_period, slots_between
from core.trade import Product
from tests.pace import paced_s
from tests.shelves import BASE, SELLER, START, shelf

DAYS = [(date(2026, 3, 29), 46), (date(2026, 10, 25), 50), (date(2026, 6, 1), 48)]
TERMS = {"CAPACITY_REQUESTED": "KW", "PRICE": "GBP_PER_KWH", "SHORTFALL_PENALTY": "GBP_PER_KWH"}
D = Decimal


def local_day(day: date) -> tuple[datetime, int]:
    """First half-hour and number of half-hours of a day in London."""
    first, last = (
        datetime(each.year, each.month, each.day, tzinfo=LONDON).astimezone(UTC) for each in (day, day + timedelta(1))
    )
    return first, slots_between(first, last)


def terms(start: datetime, count: int) -> Grid:
    return Grid(
        start, {name: Column.of(unit, [D(i + 1) for i in range(count)], "buyer") for name, unit in TERMS.items()}
    )


def reading(start: datetime, baseline: list[Any], usage: list[Any]) -> Grid:
    columns = {"BASELINE": baseline, "USAGE": usage}
    return Grid(
        start,
        {
            name: Column.of("KW", [D(str(v)) for v in told], reading_type="DIRECT_READ")
            for name, told in columns.items()
        },
    )


def code_of(call: Any) -> tuple[str, str | None]:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value.code, caught.value.path


# 17


@given(tick=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,60}", fullmatch=True))
def test_point_17_an_offer_names_the_round_that_priced_it(tick: str) -> None:
    assert parse_offer_id(offer_id_of(tick, "turn-down.london")) == (tick, "turn-down.london")


def test_point_17_another_forecast_makes_another_offer() -> None:
    ids = [[o["id"] for c in catalogues(shelf(tick_id=t), BASE, SELLER) for o in c["offers"]] for t in ("a-1", "a-2")]
    assert len(ids[0]) == 4
    assert not set(ids[0]) & set(ids[1])
    assert {parse_resource_id(parse_offer_id(each)[1])[0] for each in ids[0]} == set(Product)


@pytest.mark.parametrize("text", ["", "@", "a@", "@b", "a@b@c", "turn-down.london", "a b@c", "x" * 300 + "@t"])
def test_point_17_what_is_no_offer_of_ours_is_told_from_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"id of an offer|part of"):
        parse_offer_id(text)


# 19


@pytest.mark.parametrize(("day", "periods"), DAYS)
def test_point_19_a_local_day_is_one_grid_of_its_settlement_periods(day: date, periods: int) -> None:
    start, count = local_day(day)
    grid = read_grid(json.loads(json.dumps(write_event(terms(start, count)))), "$")
    assert len(grid) == periods
    found = [settlement_period(grid.start + SLOT * i) for i in range(len(grid))]
    assert found == [(day, i + 1) for i in range(periods)]
    assert settlement_period(grid.end).period == 1


@given(
    minutes=st.integers(0, 59), seconds=st.integers(0, 59), offset=st.sampled_from(["Z", "+01:00", "+05:30", "+05:45"])
)
def test_point_19_a_grid_starts_on_a_half_hour_of_utc(minutes: int, seconds: int, offset: str) -> None:
    wire = write_event(terms(START, 2))
    wire["intervalPeriod"]["start"] = f"2026-04-01T08:{minutes:02}:{seconds:02}{offset}"
    aligned = (minutes % 30 if offset != "+05:45" else (minutes - 45) % 30) == 0 and seconds == 0
    if aligned:
        assert read_grid(wire, "$").start.minute in {0, 30}
    else:
        assert code_of(lambda: read_grid(wire, "$.a")) == ("SCH_INVALID_FORMAT", "$.a.intervalPeriod.start")


@pytest.mark.parametrize("duration", ["PT1H", "PT15M", "P1M", "half an hour", "PT30M1S"])
def test_point_19_intervals_are_half_hours(duration: str) -> None:
    wire = write_event(terms(START, 2))
    wire["intervalPeriod"]["duration"] = duration
    assert code_of(lambda: read_grid(wire, "$")) == ("SCH_INVALID_FORMAT", "$.intervalPeriod.duration")


def test_point_19_offer_commitment_and_telemetry_have_one_grid() -> None:
    asked = terms(START, 2)
    for start, count in ((START + SLOT, 2), (START, 3), (START - SLOT, 2)):
        other = terms(start, count)
        assert not same_grid(asked, other)
        offered = demand_flex.offered_series(other, [D(1)] * count)
        assert code_of(lambda o=offered: demand_flex.read_series(o, asked, "$"))[0] == "SCH_ATTRIBUTE_PACK_INVALID"
        told = Measured("e", "5of10", {"m": reading(start, [1] * count, [0] * count)}).wire()
        assert code_of(lambda t=told: read_measured(t, asked, "$")) == (
            "SCH_ATTRIBUTE_PACK_INVALID",
            "$.meters[0].telemetry.intervalPeriod",
        )
    offered = demand_flex.offered_series(asked, [D(1), D(2)])
    assert same_grid(demand_flex.read_series(offered, asked, "$"), asked)


# 20


def _break(change: Any) -> Any:
    wire = write_event(terms(START, 3))
    change(wire)
    return wire


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (lambda w: w["payloadDescriptors"].pop(1), "SCH_ATTRIBUTE_PACK_INVALID", "$.intervals[0].payloads[1].type"),
        (
            lambda w: w["payloadDescriptors"][1].update(units="KW"),
            "SCH_INVALID_FORMAT",
            "$.payloadDescriptors[1].units",
        ),
        (
            lambda w: w["payloadDescriptors"][0].update(units="MW"),
            "SCH_INVALID_FORMAT",
            "$.payloadDescriptors[0].units",
        ),
        (
            lambda w: w["payloadDescriptors"][0].pop("units"),
            "SCH_REQUIRED_FIELD_MISSING",
            "$.payloadDescriptors[0].units",
        ),
        (
            lambda w: w["payloadDescriptors"][1].update(units="EUR_PER_KWH"),
            "SCH_INVALID_FORMAT",
            "$.payloadDescriptors",
        ),
        (
            lambda w: w["payloadDescriptors"].append(dict(w["payloadDescriptors"][0])),
            "SCH_FIELD_NOT_ALLOWED",
            "$.payloadDescriptors[3].payloadType",
        ),
        (
            lambda w: w["payloadDescriptors"][0].update(cardinality="DAILY"),
            "SCH_INVALID_ENUM",
            "$.payloadDescriptors[0].cardinality",
        ),
        (lambda w: w["intervals"][1].update(id=2), "SCH_INVALID_FORMAT", "$.intervals[1].id"),
        (lambda w: w["intervals"][1].update(id=True), "SCH_INVALID_FORMAT", "$.intervals[1].id"),
        (lambda w: w["intervals"][2]["payloads"].pop(), "SCH_REQUIRED_FIELD_MISSING", "$.intervals[2].payloads"),
        (
            lambda w: w["intervals"][0]["payloads"].append(w["intervals"][0]["payloads"][0]),
            "SCH_ATTRIBUTE_PACK_INVALID",
            "$.intervals[0].payloads[3].type",
        ),
        (
            lambda w: w["intervals"][0]["payloads"][0].update(values=[float("nan")]),
            "SCH_INVALID_FORMAT",
            "$.intervals[0].payloads[0].values[0]",
        ),
        (
            lambda w: w["intervals"][0]["payloads"][0].update(values=[10**400]),
            "SCH_INVALID_FORMAT",
            "$.intervals[0].payloads[0].values[0]",
        ),
        (
            lambda w: w["intervals"][0]["payloads"][0].update(values=["7"]),
            "SCH_SCHEMA_VALIDATION_FAILED",
            "$.intervals[0].payloads[0].values[0]",
        ),
        (
            lambda w: w["intervals"][0]["payloads"][0].update(values=[-1]),
            "SCH_INVALID_FORMAT",
            "$.intervals[0].payloads[0].values",
        ),
        (
            lambda w: w["intervals"][0]["payloads"][1].update(values=[1, 2]),
            "SCH_SCHEMA_VALIDATION_FAILED",
            "$.intervals[0].payloads[1].values",
        ),
        (
            lambda w: w["intervals"][0].update(intervalPeriod={"start": "2026-04-01T09:00:00Z", "duration": "PT30M"}),
            "SCH_INVALID_FORMAT",
            "$.intervals[0].intervalPeriod",
        ),
        (lambda w: w.update(intervals=w["intervals"] * 600), "SCH_SCHEMA_VALIDATION_FAILED", "$.intervals"),
    ],
)
def test_point_20_columns_are_declared_known_and_told_as_declared(change: Any, code: str, path: str) -> None:
    assert code_of(lambda: read_grid(_break(change), "$")) == (code, path)


def test_point_20_what_is_told_once_is_told_with_the_first_interval_only() -> None:
    wire = write_report(reading(START, [5, 6], [1, 2]))
    wire["payloadDescriptors"].append(
        {
            "objectType": "REPORT_PAYLOAD_DESCRIPTOR",
            "payloadType": "GPS_LAT",
            "units": "DEGREES",
            "cardinality": "PER_EVENT",
        }
    )
    place = {"type": "GPS_LAT", "values": [51.5]}
    assert code_of(lambda: read_grid(wire, "$"))[0] == "SCH_ATTRIBUTE_PACK_INVALID"
    wire["intervals"][0]["payloads"].append(place)
    assert read_grid(wire, "$").figures("GPS_LAT") == (D("51.5"), None)
    assert write_report(read_grid(wire, "$"))["intervals"] == wire["intervals"]
    wire["intervals"][1]["payloads"].append(place)
    assert code_of(lambda: read_grid(wire, "$")) == ("SCH_ATTRIBUTE_PACK_INVALID", "$.intervals[1].payloads")


def test_point_20_a_curve_has_a_price_for_each_step() -> None:
    need = _need()
    curve = [[(D("0.1"), D(10)), (D("0.2"), D(25))], [(D("0.1"), D(10))]]
    series = demand_flex.bid_series(need, curve)
    read = demand_flex.read_series(series, need.grid, "$")
    assert read.columns["OFFER_PRICE"].cells == ((D("0.1"), D("0.2")), (D("0.1"),))
    assert read.columns["OFFER_PRICE"].units == "GBP_PER_KWH"
    series["intervals"][0]["payloads"][1]["values"].pop()
    assert code_of(lambda: demand_flex.read_series(series, need.grid, "$")) == (
        "SCH_ATTRIBUTE_PACK_INVALID",
        "$.intervals[0]",
    )


figure = st.decimals(-1000, 1000, places=5)


@given(cells=st.lists(st.tuples(st.decimals(0, 1000, places=3), figure, st.decimals(0, 1000, places=5)), min_size=1))
def test_point_20_a_grid_comes_back_as_it_was_written(cells: list[tuple[Decimal, ...]]) -> None:
    columns = dict(zip(TERMS.items(), zip(*cells, strict=True), strict=True))
    grid = Grid(START, {name: Column.of(unit, told, "buyer") for (name, unit), told in columns.items()})
    assert read_grid(json.loads(json.dumps(write_event(grid))), "$") == grid


# 21


def _need() -> demand_flex.Need:
    """A need of two half-hours, read from the wire."""
    grid = Grid(
        START,
        {
            "CAPACITY_REQUESTED": Column.of("KW", [D(150), D(80)], "buyer"),
            "PRICE": Column.of("GBP_PER_KWH", [D("0.30"), D("-0.02")], "buyer"),
            "SHORTFALL_PENALTY": Column.of("GBP_PER_KWH", [D("0.1"), D("0.1")], "buyer"),
        },
    )
    resource = {"id": "need-1", "resourceAttributes": demand_flex.need_attributes(grid, -0.1, 51.5)}
    policy = {"url": demand_flex.FIXED_PRICE.url, "queryPath": demand_flex.FIXED_PRICE.query_path}
    offer = {
        "id": "offer-1",
        "resourceIds": ["need-1"],
        "validity": {"endDate": "2026-04-01T08:00:00Z"},
        "offerAttributes": {
            "@context": demand_flex.OFFER_CONTEXT,
            "@type": "DemandFlexBuyOffer",
            "contractAttributes": {"policy": policy},
            "inputs": [
                {
                    "role": "buyer",
                    "participantId": "utility.example.org",
                    "inputs": {"currency": "GBP", "baselineMethodology": {"bestOf": 5, "outOf": 10}},
                },
                {"role": "seller", "participantId": None},
            ],
        },
    }
    return demand_flex.read_need(resource, offer, "$.r", "$.o")


def test_point_21_the_arithmetic_is_the_policys() -> None:
    rows = settle(
        [
            Interval(D(100), delivered_kw([(D(60), D(10)), (D(80), D(20)), (D(5), D(9))]), D("0.31"), D("0.2")),
            Interval(D(50), D(20), D("0.31"), D("0.2")),
            Interval(D(50), D(50), D("-0.1"), D("0.2")),
            Interval(D(0), D(30), D("0.5"), D("0.2")),
        ],
        "GBP",
    )
    assert [row.delivered_kw for row in rows.rows] == [110, 20, 50, 30]
    assert [row.settled_kwh for row in rows.rows] == [50, 10, 25, 0]
    assert [row.pay for row in rows.rows] == [D("15.5"), D("3.1"), D("-2.5"), 0]
    assert [row.penalty for row in rows.rows] == [0, 3, 0, 0]
    assert rows.total == D("13.10")
    assert [flow["value"] for flow in revenue_flows(rows)] == [-13.1, 13.1]


power, money = st.decimals(0, 10**6, places=3), st.decimals(-100, 100, places=7)
interval = st.builds(Interval, power, power, money, st.decimals(0, 100, places=7))


@given(intervals=st.lists(interval, max_size=40))
def test_point_21_flows_sum_to_nothing_and_are_whole_pence(intervals: list[Interval]) -> None:
    settled = settle(intervals, "GBP")
    assert sum(settled.flows.values()) == 0
    assert settled.total == settled.total.quantize(D("0.01"))
    exact = sum((row.pay - row.penalty for row in settled.rows), D(0))
    assert abs(settled.total - exact) <= D("0.005")
    assert sum(flow["value"] for flow in revenue_flows(settled)) == 0


def test_point_21_half_a_penny_goes_to_the_even_one_and_rounding_is_once() -> None:
    half = Interval(D(1), D(1), D("0.01"), D(0))
    assert [settle([half] * n, "GBP").total for n in (1, 3, 5)] == [D("0.00"), D("0.02"), D("0.02")]
    assert settle([Interval(D(1), D(1), D("-0.01"), D(0))], "GBP").flows == {"buyer": 0, "seller": 0}


@pytest.mark.shared
def test_point_21_the_published_example_comes_to_what_it_says(shared_data: Path) -> None:
    example = shared_data.parent / "beckn" / "examples" / "demand-flex-2026" / "on-status-response-settled.json"
    contract = json.loads(example.read_text())["message"]["contract"]
    promised = contract["commitments"][0]
    asked = read_grid(promised["resources"][0]["resourceAttributes"], "$", demand_flex.NEED_COLUMNS)
    offered = demand_flex.read_series(promised["commitmentAttributes"], asked, "$")
    measured = read_measured(contract["performance"][0]["performanceAttributes"], asked, "$")
    assert measured.settles
    settled = settle(intervals_of(asked, offered, list(measured.meters.values())), "INR")
    assert [row.pay - row.penalty for row in settled.rows] == [D("237.50"), D("198.75")]
    assert settled.total == D("436.25")
    assert settled.flows == demand_flex.read_flows(contract["contractAttributes"], "$")
    assert [flow["value"] for flow in revenue_flows(settled)] == [-436.25, 436.25]


def test_point_21_what_was_not_measured_does_not_settle() -> None:
    asked = terms(START, 2)
    offered = demand_flex.read_series(demand_flex.offered_series(asked, [D(3), D(3)]), asked, "$")
    wire = Measured("e", "5of10", {"m": reading(START, [9, 9], [1, 1])}).wire()
    wire["meters"][0]["telemetry"]["intervals"][1]["payloads"].pop()
    meters = list(read_measured(wire, asked, "$").meters.values())
    assert code_of(lambda: intervals_of(asked, offered, meters))[0] == "SCH_REQUIRED_FIELD_MISSING"
    assert not Measured("e", "RESOURCE_TELEMETRY", {}).settles


def test_point_21_pages_in_any_order_and_twice_are_one_whole() -> None:
    whole = Measured("e", "5of10", {f"m{i}": reading(START, [9, 9], [i, 1]) for i in range(7)})
    asked = terms(START, 2)
    pages = [read_measured(page.wire(), asked, "$") for page in whole.pages(3, "performance.0")]
    assert [page.page for page in pages] == [Page(i, i == 2, 3, 7, "performance.0") for i in range(3)]
    assert assemble([pages[2], pages[0]]) is None
    assert assemble([pages[2], pages[0], pages[1], pages[0]]) == whole
    broken = copy.deepcopy(pages[1].wire())
    broken["meters"].pop()
    assert code_of(lambda: assemble([pages[0], read_measured(broken, asked, "$"), pages[2]]))[0].startswith("SCH_")
    assert code_of(lambda: assemble([*pages, read_measured(broken, asked, "$")]))[0].startswith("SCH_")


def test_point_21_a_cleared_bid_settles_at_the_clearing_price() -> None:
    need = _need()
    wire = demand_flex.bid_series(need, [[(D("0.1"), D(30)), (D("0.3"), D(60))], [(D("0.1"), D(10))]])
    assert code_of(lambda: demand_flex.cleared(demand_flex.read_series(wire, need.grid, "$"), need, "$"))[0] == (
        "SCH_REQUIRED_FIELD_MISSING"
    )
    for name, unit, told in (("CAPACITY_CLEARED", "KW", (60, 10)), ("CLEARING_PRICE", "GBP_PER_KWH", (0.4, 0.2))):
        wire["payloadDescriptors"].append(
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": name, "units": unit, "insertedBy": "buyer"}
        )
        for row, value in zip(wire["intervals"], told, strict=True):
            row["payloads"].append({"type": name, "values": [value]})
    need.offer["offerAttributes"]["inputs"][0]["inputs"]["penaltyRate"] = 0.5
    asked, promised = demand_flex.cleared(demand_flex.read_series(wire, need.grid, "$"), need, "$")
    settled = settle(intervals_of(asked, promised, [reading(START, [100, 100], [40, 96])]), need.currency)
    assert [(row.pay, row.penalty) for row in settled.rows] == [(D(12), 0), (D("0.4"), D("1.5"))]
    assert settled.total == D("10.90")


def test_point_21_nothing_is_sought_where_the_price_asks_for_more_to_be_drawn() -> None:
    need = _need()
    assert need.sought_kw == (150, 0)
    assert (need.baseline, need.currency, need.buyer_id) == ("5of10", "GBP", "utility.example.org")


# 22


def test_point_22_carbon_travels_apart_from_what_settles() -> None:
    window, down = catalogues(shelf(), BASE, SELLER)
    for wire, read in ((window, read_compute_window), (down, read_turn_down)):
        attributes = wire["resources"][0]["resourceAttributes"]
        shown = read(attributes, "$").shown
        assert set(shown.grid.columns) == {"CAPACITY_AVAILABLE", "PRICE", "SHORTFALL_PENALTY"}
        assert shown.carbon is not None
        assert same_grid(shown.carbon.grid, shown.grid)
        assert set(shown.carbon.kinds) == {"forecast"}
        assert attributes["carbon"]["@type"] == "CarbonWindow"
    assert "CARBON_AVOIDED" in shown.carbon.grid.columns


@pytest.mark.parametrize("carbon", ["CARBON_INTENSITY", "CARBON_AVOIDED"])
def test_point_22_a_carbon_column_among_the_terms_is_refused(carbon: str) -> None:
    resource = catalogue(shelf(), Product.COMPUTE_WINDOW, BASE, SELLER)["resources"][0]["resourceAttributes"]
    need = dict(_need().resource["resourceAttributes"])
    for attributes, read in (
        (resource, lambda a: read_compute_window(a, "$")),
        (need, lambda a: demand_flex.read_need({"id": "n", "resourceAttributes": a}, _need().offer, "$", "$.o")),
    ):
        wire = copy.deepcopy(attributes)
        unit = {"CARBON_INTENSITY": "G_PER_KWH", "CARBON_AVOIDED": "KG"}[carbon]
        wire["payloadDescriptors"].append(
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": carbon, "units": unit}
        )
        for row in wire["intervals"]:
            row["payloads"].append({"type": carbon, "values": [100]})
        assert code_of(lambda w=wire, r=read: r(w))[0] == "SCH_FIELD_NOT_ALLOWED"


def test_point_22_simulated_prices_and_what_is_not_for_sale_are_labelled() -> None:
    window = catalogue(shelf(), Product.COMPUTE_WINDOW, BASE, SELLER)
    kinds = [resource["resourceAttributes"]["priceKinds"] for resource in window["resources"]]
    assert kinds == [["none"] + ["forecast"] * 5, ["simulated"] * 6]
    first = read_compute_window(window["resources"][0]["resourceAttributes"], "$").shown.grid
    assert first.figures("CAPACITY_AVAILABLE")[0] == 0
    assert all(figure for figure in first.figures("CAPACITY_AVAILABLE")[1:])


# 25

CATALOGS = catalogues(shelf(), BASE, SELLER)


def found(intent: dict[str, Any]) -> list[str]:
    return [resource["id"] for catalog in select(intent, CATALOGS) for resource in catalog["resources"]]


def by(expression: str) -> list[str]:
    return found({"filters": {"type": "jsonpath", "expression": expression}})


ALL = ["compute-window.london", "compute-window.berlin", "turn-down.london", "turn-down.berlin"]


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("$.catalogs[*] ? (@.provider.id == 'flex.example.org' && exists(@.resources))", ALL),
        ("$.catalogs[*] ? (@.provider.id == 'another')", []),
        ("$.catalogs[*] ? (@.offers[*].validity.endDate >= '2026-04-01T08:00:00Z')", ALL),
        ("$.catalogs[*] ? (@.offers[*].validity.endDate >= '2026-04-02T00:00:00Z')", []),
        ("$.catalogs[?@.id == 'flex.example.org.turn-down']", ALL[2:]),
        ("$[?(@.resourceAttributes.zone == 'GB-C')]", [ALL[0], ALL[2]]),
        ('$[?@["resourceAttributes"].hardware]', ALL[:1]),
        ("$[?!(@.resourceAttributes.hardware)]", ALL[1:]),
        ('$ ? (@.id starts with "turn" || @.resourceAttributes.maximumKw < 0)', ALL[2:]),
        ("$.catalogs[*].resources[*] ? (@.resourceAttributes.priceKinds[*] == 'simulated')", [ALL[1], ALL[3]]),
        ("$.catalogs[*].offers[*] ? (@.resourceIds[*] == 'turn-down.berlin')", ALL[3:]),
        ("$.catalogs[0].resources[-1].resourceAttributes.intervals[*] ? (@.id > 4).payloads", ALL[1:2]),
        ("$.catalogs[*] ? (@.resources.resourceAttributes.region == 'DE' && @.id <> 'x')", ALL),
        ("$.catalogs[*] ? (@.resources[*].nothing != 'x')", []),
        ("$[?@.id == @.resourceAttributes]", []),
        ("$[?@.resourceAttributes.carbon.kinds == @.resourceAttributes.carbon.kinds]", []),
        ("$[?@.resourceAttributes.carbon.kinds[*] == @.resourceAttributes.priceKinds[*]]", [ALL[0], ALL[2]]),
        ("$[?@.resourceAttributes.intervals[1].id == true]", []),
        ("$[?@.resourceAttributes.intervals[*].id == 0.0 && @.descriptor.name > 'Compute']", ALL),
        ("$[?@.resourceAttributes.hardware == null || @.resourceAttributes.hardware == '8x H100']", ALL[:1]),
        ("$.elsewhere[*]", []),
    ],
)
def test_point_25_expressions_of_both_dialects_select(expression: str, kept: list[str]) -> None:
    assert by(expression) == kept


@pytest.mark.shared
def test_point_25_the_published_expression_is_read(shared_data: Path) -> None:
    example = shared_data.parent / "beckn" / "examples" / "demand-flex-2026"
    intent = json.loads((example / "discover-request.json").read_text())["message"]["intent"]
    catalogs = json.loads((example / "publish-catalog.json").read_text())["message"]["catalogs"]
    assert select(intent, catalogs) == catalogs
    assert select(intent, CATALOGS) == []


DEEP = "$.catalogs[*].resources[*].resourceAttributes.intervals[*].id"
HOSTILE = [
    "$..*..*",
    "$.**",
    "$" + ".*" * 240,
    "$" + "[*]" * 160,
    f"$.catalogs[*] ? ({DEEP} > {DEEP} && {DEEP} == 'x')",
    f"$.catalogs[*].resources[*] ? ({DEEP} == 'x')",
    f"$.catalogs[*].resources[*] ? (exists($.catalogs[*].resources[*] ? ({DEEP} == 'x')))",
    "$[?" + "(" * 300 + "@.a" + ")" * 300 + "]",
    "$" + "[?@" * 150 + "]" * 150,
    "$[?" + "!" * 400 + "@.a]",
    "(" * 1999,
    "$.a" * 600,
    "$[?@.a == '" + "\\" * 1900,
    "$[?@.a =~ /(a+)+$/]",
    "$[?@.a like_regex '(a+)+$']",
    "$[?@.a == 1" + "0" * 1500 + "]",
    "$.catalogs[*] ? (1 == 1",
    "",
    "@.a",
    "$ $",
    None,
    7,
]


@pytest.mark.parametrize("expression", HOSTILE)
def test_point_25_hostile_expressions_are_refused_at_once(expression: Any) -> None:
    large = catalogues(shelf(13, 96), BASE, SELLER)
    refusals = []

    def refused() -> None:
        refusals.append(code_of(lambda: select({"filters": {"type": "jsonpath", "expression": expression}}, large)))

    assert paced_s(refused, tries=3) < 0.05
    assert set(refusals) == {("SCH_INVALID_JSONPATH", "$.message.intent.filters.expression")}


@given(expression=st.text("$@.*[]()?!&|<>='\"\\ a0-", max_size=60))
def test_point_25_whatever_is_asked_is_answered_or_refused(expression: str) -> None:
    codes = []
    try:
        by(f"$.catalogs[*]{expression}")
    except Fault as fault:
        codes.append(fault.code)
    assert codes in ([], ["SCH_INVALID_JSONPATH"])


ISLAND = {"type": "Polygon", "coordinates": [[[-8, 49], [2, 49], [2, 60], [-8, 60], [-8, 49]]]}
GEO = "$.resourceAttributes.location.geo"


@pytest.mark.parametrize(
    ("op", "geometry", "more", "kept"),
    [
        ("S_WITHIN", ISLAND, {}, [ALL[0], ALL[2]]),
        (
            "s_intersects",
            ISLAND,
            {"targets": ["$.catalogs[*].resources[*].resourceAttributes.location.geo"]},
            [ALL[0], ALL[2]],
        ),
        ("S_DISJOINT", ISLAND, {}, [ALL[1], ALL[3]]),
        ("S_WITHIN", ISLAND, {"quantifier": "NONE"}, [ALL[1], ALL[3]]),
        ("S_WITHIN", {"type": "Polygon", "bbox": [10, 50, 20, 55]}, {}, [ALL[1], ALL[3]]),
        ("S_WITHIN", {"type": "Polygon", "bbox": [170, 50, 10, 55]}, {}, [ALL[0], ALL[2]]),
        ("S_WITHIN", {"type": "Polygon", "bbox": [-0.1, 50, 20, 55]}, {}, [ALL[1], ALL[3]]),
        ("S_INTERSECTS", {"type": "Polygon", "bbox": [-0.1, 50, 20, 55]}, {}, ALL),
        ("S_DWITHIN", {"type": "Point", "coordinates": [-0.1, 51.6]}, {"distanceMeters": 12_000}, [ALL[0], ALL[2]]),
        ("S_DWITHIN", {"type": "Point", "coordinates": [-0.1, 51.6]}, {"distanceMeters": 11_000}, []),
        ("S_WITHIN", ISLAND, {"targets": "$.nowhere"}, []),
    ],
)
def test_point_25_places_select(op: str, geometry: Any, more: Any, kept: list[str]) -> None:
    assert found({"spatial": [{"op": op, "targets": GEO, "geometry": geometry, **more}]}) == kept


@pytest.mark.parametrize(
    "constraint",
    [
        {"op": "S_CROSSES", "targets": GEO, "geometry": ISLAND},
        {"op": "S_WITHIN", "targets": "$..geo", "geometry": ISLAND},
        {"op": "S_WITHIN", "targets": GEO, "geometry": {"type": "Polygon", "coordinates": [[[0, 0]]]}},
        {"op": "S_WITHIN", "targets": GEO, "geometry": {"type": "Point", "coordinates": [0, float("inf")]}},
        {"op": "S_WITHIN", "targets": GEO, "geometry": {"type": "Polygon", "coordinates": [[[0, 0]] * 2000]}},
        {"op": "S_DWITHIN", "targets": GEO, "geometry": {"type": "Point", "coordinates": [0, 0]}},
        {"op": "S_WITHIN", "targets": GEO, "geometry": ISLAND, "srid": "EPSG:27700"},
        {"op": "S_WITHIN", "targets": GEO},
        "S_WITHIN",
    ],
)
def test_point_25_places_that_cannot_be_reckoned_are_refused(constraint: Any) -> None:
    code, path = code_of(lambda: found({"spatial": [constraint]}))
    assert code.startswith("SCH_")
    assert path is not None
    assert path.startswith("$.message.intent.spatial[0]")


def test_point_25_words_and_filters_and_places_are_all_met() -> None:
    assert found({"textSearch": "LONDON headroom"}) == ALL[:1]
    assert found({"textSearch": "slackwater"}) == ALL
    intent = {
        "textSearch": "site",
        "filters": {"type": "jsonpath", "expression": "$[?@.resourceAttributes.confidence]"},
    }
    assert found(intent) == ALL[2:]
    place = {"op": "S_WITHIN", "targets": GEO, "geometry": ISLAND}
    assert found({**intent, "spatial": [place]}) == ALL[2:3]
    assert [len(each["offers"]) for each in select({**intent, "spatial": [place]}, CATALOGS)] == [1]
    assert code_of(lambda: found({"mediaSearch": {}}))[0] == "SCH_TYPE_NOT_SUPPORTED"
