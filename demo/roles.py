"""Scripted providers: a discovery service, a seller of compute windows, and a utility that buys reductions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from beckn.identity import Identity
from beckn.packs import compute_window
from beckn.packs.compute_window import ComputeWindow
from beckn.packs.contracts import Seller, catalog, contract_attributes, offer, own_policy, performance, resource
from beckn.packs.demand_flex import FIXED_PRICE, OFFER_CONTEXT, need_attributes
from beckn.packs.grid import Column, Grid, read_grid, wire_number
from beckn.packs.performance import Measured
from beckn.packs.settlement import HOURS, PENNY
from beckn.packs.site import Place, Shown
from beckn.protocol.actions import ON_PUBLISH, PUBLISH
from beckn.provider.items import Item, Line
from beckn.provider.paper import Paper, Standing, read_asked
from core.site import CoolingType, Site
from core.slots import SLOT
from core.trade import ContractState, Product
from demo.peers import Received, ScriptedPeer

ZERO = Decimal(0)
NOTICE = timedelta(minutes=15)


class ScriptedDiscovery(ScriptedPeer):
    """Keeps what is published, and answers with all of it who asks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.catalogs: dict[tuple[str, str], dict[str, Any]] = {}

    def answer(self, received: Received) -> None:
        """Accept catalogs; tell them."""
        context = received.context
        if received.action == PUBLISH:
            for each in received.message["catalogs"]:
                self.catalogs[context["bppId"], each["id"]] = each
            results = [{"catalogId": each["id"], "status": "ACCEPTED"} for each in received.message["catalogs"]]
            told = self.context(
                ON_PUBLISH,
                context["transactionId"],
                messageId=context["messageId"],
                bppId=context["bppId"],
                bppUri=context["bppUri"],
            )
            body = {"context": told, "message": {"results": results}}
            self.post((context["bppId"], context["bppUri"]), body, answers=received.signature.value)
        elif received.action == "discover":
            self.reply(received, {"catalogs": list(self.catalogs.values())})


class ScriptedSeller(ScriptedPeer):
    """A BPP that sells compute windows of one site at one price, and delivers all of what it sold."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.starts = self.network.clock.now()
        self.free_kw: tuple[Decimal, ...] = ()
        self.price = ZERO
        self.penalty = Decimal("0.05")
        self.contracts: dict[str, tuple[tuple[str, str], str, tuple[Item, ...], ContractState]] = {}
        self.site = Site(
            site_id="harbour",
            name="Harbour hall",
            country="GB",
            latitude=57.15,
            longitude=-2.1,
            timezone="Europe/London",
            zone="GB-P",
            capacity_kw=100,
            own_load_kw=0,
            cooling=CoolingType.FREE_AIR,
        )

    def stock(self, starts: datetime, free_kw: Sequence[Decimal], price: Decimal) -> None:
        """What it sells from ``starts`` on."""
        self.starts, self.free_kw, self.price = starts, tuple(free_kw), price

    @property
    def _own(self) -> Identity:
        return Identity(self.name, self.url, self.network.network_id)

    def catalogue(self) -> dict[str, Any]:
        """What is for sale, on the wire."""
        count = len(self.free_kw)
        columns = {
            "CAPACITY_AVAILABLE": Column.of("KW", self.free_kw, "seller"),
            "PRICE": Column.of("GBP_PER_KWH", [self.price] * count, "seller"),
            "SHORTFALL_PENALTY": Column.of("GBP_PER_KWH", [self.penalty] * count, "seller"),
        }
        site = self.site
        place = Place(site.site_id, site.zone, site.country, site.latitude, site.longitude)
        shown = Shown(place, NOTICE, Grid(self.starts, columns), ("simulated",) * count)
        resource_id = f"compute-window.{site.site_id}"
        window = ComputeWindow(shown, Decimal(1), max(self.free_kw)).wire(self.url)
        terms = contract_attributes(None, self.name, own_policy(self.url))
        offered = compute_window.offer_attributes(self.url, self.name, terms)
        valid = self.network.clock.now() + timedelta(hours=1)
        return catalog(
            f"{self.name}:compute-window",
            "Compute windows",
            "Room in the harbour hall",
            Seller(self.name, "Harbour hall", self.url),
            [resource(resource_id, site.name, "Room", window)],
            [offer(f"{resource_id}@tariff", site.name, [resource_id], valid, offered)],
        )

    def answer(self, received: Received) -> None:
        """Sell."""
        if received.action == "discover":
            self.reply(received, {"catalogs": [self.catalogue()]})
            return
        wire = received.message["contract"]
        if received.action == "select":
            items = tuple(self._item(asked) for asked in read_asked(wire))
            contract_id = wire.get("id") or str(uuid.uuid4())
            buyer = received.context["bapId"], received.context["bapUri"]
            state = ContractState.DRAFT
        else:
            contract_id = wire["id"]
            buyer, _, items, state = self.contracts[contract_id]
            state = {"confirm": ContractState.ACTIVE, "cancel": ContractState.CANCELLED}.get(received.action, state)
        self.contracts[contract_id] = buyer, received.context["transactionId"], items, state
        self.reply(received, {"contract": self._wire(contract_id, buyer[0], items, state)})

    def _item(self, asked: Any) -> Item:
        lines = tuple(
            Line(asked.starts + SLOT * i, kw, self.price, self.penalty, kinds=("simulated",))
            for i, kw in enumerate(asked.kw)
        )
        offer_id = f"compute-window.{self.site.site_id}@tariff"
        return Item(asked.commitment_id, Product.COMPUTE_WINDOW, self.site.site_id, offer_id, "tariff", lines)

    def _wire(
        self,
        contract_id: str,
        buyer: str,
        items: tuple[Item, ...],
        state: ContractState,
        measured: Sequence[Mapping[str, Any]] = (),
        settled: Any = None,
    ) -> dict[str, Any]:
        valid = self.network.clock.now() + timedelta(hours=1)
        standing = Standing(contract_id, state, buyer, valid, measured, settled)
        return Paper(self._own, NOTICE, "GBP").contract(items, {self.site.site_id: self.site}, standing)

    def settle(self) -> dict[str, Decimal]:
        """Tell every buyer the readings, then what is settled; what each contract came to, GBP."""
        from beckn.packs.settlement import Interval, settle

        came: dict[str, Decimal] = {}
        for contract_id, (buyer, transaction_id, items, state) in list(self.contracts.items()):
            if state is not ContractState.ACTIVE:
                continue
            settled = settle(
                [Interval(line.kw, line.kw, line.price, line.penalty) for item in items for line in item.lines], "GBP"
            )
            measured = [_kept(item) for item in items]
            complete = ContractState.COMPLETE
            for stage in (
                self._wire(contract_id, buyer[0], items, state, measured),
                self._wire(contract_id, buyer[0], items, complete, measured, settled),
            ):
                self.say(buyer, transaction_id, stage)
            self.contracts[contract_id] = buyer, transaction_id, items, complete
            came[contract_id] = settled.total
        return came

    def say(self, buyer: tuple[str, str], transaction_id: str, contract: Mapping[str, Any]) -> None:
        """An ``on_status`` that nobody asked for."""
        roles = {"bapId": buyer[0], "bapUri": buyer[1], "bppId": self.name, "bppUri": self.url}
        context = self.context("on_status", transaction_id, **roles)
        self.post(buyer, {"context": context, "message": {"contract": contract}})


def _kept(item: Item) -> dict[str, Any]:
    """All of a window was kept for its buyer: the provider took nothing of it back."""
    columns = {
        "BASELINE": Column.of("KW", [line.kw for line in item.lines], reading_type="FORECAST"),
        "USAGE": Column.of("KW", [ZERO for _ in item.lines], reading_type="DIRECT_READ"),
    }
    measured = Measured(item.commitment_id, "capacity-kept", {item.site_id: Grid(item.starts, columns)})
    return performance(
        f"actuals-{item.commitment_id}", "DELIVERY_COMPLETE", "Delivered", [item.commitment_id], measured.wire()
    )


class ScriptedUtility(ScriptedPeer):
    """A BPP that needs less to be drawn, buys that from who offers it, meters it and settles it.

    :ivar share: of what was offered that its meters find delivered, by half-hour.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.need: Grid | None = None
        self.place = 0.0, 0.0
        self.share: tuple[Decimal, ...] = ()
        self.agreed: dict[str, tuple[tuple[str, str], str, dict[str, Any]]] = {}

    def wants(
        self, starts: datetime, kw: Sequence[Decimal], price: Decimal, penalty: Decimal, place: tuple[float, float]
    ) -> None:
        """Publish a need of ``kw`` less in the half-hours from ``starts`` on, at a longitude and latitude."""
        self.place = place
        columns = {
            "CAPACITY_REQUESTED": Column.of("KW", kw, "buyer"),
            "PRICE": Column.of("GBP_PER_KWH", [price] * len(kw), "buyer"),
            "SHORTFALL_PENALTY": Column.of("GBP_PER_KWH", [penalty] * len(kw), "buyer"),
        }
        self.need = Grid(starts, columns)

    def catalogue(self) -> dict[str, Any]:
        """The need, on the wire."""
        need = self._needed
        buyer = {"currency": "GBP", "baselineMethodology": {"bestOf": 5, "outOf": 10}}
        terms = {
            "@context": OFFER_CONTEXT,
            "@type": "DemandFlexBuyOffer",
            "contractAttributes": contract_attributes(self.name, None, FIXED_PRICE),
            "inputs": [
                {"role": "buyer", "participantId": self.name, "inputs": buyer},
                {"role": "seller", "participantId": None},
            ],
        }
        valid = self.network.clock.now() + timedelta(hours=1)
        return catalog(
            "evening-peak",
            "Needs of the feeder",
            "Less load in two half-hours",
            Seller(self.name, "Northern feeder", self.url),
            [resource("feeder-7", "Feeder 7", "Less load", need_attributes(need, *self.place))],
            [offer("feeder-7-offer", "Feeder 7", ["feeder-7"], valid, terms)],
        )

    def answer(self, received: Received) -> None:
        """Buy what is offered."""
        if received.action == "discover":
            self.reply(received, {"catalogs": [self.catalogue()]})
            return
        code = {"confirm": "ACTIVE", "cancel": "CANCELLED"}.get(received.action, "DRAFT")
        seller = received.context["bapId"], received.context["bapUri"]
        if received.action in {"status", "cancel"}:
            contract = self.agreed[received.message["contract"]["id"]][2]
        else:
            contract = received.message["contract"]
        contract = {**contract, "id": contract.get("id") or str(uuid.uuid4()), "status": {"code": code}}
        told = "ACTIVE" if code == "ACTIVE" else "CLOSED" if code == "CANCELLED" else "DRAFT"
        contract["commitments"] = [
            {**each, "status": {"descriptor": {"code": told}}} for each in contract["commitments"]
        ]
        self.agreed[contract["id"]] = seller, received.context["transactionId"], contract
        self.reply(received, {"contract": contract})

    def settle(self) -> dict[str, Decimal]:
        """Tell every seller baselines, actuals and what is settled; what each contract comes to for the seller, GBP."""
        came: dict[str, Decimal] = {}
        for contract_id, (seller, transaction_id, contract) in list(self.agreed.items()):
            if contract["status"]["code"] != "ACTIVE":
                continue
            total = ZERO
            stages: list[list[dict[str, Any]]] = [[], []]
            for commitment in contract["commitments"]:
                offered = read_grid(commitment["commitmentAttributes"], "$").figures("CAPACITY_OFFERED")
                total += self._pay([power or ZERO for power in offered])
                for number, entry in enumerate(self._measured(commitment, offered)):
                    stages[number].append(entry)
            total = total.quantize(PENNY)
            attributes = {**contract["contractAttributes"], "revenueFlows": _flows(total)}
            complete = {
                **contract,
                "status": {"code": "COMPLETE"},
                "performance": stages[1],
                "contractAttributes": attributes,
            }
            for stage in ({**contract, "performance": stages[0]}, {**contract, "performance": stages[1]}, complete):
                self._say(seller, transaction_id, stage)
            self.agreed[contract_id] = seller, transaction_id, complete
            came[contract_id] = total
        return came

    @property
    def _needed(self) -> Grid:
        if self.need is None:
            raise RuntimeError(f"{self.name} needs nothing")
        return self.need

    def _pay(self, offered: Sequence[Decimal]) -> Decimal:
        """By the published policy: what was delivered at the price, what was short at the penalty."""
        total, need = ZERO, self._needed
        prices, penalties = need.figures("PRICE"), need.figures("SHORTFALL_PENALTY")
        for power, share, price, penalty in zip(offered, self.share, prices, penalties, strict=True):
            delivered = power * share
            total += min(delivered, power) * HOURS * (price or ZERO)
            total -= max(ZERO, power - delivered) * HOURS * (penalty or ZERO)
        return total

    def _measured(
        self, commitment: Mapping[str, Any], offered: Sequence[Decimal | None]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Baselines, and actuals: one meter that draws 100 kW without the event."""
        need = self._needed
        before = [Decimal(100)] * len(offered)
        usage = [Decimal(100) - (power or ZERO) * share for power, share in zip(offered, self.share, strict=True)]
        baseline = Column.of("KW", before, reading_type="FORECAST")
        begun = Grid(need.start, {"BASELINE": baseline})
        ended = Grid(need.start, {"BASELINE": baseline, "USAGE": Column.of("KW", usage, reading_type="DIRECT_READ")})
        told = Measured("evening-peak", "5of10", {"meter-1": begun})
        codes = (("DELIVERY_STARTED", "Baselines"), ("DELIVERY_COMPLETE", "Actuals"))
        first, second = (
            performance(f"{code}-{commitment['id']}", code, name, [commitment["id"]], each.wire())
            for (code, name), each in zip(codes, (told, replace(told, meters={"meter-1": ended})), strict=True)
        )
        return first, second

    def _say(self, seller: tuple[str, str], transaction_id: str, contract: Mapping[str, Any]) -> None:
        roles = {"bapId": seller[0], "bapUri": seller[1], "bppId": self.name, "bppUri": self.url}
        context = self.context("on_status", transaction_id, **roles)
        self.post(seller, {"context": context, "message": {"contract": contract}})


def _flows(total: Decimal) -> list[dict[str, Any]]:
    return [
        {"role": role, "value": wire_number(value), "currency": "GBP", "description": "Net of two half-hours"}
        for role, value in (("buyer", -total), ("seller", total))
    ]
