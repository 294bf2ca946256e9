"""Instance files: the planner's input, for the loop, the command and the benchmarks alike (docs/planner.md).

One instance holds sites with their half-hourly figures and jobs with their windows. Powers are IT kW; a job draws
``power_kw * pue[t]`` from the site's ``headroom_kw`` at the meter. Slot ``b`` of a window is exclusive.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import InputError
from core.job import Instant, Level, require_concave

Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Run = tuple[int, int, Positive]


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Slots = Annotated[int, Field(ge=0)]
BLOCK_ONLY_NOT = ("pause_cost_gbp", "min_run_slots", "max_pauses", "restart_slots")


class Strict(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Battery(Strict):
    """Storage behind a site's meter. Powers are AC kW at the meter.

    :ivar efficiency: of a round trip: what was charged times this may be discharged.
    :ivar final_kwh: least energy stored after the last slot.
    :ivar wear_gbp_per_kwh: charged for each kWh discharged.
    """

    capacity_kwh: Positive
    power_kw: Positive
    efficiency: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    initial_kwh: NonNegative
    final_kwh: NonNegative
    wear_gbp_per_kwh: NonNegative = 0.0

    @model_validator(mode="after")
    def _within(self) -> Self:
        if max(self.initial_kwh, self.final_kwh) > self.capacity_kwh:
            raise ValueError(
                f"a battery of {self.capacity_kwh:g} kWh cannot hold {self.initial_kwh:g} kWh at first "
                f"or {self.final_kwh:g} kWh at last"
            )
        return self


class Mining(Strict):
    """ASICs as filler: off, or between ``min_kw`` and ``max_kw`` of IT power (semi-continuous).

    :ivar value_gbp_per_kwh: what an IT kWh earns, for each slot or one for all.
    :ivar ramp_kw: most change between neighbouring slots while on; None: any. Off and on is always possible, at
        ``min_kw`` plus at most one ramp.
    :ivar initial_kw: power in the slot before the first.
    """

    min_kw: NonNegative
    max_kw: Positive
    value_gbp_per_kwh: tuple[Finite, ...] | Finite
    ramp_kw: Positive | None = None
    initial_kw: NonNegative = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_kw <= self.max_kw:
            raise ValueError(f"mining: min_kw {self.min_kw:g} is above max_kw {self.max_kw:g}")
        if not (self.initial_kw == 0 or self.min_kw <= self.initial_kw <= self.max_kw):
            raise ValueError(f"mining: initial_kw {self.initial_kw:g} is neither 0 nor within its limits")
        return self


class Inference(Strict):
    """Requests to be served slot by slot: up to ``demand_kw`` of IT power, each kWh worth ``value_gbp_per_kwh``."""

    demand_kw: tuple[NonNegative, ...]
    value_gbp_per_kwh: tuple[Finite, ...] | Finite


class SiteInstance(Strict):
    """A site's figures for each slot. ``headroom_kw`` is at the meter; of it, ``sold_kw`` is promised to others.

    ``hardware_kw`` limits the IT power of each hardware class, for each slot or one for all. ``*_low_*`` and
    ``*_high_*``, where given, are the ends of the 90 % intervals of price and carbon, and ``availability`` the share of
    time in which the site is there: of ``sites``, a job names those that are available enough for its tier.
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
    sold_kw: tuple[NonNegative, ...] | None = None
    hardware_kw: dict[str, tuple[NonNegative, ...] | NonNegative] | None = None
    battery: Battery | None = None
    mining: Mining | None = None
    inference: Inference | None = None
    availability: Share | None = None

    def timed(self) -> Iterable[tuple[str, int]]:
        """Name and length of every sequence of the site that has one figure a slot."""
        for field in type(self).model_fields:
            if isinstance(values := getattr(self, field), tuple):
                yield field, len(values)
        for name, limit in (self.hardware_kw or {}).items():
            if isinstance(limit, tuple):
                yield f"hardware_kw[{name!r}]", len(limit)
        for field in ("mining", "inference"):
            for part, values in getattr(self, field) or ():
                if isinstance(values, tuple):
                    yield f"{field}.{part}", len(values)


class Course(Strict):
    """Where and when a job runs: runs ``[start, end)`` at a constant IT power, all at one site."""

    site: str
    runs: tuple[Run, ...]


class JobInstance(Strict):
    """A job's demand: block and pausable have power and duration, elastic has levels and work.

    :ivar pause_cost_gbp: charged for each pause (checkpoint and restart, in money).
    :ivar restart_slots: slots at full power that each restart takes before work goes on: they count in no duration.
    :ivar min_run_slots: least length of every run.
    :ivar hardware: class of hardware; the job then needs a site that has it, and counts against its limit.
    :ivar carbon_cap_kg: on all that the job emits.
    :ivar home: where its state is; elsewhere ``migration_cost_gbp`` is charged.
    :ivar planned: its course in the standing plan; any other costs ``move_cost_gbp``, being left out does not.
    :ivar availability: what its tier asks of a site; why it does not name one, where a reason is given.
    :ivar gang: jobs of one gang are served all or none.
    :ivar after: jobs that must have ended before this one starts; it is not served unless they are.
    """

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
    min_run_slots: Annotated[int, Field(ge=1)] | None = None
    max_pauses: Slots | None = None
    restart_slots: Slots | None = None
    hardware: str | None = None
    carbon_cap_kg: NonNegative | None = None
    home: str | None = None
    migration_cost_gbp: NonNegative | None = None
    planned: Course | None = None
    move_cost_gbp: NonNegative | None = None
    gang: str | None = None
    after: tuple[str, ...] = ()
    availability: Share | None = None

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
        for field in BLOCK_ONLY_NOT:
            if self.kind != "pausable" and getattr(self, field) is not None:
                raise ValueError(f"{self.kind} job {self.id!r} takes no {field}")
        if (self.migration_cost_gbp is not None and self.home is None) or (
            self.move_cost_gbp is not None and self.planned is None
        ):
            raise ValueError(f"job {self.id!r}: migration_cost_gbp needs a home, move_cost_gbp a planned course")
        return self

    @property
    def least_slots(self) -> int:
        """Slots that the job takes at least."""
        if self.levels:
            return max(1, math.ceil((self.work or 0.0) / self.levels[-1].work_per_slot - 1e-9))
        return self.duration_slots or 1


class Frozen(Course):
    """An assignment that must appear in the plan unchanged."""

    job: str


class SitePrices(Strict):
    """Prices of headroom, in GBP per kW at the meter held for one slot; of hardware, per IT kW."""

    site: str
    headroom_gbp_per_kw_slot: tuple[float, ...]
    hardware_gbp_per_kw_slot: dict[str, tuple[float, ...]] = Field(default_factory=dict)


class Scenario(Strict):
    """One way that prices and carbon may turn out, by site id; sites that are not named keep their own figures."""

    probability: Positive
    price_gbp_per_kwh: dict[str, tuple[Finite, ...]] = Field(default_factory=dict)
    carbon_g_per_kwh: dict[str, tuple[NonNegative, ...]] = Field(default_factory=dict)


class Risk(Strict):
    """How much bad outcomes count: ``(1 - weight) * expected cost + weight * CVaR`` over the scenarios.

    CVaR at ``level`` is the mean cost of the worst ``1 - level`` of outcomes.
    """

    level: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight: Share = 0.0


class Instance(Strict):
    """Everything a plan may depend on. Caps are on the carbon of all jobs, of one tenant's, of those in a region.

    :ivar opening: prices at which the negotiation begins, such as those of the standing plan; sites that are not named
        begin at none. They decide how soon a good plan is found, never which plans are valid.
    """

    name: str
    start: Instant
    slot_minutes: Literal[30] = 30
    slots: Annotated[int, Field(gt=0, le=20_000)]
    carbon_price_gbp_per_tonne: NonNegative
    carbon_cap_kg: NonNegative | None = None
    tenant_carbon_caps_kg: dict[str, NonNegative] = Field(default_factory=dict)
    region_carbon_caps_kg: dict[str, NonNegative] = Field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    risk: Risk | None = None
    sites: tuple[SiteInstance, ...]
    jobs: tuple[JobInstance, ...]
    frozen: tuple[Frozen, ...] = ()
    opening: tuple[SitePrices, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, ids in (("site", [s.id for s in self.sites]), ("job", [j.id for j in self.jobs])):
            if len(set(ids)) != len(ids):
                raise ValueError(f"duplicate {what} id {next(i for i in ids if ids.count(i) > 1)!r}")
        sites = {site.id: site for site in self.sites}
        for site in self.sites:
            for field, length in site.timed():
                if length != self.slots:
                    raise ValueError(f"site {site.id!r}: {field} has {length} values for {self.slots} slots")
        self._check_jobs(sites)
        self._check_scenarios(sites)
        jobs = {job.id for job in self.jobs}
        for frozen in self.frozen:
            if frozen.job not in jobs:
                raise ValueError(f"frozen job {frozen.job!r} at site {frozen.site!r}: one of them is unknown")
            _check_course(f"frozen runs of job {frozen.job!r}", frozen, sites, self.slots)
        if len({frozen.job for frozen in self.frozen}) != len(self.frozen):
            raise ValueError("a job is frozen twice")
        self._check_opening(sites)
        return self

    def _check_jobs(self, sites: Mapping[str, SiteInstance]) -> None:
        ids = {job.id for job in self.jobs}
        for job in self.jobs:
            if unknown := set(job.sites) - sites.keys():
                raise ValueError(f"job {job.id!r} names unknown site {min(unknown)!r}")
            if job.home is not None and job.home not in sites:
                raise ValueError(f"job {job.id!r} names unknown site {job.home!r} as its home")
            if job.latest_slot > self.slots:
                raise ValueError(f"job {job.id!r}: latest_slot {job.latest_slot} is beyond the {self.slots} slots")
            if unknown := set(job.after) - ids:
                raise ValueError(f"job {job.id!r} comes after unknown job {min(unknown)!r}")
            if job.planned is not None:
                _check_course(f"planned runs of job {job.id!r}", job.planned, sites, self.slots)
        try:
            TopologicalSorter({job.id: job.after for job in self.jobs if job.after}).prepare()
        except CycleError as error:
            raise ValueError(f"jobs come after one another in a circle: {' after '.join(error.args[1])}") from error

    def _check_scenarios(self, sites: Mapping[str, SiteInstance]) -> None:
        total = sum(scenario.probability for scenario in self.scenarios)
        if self.scenarios and abs(total - 1) > 1e-6:
            raise ValueError(f"the probabilities of the scenarios add up to {total:g}, not 1")
        if self.risk is not None and not self.scenarios:
            raise ValueError("risk needs scenarios")
        for number, scenario in enumerate(self.scenarios):
            for figures in (scenario.price_gbp_per_kwh, scenario.carbon_g_per_kwh):
                for site, values in figures.items():
                    if site not in sites:
                        raise ValueError(f"scenario {number} names unknown site {site!r}")
                    if len(values) != self.slots:
                        raise ValueError(f"scenario {number}, site {site!r}: {len(values)} values, {self.slots} slots")

    def _check_opening(self, sites: Mapping[str, SiteInstance]) -> None:
        for prices in self.opening:
            if prices.site not in sites:
                raise ValueError(f"opening prices of unknown site {prices.site!r}")
            for values in (prices.headroom_gbp_per_kw_slot, *prices.hardware_gbp_per_kw_slot.values()):
                if len(values) != self.slots or not all(0 <= value < math.inf for value in values):
                    raise ValueError(
                        f"opening prices of site {prices.site!r}: {self.slots} figures of at least 0 are due"
                    )


def _check_course(what: str, course: Course, sites: Mapping[str, SiteInstance], slots: int) -> None:
    """Refuse a course at an unknown site, outside the horizon, or whose runs overlap."""
    if course.site not in sites:
        raise ValueError(f"{what} at site {course.site!r}: one of them is unknown")
    if any(not 0 <= start < end <= slots for start, end, _ in course.runs):
        raise ValueError(f"{what} leave the {slots} slots")
    runs = sorted(course.runs)
    if any(one[1] > other[0] for one, other in pairwise(runs)):
        raise ValueError(f"{what} overlap")


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
        told = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {where}: {told}", field=where, value=first.get("input")) from error


def write_json(model: BaseModel, path: Path) -> None:
    """Write a model as ``.json`` or ``.json.gz``."""
    text = json.dumps(model.model_dump(mode="json", exclude_none=True), separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
