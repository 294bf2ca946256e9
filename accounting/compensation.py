"""Supplier compensation for deviations, as indicative data: who pays, who is paid and how are not ours to decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accounting.bl01 import Trigger

PENNY = Decimal("0.01")


class SourcingCost(BaseModel):
    """The Supplier Sourcing Cost from a date on, flat over the periods of a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valid_from: date
    gbp_mwh: Decimal


class CompensationScheme(BaseModel):
    """A rule of compensation: data, because P415 and P444 differ in all of it and neither is at rest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    payer: str = Field(min_length=1, description="such as suppliers_by_final_demand")
    payee: str = Field(min_length=1, description="such as host_supplier")
    mode: str = Field(min_length=1, description="such as mutualised or direct")
    triggers: tuple[Trigger, ...] = Field(min_length=1, description="deviations that it covers: WMAN, BOA")
    sourcing_costs: tuple[SourcingCost, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        dates = [cost.valid_from for cost in self.sourcing_costs]
        if dates != sorted(set(dates)):
            raise ValueError("sourcing_costs must be in order of valid_from, one a date")
        return self

    def sourcing_cost(self, day: date) -> Decimal | None:
        """GBP/MWh on a settlement date; None before the first date known."""
        valid = [cost.gbp_mwh for cost in self.sourcing_costs if cost.valid_from <= day]
        return valid[-1] if valid else None


@dataclass(frozen=True, slots=True)
class Compensation:
    """What a deviation would be compensated with; ``gbp`` is what the payee receives, negative where it pays back."""

    payer: str
    payee: str
    mode: str
    gbp_mwh: Decimal
    gbp: Decimal
    indicative: bool = True


def compensation(
    scheme: CompensationScheme, day: date, trigger: Trigger | None, deviation_mwh: Decimal
) -> Compensation | None:
    """Compensation volume times sourcing cost, to the penny; None where the scheme does not cover it."""
    cost = scheme.sourcing_cost(day)
    if trigger not in scheme.triggers or cost is None:
        return None
    gbp = (deviation_mwh * cost).quantize(PENNY, rounding=ROUND_HALF_EVEN) + Decimal(0)
    return Compensation(scheme.payer, scheme.payee, scheme.mode, cost, gbp)
