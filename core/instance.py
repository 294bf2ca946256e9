"""Instance and plan files: the planner's input and output, for the loop, the command and the benchmarks alike.

One instance holds sites with their half-hourly figures and jobs with their windows; one plan holds what runs where,
with a lower bound that anyone can recompute from the prices and the instance. Powers are IT kW; a job draws
``power_kw * pue[t]`` from the site's ``headroom_kw`` at the meter. Slot ``b`` of a window is exclusive.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import InputError
from core.job import Instant, Level, require_concave

Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Run = tuple[int, int, Positive]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteInstance(_Strict):
    """A site's figures for each slot. ``headroom_kw`` is at the meter.

    ``*_low_*`` and ``*_high_*``, where given, are the ends of the 90 % intervals of price and carbon.
    """

    id: str
    region: str
    headroom_kw: tuple[NonNegative, ...]
    price_gbp_per_kwh: tuple[Finite, ...]
    carbon_g_per_kwh: tuple[NonNegative, ...]
    pue: tuple[Annotated[float, Field(ge=1, allow_inf_nan=False)], ...] | Annotated[float, Field(ge=1, le=10)]
    price_low_gbp_per_kwh: tuple[Finite, ...] | None = None
    price_high_gbp_per_kwh: tuple[Finite, ...] | None = None
    carbon_low_g_per_kwh: tuple[NonNegative, ...] | None = None
    carbon_high_g_per_kwh: tuple[NonNegative, ...] | None = None


class JobInstance(_Strict):
    """A job's demand: block and pausable have power and duration, elastic has levels and work."""

    id: str
    tenant: str = "default"
    tier: Literal["premium", "standard", "flexible", "spot"] = "standard"
    kind: Literal["block", "pausable", "elastic"]
    earliest_slot: Annotated[int, Field(ge=0)]
    latest_slot: Annotated[int, Field(ge=0)]
    sites: tuple[str, ...]
    unserved_penalty_gbp: NonNegative
    power_kw: Positive | None = None
    duration_slots: Annotated[int, Field(gt=0)] | None = None
    pause_cost_gbp: NonNegative | None = None
    levels: tuple[Level, ...] | None = None
    work: Positive | None = None
    max_price_gbp_per_kwh: Finite | None = None
    max_carbon_g_per_kwh: NonNegative | None = None

    @model_validator(mode="after")
    def _fields_of_kind(self) -> Self:
        if self.kind == "elastic":
            if not self.levels or self.work is None:
                raise ValueError(f"elastic job {self.id!r} needs levels and work")
            if self.power_kw is not None or self.duration_slots is not None:
                raise ValueError(f"elastic job {self.id!r} takes levels and work, not power_kw or duration_slots")
            require_concave(self.levels)
        elif self.power_kw is None or self.duration_slots is None:
            raise ValueError(f"{self.kind} job {self.id!r} needs power_kw and duration_slots")
        elif self.levels or self.work is not None:
            raise ValueError(f"{self.kind} job {self.id!r} takes no levels and no work")
        if self.pause_cost_gbp is not None and self.kind != "pausable":
            raise ValueError(f"{self.kind} job {self.id!r} takes no pause_cost_gbp")
        return self


class Frozen(_Strict):
    """An assignment that must appear in the plan unchanged."""

    job: str
    site: str
    runs: tuple[Run, ...]


class Instance(_Strict):
    """Everything a plan may depend on."""

    name: str
    start: Instant
    slot_minutes: Literal[30] = 30
    slots: Annotated[int, Field(gt=0, le=20_000)]
    carbon_price_gbp_per_tonne: NonNegative
    carbon_cap_kg: NonNegative | None = None
    sites: tuple[SiteInstance, ...]
    jobs: tuple[JobInstance, ...]
    frozen: tuple[Frozen, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for site in self.sites:
            for field in SiteInstance.model_fields:
                values = getattr(site, field)
                if isinstance(values, tuple) and len(values) != self.slots:
                    raise ValueError(f"site {site.id!r}: {field} has {len(values)} values for {self.slots} slots")
        site_ids, job_ids = [s.id for s in self.sites], [j.id for j in self.jobs]
        for ids, what in ((site_ids, "site"), (job_ids, "job")):
            if len(set(ids)) != len(ids):
                raise ValueError(f"duplicate {what} id {next(i for i in ids if ids.count(i) > 1)!r}")
        known = set(site_ids)
        for job in self.jobs:
            if unknown := set(job.sites) - known:
                raise ValueError(f"job {job.id!r} names unknown site {sorted(unknown)[0]!r}")
            if job.latest_slot > self.slots:
                raise ValueError(f"job {job.id!r}: latest_slot {job.latest_slot} is beyond the {self.slots} slots")
        jobs = set(job_ids)
        for frozen in self.frozen:
            if frozen.job not in jobs or frozen.site not in known:
                raise ValueError(f"frozen job {frozen.job!r} at site {frozen.site!r}: one of them is unknown")
            if any(not 0 <= a < b <= self.slots for a, b, _ in frozen.runs):
                raise ValueError(f"frozen runs of job {frozen.job!r} leave the {self.slots} slots")
        return self


class Assignment(_Strict):
    """What one job does: runs ``[start, end)`` at a constant IT power, all at one site."""

    job: str
    site: str
    runs: tuple[Run, ...]


class CounterOffer(_Strict):
    """A change that would make the job feasible, and what it would cost more than the job's own limits allow."""

    change: str
    extra_gbp: float


class Unserved(_Strict):
    """A job that the plan does not serve."""

    job: str
    reason: str
    counter_offers: tuple[CounterOffer, ...] = ()


class SitePrices(_Strict):
    """Prices of headroom at the meter, in GBP per kW held for one slot."""

    site: str
    headroom_gbp_per_kw_slot: tuple[float, ...]


class Plan(_Strict):
    """A valid plan with its certificate: ``bound_gbp`` is below the objective of any valid plan."""

    instance: str
    objective_gbp: float
    bound_gbp: float
    gap: float
    wall_s: float
    seed: int
    assignments: tuple[Assignment, ...]
    unserved: tuple[Unserved, ...]
    prices: tuple[SitePrices, ...]
    carbon_cap_price_gbp_per_kg: float


def _read_json(path: Path) -> Any:
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        return json.loads(text)
    except FileNotFoundError as error:
        raise InputError(f"no file {path}", field="instance", value=str(path)) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path} is not readable JSON: {error}", field="instance", value=str(path)) from error


def read_instance(path: Path) -> Instance:
    """Read an instance from ``.json`` or ``.json.gz``; :class:`InputError` names the path of a wrong field."""
    try:
        return Instance.model_validate(_read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "instance"
        raise InputError(f"{path}: {where}: {first['msg']}", field=where, value=first.get("input")) from error


def write_json(model: BaseModel, path: Path) -> None:
    """Write a model as ``.json`` or ``.json.gz``."""
    text = json.dumps(model.model_dump(mode="json", exclude_none=True), separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
