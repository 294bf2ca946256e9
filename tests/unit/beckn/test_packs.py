"""What is sent is as the published schemas and the own ones say; what others send is read or refused by name."""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from beckn.catalogue import catalogues
from beckn.filters import select
from beckn.packs import demand_flex
from beckn.packs.compute_window import read_compute_window
from beckn.packs.contracts import (
    Parts,
    commitment,
    consideration,
    contract,
    contract_attributes,
    own_policy,
    performance,
    settlement,
)
from beckn.packs.performance import Measured, read_measured
from beckn.packs.schemas import documents
from beckn.packs.settlement import Interval, revenue_flows, settle
from beckn.packs.turn_down import read_turn_down
from beckn.protocol.faults import Fault
from core.trade import ContractState
from tests.beckn.oracles import core_faults, faults
from tests.beckn.test_pack_points import _need, code_of, reading
from tests.shelves import BASE, SELLER, START, shelf

D = Decimal
WINDOW, DOWN = catalogues(shelf(), BASE, SELLER)


@pytest.fixture
def schemas(shared_data: Path) -> Path:
    return shared_data.parent / "beckn" / "schemas"


@pytest.fixture
def examples(shared_data: Path) -> Path:
    return shared_data.parent / "beckn" / "examples" / "demand-flex-2026"


def own_contract(state: ContractState = ContractState.COMPLETE) -> dict[str, Any]:
    """A contract about a compute window, with all that a contract may have."""
    resource, offer = WINDOW["resources"][1], WINDOW["offers"][1]
    grid = read_compute_window(resource["resourceAttributes"], "$").shown.grid
    series = demand_flex.offered_series(grid, [D(5)] * len(grid))
    settled = settle([Interval(D(5), D(5), D("0.1"), D("0.1"))], "GBP")
    measured = Measured("e-1", "declared-plan", {"berlin": reading(START, [9] * len(grid), [4] * len(grid))})
    parts = Parts(
        [consideration(BASE, "c-1", state, "GBP", D("0.25"), delivered=True)],
        [performance("p-1", "DELIVERY_COMPLETE", "Settled", ["k-1"], measured.wire())],
        [settlement("c-1", state)],
    )
    who = contract_attributes("buyer.example.org", SELLER.subscriber_id, own_policy(BASE), revenue_flows(settled))
    promised = commitment("k-1", state, resource, D(5), offer, series)
    return contract(str(uuid.uuid4()), state, [promised], ["buyer.example.org", SELLER.subscriber_id], who, parts)


def answer() -> dict[str, Any]:
    """A contract that answers a need."""
    need = _need()
    offer = demand_flex.answered_offer(need, "flex.example.org", ["meter-1"])
    series = demand_flex.offered_series(
        need.grid, need.sought_kw, need.resource["resourceAttributes"]["intervalPeriod"]
    )
    promised = commitment("k-1", ContractState.DRAFT, need.resource, D(150), offer, series)
    who = contract_attributes(need.buyer_id, "flex.example.org", need.policy)
    return contract(str(uuid.uuid4()), ContractState.DRAFT, [promised], [need.buyer_id, "flex.example.org"], who)


@pytest.mark.shared
def test_catalogs_and_contracts_are_as_both_core_schemas_say(schemas: Path) -> None:
    for catalog in (WINDOW, DOWN):
        assert core_faults(schemas, "Catalog", catalog) == []
    for state in ContractState:
        assert core_faults(schemas, "Contract", own_contract(state)) == []
    assert core_faults(schemas, "Contract", answer()) == []
    assert core_faults(schemas, "Contract", {**answer(), "beyond": 1}) != []
    assert core_faults(schemas, "Contract", {**answer(), "id": "no uuid"}) != []


@pytest.mark.shared
def test_the_published_packs_are_as_their_schemas_say(schemas: Path) -> None:
    told = answer()["commitments"][0]
    need = _need()
    bid = demand_flex.bid_series(need, [[(D("0.1"), D(10)), (D("0.2"), D(20))]] * 2)
    measured = Measured("e", "5of10", {f"m{i}": reading(START, [9, 9], [1, 1]) for i in range(3)})
    pages = [page.wire() for page in measured.pages(2, "performance.0")]
    checks = [
        ("DemandFlexNeed/v2.0", "DemandFlexNeed", told["resources"][0]["resourceAttributes"]),
        ("DemandFlexBuyOffer/v2.0", "DemandFlexBuyOffer", told["offer"]["offerAttributes"]),
        ("BecknTimeSeries/v1.0", "BecknTimeSeries", told["commitmentAttributes"]),
        ("BecknTimeSeries/v1.0", "BecknTimeSeries", bid),
        ("DEGContract/v2.0", "DEGContract", own_contract()["contractAttributes"]),
        *(("DemandFlexPerformance/v2.0", "DemandFlexPerformance", page) for page in pages),
    ]
    for document, name, instance in checks:
        plain = instance if name == "BecknTimeSeries" else _beside(instance, name)
        assert faults(schemas, document, name, plain) == [], name
        assert faults(schemas, document, name, []) != []


def _beside(instance: dict[str, Any], name: str) -> dict[str, Any]:
    """What a pack's own schema takes: two of them say nothing of context and type, which the core demands."""
    silent = name in {"DEGContract", "DemandFlexPerformance"}
    return {key: value for key, value in instance.items() if not (silent and key.startswith("@"))}


def test_own_messages_are_as_the_own_schemas_say() -> None:
    served = documents(BASE)
    told = [each["resourceAttributes"] for each in (*WINDOW["resources"], *DOWN["resources"])]
    told += [each["offerAttributes"] for each in (*WINDOW["offers"], *DOWN["offers"])]
    told += [each["carbon"] for each in told if "carbon" in each]
    told += [own_contract()["consideration"][0]["considerationAttributes"]]
    for attributes in told:
        address = attributes["@context"].removeprefix(BASE)
        assert address in served
        assert attributes["@type"] in served[address]["@context"]
        validator = Draft202012Validator(served[address.replace("context.jsonld", "schema.json")])
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(attributes)))] == []
        assert not validator.is_valid({**attributes, "beyond": 1})
        assert not validator.is_valid({name: each for name, each in attributes.items() if name != "@type"})
    policy = own_contract()["contractAttributes"]["policy"]
    assert policy["queryPath"] in served[policy["url"].removeprefix(BASE)]
    json.dumps(served)


@pytest.mark.shared
def test_the_published_need_is_read(examples: Path) -> None:
    catalog = json.loads((examples / "publish-catalog.json").read_text())["message"]["catalogs"][0]
    (need,), wrong = demand_flex.read_needs(catalog, "$")
    assert wrong == []
    assert (need.currency, need.baseline, need.sought_kw) == ("INR", "5of10", (150, 200))
    assert need.policy == demand_flex.FIXED_PRICE
    confirm = json.loads((examples / "confirm-request.json").read_text())["message"]["contract"]
    ours = demand_flex.offered_series(
        need.grid, [D(150), D(120)], catalog["resources"][0]["resourceAttributes"]["intervalPeriod"]
    )
    assert ours == confirm["commitments"][0]["commitmentAttributes"]
    assert demand_flex.read_roles(confirm["contractAttributes"], "$") == {
        "buyer": "tpddl-north-delhi",
        "seller": "greenflex-agg",
    }


def test_a_need_that_cannot_be_read_is_named_and_the_others_stay() -> None:
    need = _need()
    bad = copy.deepcopy(dict(need.resource))
    bad["id"] = "need-2"
    bad["resourceAttributes"]["intervals"][1]["id"] = 7
    other = {**need.offer, "id": "offer-2", "resourceIds": ["need-2", "nowhere"]}
    catalog = {"resources": [need.resource, bad], "offers": [need.offer, other]}
    needs, wrong = demand_flex.read_needs(catalog, "$.catalogs[0]")
    assert [each.resource_id for each in needs] == ["need-1"]
    assert [fault.path for fault in wrong] == [
        "$.catalogs[0].resources[1].resourceAttributes.intervals[1].id",
        "$.catalogs[0].offers[1].resourceIds",
    ]


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (lambda a: a.pop("siteId"), "SCH_REQUIRED_FIELD_MISSING", "$.siteId"),
        (lambda a: a.update(beyond=1), "SCH_FIELD_NOT_ALLOWED", "$.beyond"),
        (lambda a: a.update(notice="soon"), "SCH_SCHEMA_VALIDATION_FAILED", "$.notice"),
        (lambda a: a["priceKinds"].pop(), "SCH_ATTRIBUTE_PACK_INVALID", "$.priceKinds"),
        (lambda a: a["priceKinds"].__setitem__(0, "guess"), "SCH_SCHEMA_VALIDATION_FAILED", "$.priceKinds[0]"),
        (lambda a: a["carbon"]["kinds"].pop(), "SCH_ATTRIBUTE_PACK_INVALID", "$.carbon.kinds"),
        (lambda a: a["confidence"].pop(), "SCH_ATTRIBUTE_PACK_INVALID", "$.confidence"),
        (lambda a: a["confidence"].__setitem__(0, 1.2), "SCH_SCHEMA_VALIDATION_FAILED", "$.confidence[0]"),
        (
            lambda a: a["location"]["geo"].update(coordinates=[200, 0]),
            "SCH_INVALID_FORMAT",
            "$.location.geo.coordinates",
        ),
        (
            lambda a: a.update({"@context": "https://x/schemas/turn-down/v2/"}),
            "SCH_INVALID_JSONLD_CONTEXT",
            "$['@context']",
        ),
    ],
)
def test_a_turn_down_that_is_not_one_is_refused_by_the_field(change: Any, code: str, path: str) -> None:
    attributes = json.loads(json.dumps(DOWN["resources"][0]["resourceAttributes"]))
    assert read_turn_down(attributes, "$").wire(BASE) == attributes
    change(attributes)
    assert code_of(lambda: read_turn_down(attributes, "$")) == (code, path)


def test_windows_come_back_as_they_were_written() -> None:
    for resource in WINDOW["resources"]:
        wire = json.loads(json.dumps(resource["resourceAttributes"]))
        assert read_compute_window(wire, "$").wire(BASE) == wire
    assert [each.get("hardware") for each in (r["resourceAttributes"] for r in WINDOW["resources"])] == [
        "8x H100",
        None,
    ]


junk = st.sampled_from([None, True, 0, -1, 1e308, "", "x", [], [[]], {}, {"@type": "x"}, ["x"], [None], 10**30])
Wire = dict[str, Any]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, each in parts for found in _places(each, (*path, name)))]


def _needed() -> Wire:
    need = _need()
    return json.loads(json.dumps({"resources": [need.resource], "offers": [need.offer]}))


MEASURED = Measured("e", "5of10", {"m": reading(START, [9, 9], [1, 1])})
READERS: dict[str, tuple[Wire, Callable[[Any], object]]] = {
    "window": (WINDOW["resources"][0]["resourceAttributes"], lambda a: read_compute_window(a, "$")),
    "down": (DOWN["resources"][0]["resourceAttributes"], lambda a: read_turn_down(a, "$")),
    "needs": (_needed(), lambda a: demand_flex.read_needs(a, "$")),
    "measured": (next(MEASURED.pages(1, "c")).wire(), lambda a: read_measured(a, _need().grid, "$")),
    "series": (
        demand_flex.offered_series(_need().grid, [D(1), D(2)]),
        lambda a: demand_flex.read_series(a, _need().grid, "$"),
    ),
    "roles": (own_contract()["contractAttributes"], lambda a: demand_flex.read_roles(a, "$")),
    "flows": (own_contract()["contractAttributes"], lambda a: demand_flex.read_flows(a, "$")),
    "intent": (
        {
            "textSearch": "x",
            "filters": {"type": "jsonpath", "expression": "$[?@.id]"},
            "spatial": [{"op": "S_WITHIN", "targets": ["$.x"], "geometry": {"type": "Polygon", "bbox": [1, 2, 3, 4]}}],
        },
        lambda a: select(a, [WINDOW]),
    ),
}


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_put_in_any_place_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    whole, read = READERS[kind]
    broken = json.loads(json.dumps(whole))
    place = data.draw(st.sampled_from(_places(broken)))
    at: Any = broken
    for part in place[:-1]:
        at = at[part]
    value = data.draw(junk)
    if place:
        at[place[-1]] = value
    else:
        broken = value
    codes = []
    try:
        read(broken)
    except Fault as fault:
        codes.append(fault.code)
    assert all(code.startswith("SCH_") for code in codes)


def test_flows_that_do_not_sum_to_nothing_are_refused() -> None:
    flows = [{"role": "buyer", "value": -1.1, "currency": "GBP"}, {"role": "seller", "value": 1.2, "currency": "GBP"}]
    with pytest.raises(Fault, match="sum to 0"):
        demand_flex.read_flows({"revenueFlows": flows}, "$")


def test_a_catalog_of_two_days_and_thirteen_sites_is_small_and_quick() -> None:
    large = shelf(13, 96)
    taken = []
    for _ in range(5):
        began = time.process_time()
        told = catalogues(large, BASE, SELLER)
        taken.append((time.process_time() - began) / len(told))
    assert min(taken) < 0.05
    assert [len(each["resources"]) for each in told] == [13, 13]
    assert max(len(json.dumps(each)) for each in told) < 600_000
