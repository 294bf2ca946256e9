"""What an operator sends and sees of purchases and needs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from beckn.consumer.choosing import Wanted
from beckn.consumer.legs import amount, leg_of, peer_contract_id, read_items
from beckn.consumer.orders import Order
from beckn.packs.demand_flex import PAY_AS_CLEAR
from core.job import MAX_POWER_KW, Instant
from core.purchases import Purchase, SeenNeed
from core.slots import SLOT_HOURS, slot_ceil, slot_floor
from core.trade import Contract

SubscriberId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]
Place = Annotated[str, Field(min_length=1, max_length=63)]


class PurchaseRequest(BaseModel):
    """Compute windows to buy."""

    model_config = ConfigDict(extra="forbid")

    kw: float = Field(gt=0, le=MAX_POWER_KW, description="power at the meter in each half-hour")
    hours: float = Field(gt=0, le=744, multiple_of=SLOT_HOURS, description="how long in all, in half-hours")
    earliest: Instant | None = Field(None, description="not before this; default: now")
    latest: Instant = Field(description="all of it ends by then")
    contiguous: bool = Field(False, description="half-hours on end; default: any")
    places: list[Place] = Field(
        [], max_length=100, description="sites, grid zones or countries that will do; none: any"
    )
    max_price_gbp_per_kwh: float | None = Field(None, ge=-100, le=100, description="dearer half-hours are left aside")
    max_carbon_g_per_kwh: float | None = Field(
        None, ge=0, le=5000, description="dirtier half-hours are left aside, and those that do not tell"
    )
    carbon_price_gbp_per_tonne: float | None = Field(
        None, ge=0, le=10_000, description="what carbon is weighed at; default: the setting"
    )
    providers: list[SubscriberId] = Field(
        [], max_length=50, description="who is asked; none: the discovery service of the network"
    )
    partial: bool = Field(False, description="take less where all of it cannot be had")
    tolerance: float = Field(0.0, ge=0, le=1, description="share by which a price may rise above the one chosen")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.earliest is not None and self.latest <= self.earliest:
            raise ValueError("latest is not after earliest")
        return self

    def order(self, now: datetime, carbon_price: float) -> Order:
        """As it is chosen by; ``carbon_price`` is the setting, GBP/t."""
        price = carbon_price if self.carbon_price_gbp_per_tonne is None else self.carbon_price_gbp_per_tonne
        wanted = Wanted(
            kw=_decimal(self.kw),
            count=round(self.hours / SLOT_HOURS),
            earliest=slot_ceil(max(now, self.earliest or now)),
            latest=slot_floor(self.latest),
            contiguous=self.contiguous,
            max_price=None if self.max_price_gbp_per_kwh is None else _decimal(self.max_price_gbp_per_kwh),
            max_carbon=None if self.max_carbon_g_per_kwh is None else _decimal(self.max_carbon_g_per_kwh),
            carbon_price=_decimal(price),
            partial=self.partial,
        )
        return Order(wanted, tuple(self.places), _decimal(self.tolerance))


class WindowOut(BaseModel):
    """One half-hour of a leg."""

    site_id: str
    start: datetime
    kw: float
    price_gbp_per_kwh: float
    penalty_gbp_per_kwh: float = Field(description="what we receive for each kWh that is not kept for us")
    carbon_g_per_kwh: float | None = Field(description="as the provider tells it")


class RoomOut(BaseModel):
    """Room at a site of ours for load that leaves a window."""

    site_id: str
    start: datetime
    kw: float


class AlertOut(BaseModel):
    """An event of the grid that a provider announced, and our answer."""

    event_id: str | None = Field(description="null: it could not be read, and was not answered")
    event_type: str | None
    severity: str | None
    heard_at: datetime
    action: str | None = Field(description="shift: it runs at our own sites instead; continue: it stays as bought")
    reason: str
    response_seconds: float | None = Field(description="from the alert to the decision")
    outcome: str | None = Field(description="taken, or why the provider did not take it; null: no answer yet")
    rooms: list[RoomOut] = Field(description="booked at our own sites for what shifts, unless it was not taken")

    @classmethod
    def of(cls, told: dict[str, Any]) -> AlertOut:
        """The wire form of an event as a leg keeps it."""
        return cls.model_validate({name: told[name] for name in cls.model_fields})


class LegOut(BaseModel):
    """The part of a purchase that one provider sells."""

    contract_id: str = Field(description="of ours: on the log, and on the pages of this server")
    peer_contract_id: str = Field(description="by which messages name it, and the provider knows it")
    provider: str
    state: str = Field(description="of the contract: DRAFT, ACTIVE, CANCELLED or COMPLETE")
    step: str = Field(description="how far it is")
    failed: str | None = Field(description="why it is not had")
    cost_gbp: float = Field(description="if all is delivered")
    dispute: dict[str, Any] | None = Field(description="both figures, where the settlement told is not ours")
    log_seq: int | None = Field(description="record of its confirmation in the decision log")
    alerts: list[AlertOut] = Field(description="events of the grid that the provider announced")
    windows: list[WindowOut]

    @classmethod
    def of(cls, contract: Contract) -> LegOut:
        """The wire form of a leg."""
        items, leg = read_items(contract), leg_of(contract)
        return cls(
            contract_id=contract.contract_id,
            peer_contract_id=peer_contract_id(contract),
            provider=contract.peer_id,
            state=contract.state.value,
            step=leg.step.value,
            failed=leg.failed,
            cost_gbp=float(amount(items)),
            dispute=contract.document.get("dispute"),
            log_seq=contract.log_seq,
            alerts=[AlertOut.of(each) for each in contract.document.get("alerts", [])],
            windows=[
                WindowOut(
                    site_id=item.site_id,
                    start=line.starts,
                    kw=float(line.kw),
                    price_gbp_per_kwh=float(line.price),
                    penalty_gbp_per_kwh=float(line.penalty),
                    carbon_g_per_kwh=None if line.carbon is None else float(line.carbon),
                )
                for item in items
                for line in item.lines
                if line.kw > 0
            ],
        )


class PurchaseOut(BaseModel):
    """A purchase as it stands."""

    purchase_id: str
    state: str = Field(description="discovering, negotiating, cancelling, confirmed, partial or failed")
    reason: str | None = Field(description="why it failed, or what was made good")
    created_at: datetime
    asked: dict[str, str | None] = Field(description="what each that was asked answered; null: nothing yet")
    wanted_kwh: float
    confirmed_kwh: float
    cost_gbp: float = Field(description="of what is confirmed, if all is delivered")
    legs: list[LegOut]

    @classmethod
    def of(cls, purchase: Purchase, contracts: list[Contract]) -> PurchaseOut:
        """The wire form of a purchase with its legs."""
        legs = [LegOut.of(contract) for contract in contracts]
        had = [leg for leg in legs if leg.state in {"ACTIVE", "COMPLETE"}]
        return cls(
            purchase_id=purchase.purchase_id,
            state=purchase.state.value,
            reason=purchase.reason,
            created_at=purchase.created_at,
            asked={peer: told["answer"] for peer, told in purchase.document["asked"].items()},
            wanted_kwh=float(Order.read(purchase.document["order"]).wanted.kw_slots) * SLOT_HOURS,
            confirmed_kwh=sum(window.kw for leg in had for window in leg.windows) * SLOT_HOURS,
            cost_gbp=sum(leg.cost_gbp for leg in had),
            legs=legs,
        )


class PurchasesOut(BaseModel):
    """Purchases, the newest first."""

    purchases: list[PurchaseOut]


class NeedOut(BaseModel):
    """A utility's need, and what became of it."""

    need_id: str
    utility: str = Field(description="subscriber id of who told it")
    state: str = Field(description="open, answered or passed")
    reason: str | None = Field(description="why it was passed over")
    pays: str = Field(description="fixed-price or pay-as-clear")
    currency: str
    start: datetime
    end: datetime
    sought_kw: list[float] = Field(description="reduction asked for in each half-hour")
    valid_until: datetime | None
    contract: LegOut | None = Field(description="the answer to it")

    @classmethod
    def of(cls, seen: SeenNeed, contract: Contract | None) -> NeedOut:
        """The wire form of a need with its answer."""
        from beckn.consumer.answers import need_of

        need = need_of(seen)
        return cls(
            need_id=seen.need_id,
            utility=seen.peer_id,
            state=seen.state.value,
            reason=seen.reason,
            pays="pay-as-clear" if need.policy.query_path == PAY_AS_CLEAR.query_path else "fixed-price",
            currency=need.currency,
            start=need.grid.start,
            end=need.grid.end,
            sought_kw=[float(kw) for kw in need.sought_kw],
            valid_until=need.valid_until,
            contract=None if contract is None else LegOut.of(contract),
        )


class NeedsOut(BaseModel):
    """Needs that have not passed, the soonest first."""

    needs: list[NeedOut]


class SeekRequest(BaseModel):
    """Who is asked for needs."""

    model_config = ConfigDict(extra="forbid")

    providers: list[SubscriberId] = Field(
        [], max_length=50, description="who is asked; none: the discovery service of the network"
    )


class SoughtOut(BaseModel):
    """Who was asked."""

    asked: list[str]
    unknown: dict[str, str] = Field(description="why others could not be asked")


def _decimal(figure: float) -> Decimal:
    return Decimal(str(figure))
