"""The published demand-flex packs: a utility's need, the answer of a seller, and the contract between them.

The terms of a need settle by one of two published policies. By the first a need has three columns, CAPACITY_REQUESTED,
PRICE and SHORTFALL_PENALTY, exactly these, and the seller answers with CAPACITY_OFFERED. By the second the seller bids
a curve, OFFER_PRICE and CAPACITY_OFFERED step by step, and the buyer adds CAPACITY_CLEARED and CLEARING_PRICE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.packs.contracts import DEG_CONTRACT, Policy
from beckn.packs.grid import Column, Grid, read_grid, require_columns, require_same, write_event
from beckn.packs.reading import at, inner, instant, listing, mapping, member, number, text
from beckn.protocol.faults import Fault

_SCHEMAS = "https://schema.nfh.global"
NEED_CONTEXT = f"{_SCHEMAS}/DemandFlexNeed/v2.0/context.jsonld"
OFFER_CONTEXT = f"{_SCHEMAS}/DemandFlexBuyOffer/v2.0/context.jsonld"
SERIES_CONTEXT = f"{_SCHEMAS}/BecknTimeSeries/v1.0/context.jsonld"
CONTEXTS = (NEED_CONTEXT, OFFER_CONTEXT, SERIES_CONTEXT, DEG_CONTRACT)
"""what a message about a need carries"""
_POLICIES = "https://raw.githubusercontent.com/beckn/DEG/refs/heads/main/specification/policies"
FIXED_PRICE = Policy(f"{_POLICIES}/demand-flex-contractpolicy.rego", "data.deg.contracts.demand_flex")
PAY_AS_CLEAR = Policy(f"{_POLICIES}/demand-flex-pac-contractpolicy.rego", "data.deg.contracts.demand_flex_pac")
NEED_COLUMNS = ("CAPACITY_REQUESTED", "PRICE", "SHORTFALL_PENALTY")
_COMMITTED = ("CAPACITY_OFFERED", "OFFER_PRICE", "CAPACITY_CLEARED", "CLEARING_PRICE")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Need:
    """What a utility asks for.

    :param grid: CAPACITY_REQUESTED kW, and by a fixed price also PRICE and SHORTFALL_PENALTY per kWh.
    :param currency: ISO 4217. :param baseline: methodology, such as ``5of10``.
    :param valid_until: until when the offer can be confirmed; None where it does not say.
    :param policy: by which it settles. :param resource: and :param offer: as they came, for the contract to repeat.
    """

    resource_id: str
    offer_id: str
    buyer_id: str
    grid: Grid
    currency: str
    baseline: str
    valid_until: datetime | None
    policy: Policy
    resource: Mapping[str, Any]
    offer: Mapping[str, Any]

    @property
    def sought_kw(self) -> tuple[Decimal, ...]:
        """Reduction asked for per half-hour, kW; 0 where the price is negative, which asks for more to be drawn."""
        asked = self.grid.figures("CAPACITY_REQUESTED")
        prices = self.grid.figures("PRICE") if "PRICE" in self.grid.columns else (_ZERO,) * len(self.grid)
        return tuple(
            _ZERO if power is None or (price or _ZERO) < 0 else power
            for power, price in zip(asked, prices, strict=True)
        )


def read_needs(catalog: Any, path: str) -> tuple[list[Need], list[Fault]]:
    """The needs of a catalog, and for each that cannot be read what is wrong with it.

    :raises Fault: the catalog itself has no such shape.
    """
    found = mapping(catalog, path)
    resources = {
        text(mapping(each, f"{path}.resources[{i}]"), "id", f"{path}.resources[{i}]"): (i, each)
        for i, each in enumerate(_several(found, "resources", path))
    }
    needs: list[Need] = []
    faults: list[Fault] = []
    for k, each in enumerate(_several(found, "offers", path)):
        here = f"{path}.offers[{k}]"
        attributes = mapping(each, here).get("offerAttributes")
        if not isinstance(attributes, Mapping) or attributes.get("@type") != "DemandFlexBuyOffer":
            continue
        for resource_id in _several(each, "resourceIds", here):
            try:
                if not isinstance(resource_id, str) or resource_id not in resources:
                    where = at(here, "resourceIds")
                    raise Fault("SCH_ATTRIBUTE_PACK_INVALID", "the catalog has no such resource", where)
                i, resource = resources[resource_id]
                needs.append(read_need(resource, each, f"{path}.resources[{i}]", here))
            except Fault as fault:
                faults.append(fault)
    return needs, faults


def _several(found: Mapping[str, Any], name: str, path: str) -> list[Any]:
    """A list that may be absent or empty."""
    return [] if found.get(name) in (None, []) else listing(found, name, path)


def read_need(resource: Any, offer: Any, resource_path: str, offer_path: str) -> Need:
    """Read a need and the offer to buy it; :class:`Fault` ``SCH_`` for the first thing wrong."""
    wanted, given = mapping(resource, resource_path), mapping(offer, offer_path)
    here, there = at(resource_path, "resourceAttributes"), at(offer_path, "offerAttributes")
    attributes, terms = inner(wanted, "resourceAttributes", resource_path), inner(given, "offerAttributes", offer_path)
    _require_type(attributes, "DemandFlexNeed", here)
    _require_type(terms, "DemandFlexBuyOffer", there)
    policy = _policy(inner(terms, "contractAttributes", there), at(there, "contractAttributes"))
    grid = read_grid(attributes, here, NEED_COLUMNS)
    require_columns(grid, NEED_COLUMNS if policy == FIXED_PRICE else NEED_COLUMNS[:1], here)
    buyer, inputs = _buyer(terms, there)
    currency = text(inputs, "currency", f"{there}.inputs")
    if any(column.units not in {"KW", f"{currency}_PER_KWH"} for column in grid.columns.values()):
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"the prices are not in {currency}", at(here, "payloadDescriptors"))
    validity = given.get("validity")
    return Need(
        resource_id=text(wanted, "id", resource_path),
        offer_id=text(given, "id", offer_path),
        buyer_id=buyer,
        grid=grid,
        currency=currency,
        baseline=_baseline(inputs.get("baselineMethodology"), f"{there}.inputs"),
        valid_until=None
        if not isinstance(validity, Mapping) or validity.get("endDate") is None
        else instant(validity, "endDate", at(offer_path, "validity")),
        policy=policy,
        resource=wanted,
        offer=given,
    )


def _require_type(attributes: Mapping[str, Any], name: str, path: str) -> None:
    if attributes.get("@type") != name:
        raise Fault("SCH_TYPE_NOT_SUPPORTED", f"the type is not {name}", f"{path}['@type']")


def _policy(attributes: Mapping[str, Any], path: str) -> Policy:
    told = inner(attributes, "policy", path)
    query = text(told, "queryPath", at(path, "policy"))
    for known in (FIXED_PRICE, PAY_AS_CLEAR):
        if query == known.query_path:
            return Policy(text(told, "url", at(path, "policy")), query) if known != FIXED_PRICE else known
    raise Fault("SCH_TYPE_NOT_SUPPORTED", f"policy {query[:80]!r} is not known here", f"{path}.policy.queryPath")


def _buyer(terms: Mapping[str, Any], path: str) -> tuple[str, Mapping[str, Any]]:
    """Who buys, and what it brings."""
    roles = [mapping(each, f"{path}.inputs[{i}]") for i, each in enumerate(listing(terms, "inputs", path, 10))]
    for i, role in enumerate(roles):
        if role.get("role") == "buyer":
            here = f"{path}.inputs[{i}]"
            return text(role, "participantId", here), inner(role, "inputs", here)
    raise Fault("SCH_REQUIRED_FIELD_MISSING", "no role is the buyer's", at(path, "inputs"))


def _baseline(found: Any, path: str) -> str:
    """A methodology in one word."""
    if isinstance(found, str) and 0 < len(found) <= 100:
        return found
    told = mapping(found, at(path, "baselineMethodology"))
    best, out = (number(member(told, name, path), at(path, name)) for name in ("bestOf", "outOf"))
    return f"{best:f}of{out:f}"


def need_attributes(grid: Grid, longitude: float, latitude: float) -> dict[str, Any]:
    """The ``resourceAttributes`` of a need; :class:`ValueError` where the grid has other columns than a need's."""
    if set(grid.columns) != set(NEED_COLUMNS):
        raise ValueError(f"a need has the columns {', '.join(NEED_COLUMNS)}, not {', '.join(grid.columns)}")
    geo = {"type": "Point", "coordinates": [longitude, latitude]}
    return {"@context": NEED_CONTEXT, "@type": "DemandFlexNeed", "location": {"geo": geo}, **write_event(grid)}


def answered_offer(need: Need, seller_id: str, meters: Sequence[str]) -> dict[str, Any]:
    """The offer of a need with the seller's part filled in: the meters that take part, and what each will report."""
    report = {
        "objectType": "REPORT_PAYLOAD_DESCRIPTOR",
        "payloadType": "USAGE",
        "readingType": "DIRECT_READ",
        "units": "KW",
        "cardinality": "PER_INTERVAL",
    }
    inputs = {"participatingMeters": list(meters), "reportDescriptors": [report]}
    terms = {name: each for name, each in need.offer["offerAttributes"].items() if name != "contractAttributes"}
    others = [each for each in terms["inputs"] if each.get("role") != "seller"]
    terms["inputs"] = [*others, {"role": "seller", "participantId": seller_id, "inputs": inputs}]
    told = {name: need.offer[name] for name in ("id", "resourceIds", "validity") if name in need.offer}
    return {**told, "offerAttributes": terms}


def offered_series(terms: Grid, power_kw: Sequence[Decimal], period: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ``commitmentAttributes`` with what the seller promises, kW per half-hour of the terms.

    :param period: the terms' ``intervalPeriod`` as it came, which the policy compares letter by letter.
    """
    return _series(terms, {"CAPACITY_OFFERED": Column.of("KW", power_kw, "seller")}, period)


def bid_series(need: Need, curves: Sequence[Sequence[tuple[Decimal, Decimal]]]) -> dict[str, Any]:
    """The ``commitmentAttributes`` with a bid: per half-hour steps of a price per kWh and the kW reduced at it."""
    prices = tuple(tuple(price for price, _ in curve) for curve in curves)
    powers = tuple(tuple(power for _, power in curve) for curve in curves)
    columns = {
        "OFFER_PRICE": Column(f"{need.currency}_PER_KWH", prices, "seller"),
        "CAPACITY_OFFERED": Column("KW", powers, "seller"),
    }
    return _series(need.grid, columns, need.resource["resourceAttributes"]["intervalPeriod"])


def _series(terms: Grid, columns: Mapping[str, Column], period: Mapping[str, Any] | None) -> dict[str, Any]:
    grid = Grid(terms.start, columns)
    if len(grid) != len(terms):
        raise ValueError(f"{len(grid)} half-hours are promised, the terms have {len(terms)}")
    told = {"@context": SERIES_CONTEXT, "@type": "TimeSeries", **write_event(grid)}
    return told if period is None else {**told, "intervalPeriod": dict(period)}


def read_series(attributes: Any, terms: Grid, path: str) -> Grid:
    """Read ``commitmentAttributes``: CAPACITY_OFFERED, and for a bid its prices and what was cleared.

    :raises Fault: ``SCH_``, with the JSONPath: another column, or other half-hours than those of the terms.
    """
    _require_type(mapping(attributes, path), "TimeSeries", path)
    grid = read_grid(attributes, path, _COMMITTED)
    require_columns(grid, ("CAPACITY_OFFERED",), path)
    require_same(grid, terms, path)
    return grid


def cleared(series: Grid, need: Need, path: str) -> tuple[Grid, Grid]:
    """Terms and what is promised once a bid was cleared, as :func:`beckn.packs.settlement.intervals_of` takes them.

    The price is the clearing price and the power what was cleared; the penalty is the buyer's flat ``penaltyRate`` per
    kWh, 0 where it names none. :class:`Fault` while nothing is cleared.
    """
    require_columns(series, ("CAPACITY_CLEARED", "CLEARING_PRICE"), path)
    _, inputs = _buyer(need.offer["offerAttributes"], path)
    rate = number(inputs.get("penaltyRate", 0), f"{path}.penaltyRate")
    if rate < 0:
        raise Fault("SCH_INVALID_FORMAT", "penaltyRate is below 0", f"{path}.penaltyRate")
    price = series.columns["CLEARING_PRICE"]
    if price.units != f"{need.currency}_PER_KWH":
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"the prices are not in {need.currency}", path)
    penalty = Column.of(price.units, [rate] * len(series))
    terms = Grid(series.start, {"PRICE": price, "SHORTFALL_PENALTY": penalty})
    power = Column.of("KW", series.figures("CAPACITY_CLEARED"))
    return terms, Grid(series.start, {"CAPACITY_OFFERED": power})


def read_roles(attributes: Any, path: str) -> dict[str, str | None]:
    """Who is who by the ``contractAttributes``; None where a role is not taken yet."""
    roles: dict[str, str | None] = {}
    for i, each in enumerate(listing(mapping(attributes, path), "roles", path, 10)):
        here = f"{path}.roles[{i}]"
        role = mapping(each, here)
        name = text(role, "role", here)
        if name in roles:
            raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"role {name[:40]!r} is given twice", here)
        roles[name] = None if role.get("participantId") is None else text(role, "participantId", here)
    return roles


def read_flows(attributes: Any, path: str) -> dict[str, Decimal]:
    """What flows to each role by the ``contractAttributes``; :class:`Fault` where it does not sum to 0."""
    flows: dict[str, Decimal] = {}
    currencies = set()
    for i, each in enumerate(listing(mapping(attributes, path), "revenueFlows", path, 10)):
        here = f"{path}.revenueFlows[{i}]"
        flow = mapping(each, here)
        name = text(flow, "role", here)
        flows[name] = flows.get(name, _ZERO) + number(member(flow, "value", here), at(here, "value"))
        currencies.add(text(flow, "currency", here))
    if sum(flows.values()) or len(currencies) > 1:
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", "the flows do not sum to 0 in one currency", at(path, "revenueFlows"))
    return flows
