"""How a site stands in the BSC: its BM unit, its MSID pairs and the consents. Data of the operator; none is made up."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accounting.volumes import Indicator

UNIT = r"^V__[A-Z][A-Z0-9]{4}[0-9]{3}$"
"""a Secondary BM unit: prefix, letter of the GSP group, participant, number; 11 characters"""
MSID = r"^[0-9]{13}$"
GB_ZONE = "GB-"


class Consent(BaseModel):
    """Whether delivered volumes may be shared with the supplier, from a date on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valid_from: date
    shared: bool


class MeteringPoint(BaseModel):
    """An MSID pair: import, and export where there is one. The numbers are personal data and stay off the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    import_msid: str = Field(pattern=MSID)
    export_msid: str | None = Field(None, pattern=MSID)
    baseline_indicator: Indicator
    consents: tuple[Consent, ...] = ()

    @property
    def pair(self) -> str:
        """The pair as one text, which is what a commitment is made over."""
        return f"{self.import_msid}/{self.export_msid or ''}"

    def consent(self, day: date) -> bool | None:
        """The flag in force on a day; None before the first."""
        flags = [
            each.shared for each in sorted(self.consents, key=lambda each: each.valid_from) if each.valid_from <= day
        ]
        return flags[-1] if flags else None


class BalancingUnit(BaseModel):
    """The Secondary BM unit through which a lead party trades a site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    site_id: str
    lead_party: str = Field(min_length=1, max_length=30)
    bmu: str = Field(pattern=UNIT)
    points: tuple[MeteringPoint, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _pairs_once(self) -> Self:
        imports = [point.import_msid for point in self.points]
        if len(set(imports)) < len(imports):
            raise ValueError(f"an import MSID of {self.bmu} is named twice")
        return self

    @property
    def gsp_group(self) -> str:
        """The GSP group that the unit's name carries, such as ``_C``."""
        return f"_{self.bmu[3]}"


def gsp_group_of(zone: str) -> str | None:
    """The GSP group of a grid zone such as ``GB-C``; None for zones that are not one."""
    letter = zone.removeprefix(GB_ZONE)
    return f"_{letter}" if zone.startswith(GB_ZONE) and len(letter) == 1 else None
