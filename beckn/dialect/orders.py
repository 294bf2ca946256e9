"""Contracts as orders of the dialect of 2025: what was promised, what was measured, what it comes to.

Every figure is settled half-hour by half-hour, carbon as well: energy times the intensity of its own half-hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.dialect.catalogues import grid_parameters
from beckn.dialect.words import ACTIONS, COMPUTE, CORE, DEMAND, bag
from beckn.models import slot_id_of
from beckn.packs.alert import read_action
from beckn.packs.contracts import offer_id_of
from beckn.packs.grid import read_grid, wire_number
from beckn.packs.performance import KIND as MEASURED
from beckn.packs.settlement import HOURS, PENNY, Interval, settle
from beckn.packs.site import iso_duration
from beckn.packs.turn_down import METHOD
from beckn.provider.items import ZERO, Item, Line, read_items
from core.slots import SLOT, format_utc
from core.trade import Contract, ContractState, Product

_STATES: Mapping[ContractState, str] = {
    ContractState.DRAFT: "PENDING",
    ContractState.ACTIVE: "CONFIRMED",
    ContractState.CANCELLED: "CANCELLED",
    ContractState.COMPLETE: "COMPLETED",
}
_KILO = Decimal(1000)
_GRAM, _MICRO = Decimal("0.001"), Decimal("0.000001")
Readings = Mapping[datetime, tuple[Decimal, Decimal | None]]
"""baseline and usage in kW by half-hour; usage is None where nothing was measured yet"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Half-hours of an item reckoned together: kW as means, kWh, kg and GBP as sums.

    :param carbon_kg: of what was promised; None where an intensity is not known.
    """

    hours: Decimal
    promised_kwh: Decimal
    cost: Decimal
    carbon_kg: Decimal | None

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Figures:
        """What half-hours come to if all is delivered."""
        energy = [line.kw * HOURS for line in lines]
        carbon = [line.carbon_g_per_kwh for line in lines]
        kg = None
        if all(each is not None or not kwh for each, kwh in zip(carbon, energy, strict=True)):
            kg = sum((kwh * (each or ZERO) * _GRAM for each, kwh in zip(carbon, energy, strict=True)), ZERO)
        cost = sum((line.amount for line in lines), ZERO)
        return cls(HOURS * len(lines), sum(energy, ZERO), cost, kg)

    @property
    def mean_kw(self) -> Decimal:
        """What was promised, over its time."""
        return self.promised_kwh / self.hours

    @property
    def price(self) -> Decimal | None:
        """GBP/kWh of all of it; None where nothing is promised."""
        return (self.cost / self.promised_kwh).quantize(Decimal("0.00001")) if self.promised_kwh else None

    @property
    def intensity(self) -> Decimal | None:
        """g/kWh of all of it."""
        if self.carbon_kg is None or not self.promised_kwh:
            return None
        return (self.carbon_kg / _GRAM / self.promised_kwh).quantize(Decimal("0.1"))


def write_order(contract: Contract, told: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A contract of ours as an order; ``told`` is its wire form, ``kept`` the names that its buyer gave."""
    items = {item.commitment_id: item for item in read_items(contract)}
    shown = {each["id"]: each for each in told.get("commitments") or ()}
    readings = _readings(told.get("performance") or ())
    state = _STATES[ContractState(told["status"]["code"])]
    if state == "CONFIRMED" and readings:
        state = "IN_PROGRESS"
    lines = [
        _line(line, items[line["commitment"]], shown[line["commitment"]], readings.get(line["commitment"], {}), state)
        for line in kept["lines"]
        if line["commitment"] in items and line["starts"] is not None
    ]
    return {
        **bag("Order", CORE, id=kept["order"], orderStatus=state),
        **{f"beckn:{name}": value for name, value in kept["parties"].items()},
        "beckn:orderItems": lines,
        "beckn:fulfillment": _fulfillment(contract, tuple(items.values()), told, kept, state),
        "beckn:orderAttributes": _totals(contract, tuple(items.values()), told),
    }


def _readings(performances: Sequence[Mapping[str, Any]]) -> dict[str, Readings]:
    """What was measured, by commitment."""
    found: dict[str, Readings] = {}
    for each in performances:
        attributes = each.get("performanceAttributes") or {}
        if attributes.get("@type") != MEASURED:
            continue
        for meter in attributes["meters"]:
            grid = read_grid(meter["telemetry"], "$")
            usage = grid.figures("USAGE") if "USAGE" in grid.columns else [None] * len(grid)
            pairs = zip(grid.figures("BASELINE"), usage, strict=True)
            found[each["commitmentIds"][0]] = {
                grid.start + SLOT * i: (baseline or ZERO, used) for i, (baseline, used) in enumerate(pairs)
            }
    return found


def _line(
    line: Mapping[str, Any], item: Item, shown: Mapping[str, Any], readings: Readings, state: str
) -> dict[str, Any]:
    """One item of the order, over its own half-hours."""
    starts, ends = (datetime.fromisoformat(line[name]) for name in ("starts", "ends"))
    lines = tuple(each for each in item.lines if starts <= each.starts < ends)
    figures = Figures.of(lines)
    write = _window if item.product is Product.COMPUTE_WINDOW else _participation
    resource = shown["resources"][0]
    attributes = write(item, lines, figures, resource)
    measured = [(each, readings[each.starts]) for each in lines if each.starts in readings]
    if len(measured) == len(lines) and all(usage is not None for _, (_, usage) in measured):
        attributes |= _metrics(item, measured, figures)
    elif figures.carbon_kg is not None:
        planned = wire_number(figures.carbon_kg.quantize(_GRAM))
        attributes["beckn:carbonMetrics"] = {"plannedCarbonBudget": planned, "carbonUnit": "kgCO2"}
    offer_id = line["offer"] or offer_id_of(item.tick_id, line["item"])
    price = None if figures.price is None else {"currency": "GBP", "price": wire_number(figures.price)}
    return {
        "@type": "beckn:OrderItem",
        "beckn:lineId": line["line"],
        "beckn:orderedItem": line["item"],
        "beckn:quantity": 1,
        "beckn:orderItemStatus": state,
        "beckn:acceptedOffer": bag("Offer", CORE, id=offer_id, items=[line["item"]], price=price),
        "beckn:orderItemAttributes": attributes,
    }


def _window(item: Item, lines: Sequence[Line], figures: Figures, resource: Mapping[str, Any]) -> dict[str, Any]:
    starts, ends = lines[0].starts, lines[-1].starts + SLOT
    price = None if figures.price is None else wire_number(figures.price)
    return bag(
        "ComputeEnergyWindow",
        COMPUTE,
        slotId=slot_id_of(item.site_id, starts),
        gridParameters=grid_parameters(resource["resourceAttributes"], resource, figures.intensity, None),
        timeWindow={"start": format_utc(starts), "end": format_utc(ends), "duration": iso_duration(ends - starts)},
        capacityParameters={
            "reservedCapacity": wire_number(max(line.kw for line in lines) / _KILO),
            "capacityUnit": "MW",
        },
        pricingParameters={
            "spotPrice": price,
            "currency": "GBP",
            "unit": "per_kWh",
            "estimatedCost": _pounds(figures.cost),
        },
    )


def _participation(item: Item, lines: Sequence[Line], figures: Figures, resource: Mapping[str, Any]) -> dict[str, Any]:
    """A reduction that is promised: the least of its half-hours, so that it holds in each."""
    least = min(lines, key=lambda line: line.kw)
    told = resource["resourceAttributes"]["confidence"]
    confidence = [told[i] for i, line in enumerate(item.lines) if line in lines and line.kw]
    baseline = least.baseline_kw
    return bag(
        "DemandFlexibilityParticipation",
        DEMAND,
        consumerId=item.site_id,
        committedReduction=wire_number(least.kw),
        committedReductionUnit="kW",
        confidenceLevel=min(confidence, default=0),
        baselineLoad=None if baseline is None else wire_number(baseline),
        baselineLoadUnit=None if baseline is None else "kW",
        targetLoad=None if baseline is None else wire_number(max(ZERO, baseline - least.kw)),
        targetLoadUnit=None if baseline is None else "kW",
        baselineMethod=METHOD,
        participationStatus="confirmed" if least.kw else "partially_confirmed",
        committedEnergy=wire_number(figures.promised_kwh),
        committedEnergyUnit="kWh",
        estimatedIncentive=_pounds(figures.cost),
        estimatedIncentiveCurrency="GBP",
    )


def _metrics(
    item: Item, measured: Sequence[tuple[Line, tuple[Decimal, Decimal | None]]], figures: Figures
) -> dict[str, Any]:
    """What came of half-hours that are over: by the arithmetic of the contract's settlement."""
    intervals = [
        Interval(line.kw, max(ZERO, baseline - (usage or ZERO)), line.price, line.penalty)
        for line, (baseline, usage) in measured
    ]
    settled = settle(intervals, "GBP")
    kwh = sum((row.settled_kwh for row in settled.rows), ZERO)
    mean_kw = kwh / figures.hours
    told: dict[str, Any] = {
        "performanceMetrics": {
            "plannedLoad": wire_number((figures.mean_kw / _KILO).quantize(_MICRO)),
            "actualLoad": wire_number((mean_kw / _KILO).quantize(_MICRO)),
            "loadUnit": "MW",
            "energyDelivered": wire_number((kwh / _KILO).quantize(_MICRO)),
            "energyUnit": "MWh",
        },
        "costMetrics": {
            "estimatedCost": _pounds(figures.cost),
            "actualCost": _pounds(settled.total),
            "costSavings": wire_number(figures.cost.quantize(PENNY) - settled.total),
            "currency": "GBP",
        },
    }
    if figures.carbon_kg is not None:
        pairs = zip(measured, settled.rows, strict=True)
        actual = sum((row.settled_kwh * (line.carbon_g_per_kwh or ZERO) * _GRAM for (line, _), row in pairs), ZERO)
        told["carbonMetrics"] = {
            "actualCarbon": wire_number(actual.quantize(_GRAM)),
            "carbonUnit": "kgCO2",
            "carbonMethod": "energy of each half-hour times the intensity of its zone in it, as known now",
        }
    if item.product is Product.TURN_DOWN:
        told["flexibilityMetrics"] = {
            "flexibilityProvided": wire_number((mean_kw / _KILO).quantize(_MICRO)),
            "flexibilityUnit": "MW",
            "sustainedDuration": iso_duration(SLOT * len(measured)),
        }
    return {f"beckn:{name}": value for name, value in told.items()}


def _fulfillment(
    contract: Contract, items: Sequence[Item], told: Mapping[str, Any], kept: Mapping[str, Any], state: str
) -> dict[str, Any]:
    """How it is delivered, how an alert was answered and, at the end, how it was settled."""
    windows = contract.product is Product.COMPUTE_WINDOW
    span = {"start": format_utc(contract.starts), "end": format_utc(contract.ends)}
    most = sum((item.most_kw for item in items), ZERO)
    if windows:
        load = {"computeLoad": wire_number(most / _KILO), "computeLoadUnit": "MW", "timeWindow": span}
        attributes = bag("ComputeEnergyFulfillment", COMPUTE, **load)
    else:
        load = {"totalCommittedReduction": wire_number(most / _KILO), "totalCommittedReductionUnit": "MW"}
        times = {"eventStartTime": span["start"], "eventEndTime": span["end"]}
        attributes = bag("DemandFlexibilityEvent", DEMAND, **load, **times)
    action = read_action(told.get("performance"), "$.message.contract.performance")
    if action is not None:
        attributes["beckn:flexibilityAction"] = {
            "actionType": ACTIONS[action.action],
            "actionReason": action.reason,
            "responseToEvent": action.event_id,
            "loadReductionCommitment": {
                "loadReduction": wire_number(min(action.freed_kw) / _KILO),
                "reductionUnit": "MW",
            },
        }
        if action.response_seconds is not None:
            attributes["beckn:flexibilityAction"]["responseTime"] = f"PT{wire_number(action.response_seconds)}S"
    flows = told["contractAttributes"].get("revenueFlows")
    if flows is not None:
        seller = next(flow for flow in flows if flow["role"] == "seller")
        attributes["beckn:settlementDetails"] = {
            "settlementMethod": told["contractAttributes"]["policy"]["url"],
            "settlementStatus": "settled",
            "settlementAmount": seller["value"],
            "settlementCurrency": seller["currency"],
            "settlementDate": format_utc(contract.updated_at),
        }
    mode = "GRID-BASED" if windows else "DEMAND_RESPONSE"
    fulfillment_id = kept.get("fulfillment") or f"fulfillment-{contract.contract_id}"
    return {
        **bag("Fulfillment", CORE, id=fulfillment_id, mode=mode, status=state),
        "beckn:deliveryAttributes": attributes,
    }


def _totals(contract: Contract, items: Sequence[Item], told: Mapping[str, Any]) -> dict[str, Any]:
    """What the whole order comes to."""
    terms = told["consideration"][0]["considerationAttributes"]
    windows = contract.product is Product.COMPUTE_WINDOW
    return bag(
        "ComputeEnergyOrder" if windows else "DemandFlexibilityOrder",
        COMPUTE if windows else DEMAND,
        requestType="compute_slot_reservation" if windows else "resource_activation",
        totalCost=terms["amount"],
        totalCostBasis=terms["basis"],
        currency=terms["currency"],
        planTickIds=sorted({item.tick_id for item in items}),
        auditTrail=None if contract.log_seq is None else {"decisionLogRecord": contract.log_seq},
    )


def _pounds(figure: Decimal) -> int | float:
    return wire_number(figure.quantize(PENNY))
