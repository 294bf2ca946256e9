"""Sites and assets: where compute runs, what stands there and how it is cooled."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.job import FlexibilityType

DECLARED_AVAILABILITY = 0.999
"""of a site that declares none: nine hours a year without it"""
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class CoolingType(StrEnum):
    """How heat leaves the hall; each has its own PUE curve over outdoor temperature."""

    FREE_AIR = "free_air"
    EVAPORATIVE = "evaporative"
    CHILLER = "chiller"
    HYDRO = "hydro"
    IMMERSION = "immersion"


class Hardware(BaseModel):
    """Counts of units installed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gpu: int = Field(0, ge=0, le=1_000_000, description="GPUs for training and inference")
    asic_inference: int = Field(0, ge=0, le=1_000_000, description="Inference ASICs")
    miner_air: int = Field(0, ge=0, le=1_000_000, description="Air-cooled miners")
    miner_hydro: int = Field(0, ge=0, le=1_000_000, description="Water-cooled miners")
    miner_immersion: int = Field(0, ge=0, le=1_000_000, description="Immersion-cooled miners")


class Site(BaseModel):
    """One place that can run jobs.

    ``capacity_kw`` is the limit at the meter: IT load times PUE, own load included, stays below it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    site_id: Identifier
    name: str = Field(min_length=1, max_length=80)
    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2, the residency region of the site")
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: str = Field(description="IANA time zone, such as Europe/London")
    zone: str = Field(min_length=2, max_length=24, description="grid zone of price and carbon, such as GB-C or DE-LU")
    capacity_kw: float = Field(gt=0, le=1_000_000)
    own_load_kw: float = Field(ge=0, description="mean load at the meter that is not Slackwater's to move")
    own_load_swing: float = Field(0.2, ge=0, le=0.9, description="daily swing of the own load, as a share of its mean")
    cooling: CoolingType
    hardware: Hardware = Hardware()
    availability: float = Field(
        DECLARED_AVAILABILITY, gt=0, le=1, description="share of time in which its power and machines are there"
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {value!r}; use an IANA name such as Europe/London") from error
        return value

    @model_validator(mode="after")
    def _own_load_fits(self) -> Self:
        peak = self.own_load_kw * (1 + self.own_load_swing)
        if peak > self.capacity_kw:
            raise ValueError(f"own load peaks at {peak:.1f} kW, above the capacity of {self.capacity_kw:.1f} kW")
        return self

    def regions(self) -> frozenset[str]:
        """Every name by which a job's ``allowed_regions`` may mean this site."""
        return frozenset({self.site_id, self.country, self.zone})


class Asset(BaseModel):
    """A registered flexible load at a site: jobs that name it inherit its power and place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asset_id: Identifier
    asset_type: str = Field(min_length=1, max_length=60, description="such as gpu_cluster or hpc_partition")
    region: str = Field(min_length=2, max_length=62, description="site id, grid zone or country where it stands")
    max_power_kw: float = Field(gt=0, le=1_000_000)
    min_power_kw: float = Field(0, ge=0)
    flexibility_type: FlexibilityType = FlexibilityType.DEFERRABLE

    @model_validator(mode="after")
    def _power_range(self) -> Self:
        if self.min_power_kw > self.max_power_kw:
            raise ValueError(f"min_power_kw {self.min_power_kw} is above max_power_kw {self.max_power_kw}")
        return self
