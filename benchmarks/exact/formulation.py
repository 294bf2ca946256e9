"""Jobs, sites and shared limits in one programme."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.exact import sites
from benchmarks.exact.jobs import Draws, Json, Place, earliest_slots, profile
from benchmarks.exact.program import Array, Ints, Program
from benchmarks.referee.figures import SLOT_HOURS, Figures

NOBODY = -1


class Formulation:
    """The programme of an instance, with what is needed to read a plan out of a solution.

    :ivar draws: (5, m) job or ``NOBODY``, site and slot as one number, column, and the kW that one of it draws, of IT
        and at the meter.
    :ivar terms: columns (T,) of what a site does, by its row and the plan file's name for it.
    :ivar left_out: for each job that is not frozen the column that is 1 when it is not served.
    :ivar outcomes: rows of the scenarios' costs; ``capacity`` of the sites' headroom; ``hardware``, ``caps`` by name.
    :ivar proven: height of the programme without order among jobs, whose prices the certificate does not know.
    """

    def __init__(self, instance: Json) -> None:
        self.instance = instance
        self.figures = Figures.of(instance)
        self.program = Program()
        self.jobs: list[Json] = instance["jobs"]
        self.frozen = {row["job"]: row for row in instance.get("frozen") or ()}
        self.row = {job["id"]: number for number, job in enumerate(self.jobs)}
        self.left_out: dict[int, int] = {}
        self.terms: dict[tuple[int, str], Ints] = {}
        self._drawn: list[Array] = []
        self._add_jobs()
        self._add_terms()
        self.draws: Array = np.concatenate([np.zeros((5, 0)), *self._drawn], axis=1)
        self.frozen_kw = self._add_frozen()
        self.outcomes = self._add_energy()
        self.capacity = self._add_capacity()
        self.hardware = self._add_hardware()
        self.caps = self._add_caps()
        self.proven = self.program.height
        self._add_order()

    def _draw(self, job: int, site: int, draws: Draws, meter: Array) -> None:
        """:param meter: (T,) kW at the meter for each IT kW."""
        slots, columns, power = draws
        kw = np.broadcast_to(np.asarray(power, dtype=float), slots.shape)
        cell = site * self.figures.slots + slots
        self._drawn.append(np.stack([np.full(slots.shape, float(job)), cell, columns, kw, kw * meter[slots]]))

    def _add_jobs(self) -> None:
        """Every job that is not frozen runs one course or is left out, a gang together."""
        first: dict[str, int] = earliest_slots(self.instance)
        together: dict[Any, int] = {}
        for number, job in enumerate(self.jobs):
            if job["id"] in self.frozen:
                continue
            gang = job["gang"] if job.get("gang") is not None else (number,)
            if gang not in together:
                together[gang] = int(self.program.columns(1)[0])
            self.left_out[number] = together[gang]
            courses = [np.array([together[gang]])]
            for site in job["sites"]:
                row = self.figures.sites[site]
                if job.get("hardware") in (None, *(self.instance["sites"][row].get("hardware_kw") or ())):
                    columns, draws = Place.of(self.program, job, site, self.figures, first[job["id"]]).courses()
                    courses.append(columns)
                    self._draw(number, row, draws, self.figures.pue[row])
            self.program.rows(1, (0, np.concatenate(courses), 1.0), lower=1.0, upper=1.0)

    def _add_terms(self) -> None:
        slots, each = self.figures.slots, np.arange(self.figures.slots)
        at_meter = np.ones(slots)
        for row, site in enumerate(self.instance["sites"]):
            for name, add in (("mining", sites.mining), ("inference", sites.inference)):
                if site.get(name):
                    self.terms[row, f"{name}_kw"] = power = add(self.program, site[name], slots)
                    self._draw(NOBODY, row, (each, power, 1.0), self.figures.pue[row])
            if site.get("battery"):
                charge, discharge = sites.battery(self.program, site["battery"], slots)
                self.terms |= {(row, "charge_kw"): charge, (row, "discharge_kw"): discharge}
                self._draw(NOBODY, row, (each, charge, 1.0), at_meter)
                self._draw(NOBODY, row, (each, discharge, -1.0), at_meter)

    def _add_frozen(self) -> Array:
        """What frozen jobs cost beside energy; returns their IT power (n, S, T)."""
        power = np.zeros((len(self.jobs), *self.figures.pue.shape))
        for name, row in self.frozen.items():
            job, course = self.jobs[self.row[name]], profile(row["runs"], self.figures.slots)
            power[self.row[name], self.figures.sites[row["site"]]] = course
            planned = job.get("planned") or row
            there = profile(planned["runs"], self.figures.slots)
            moved = planned["site"] != row["site"] or not np.allclose(there, course, rtol=1e-6, atol=0)
            pauses = max(0, int(np.count_nonzero(np.diff((course > 0).astype(int), prepend=0) > 0)) - 1)
            for times, cost in (
                (pauses, "pause_cost_gbp"),
                (job.get("home") not in (None, row["site"]), "migration_cost_gbp"),
                (moved, "move_cost_gbp"),
            ):
                self.program.constant += times * float(job.get(cost) or 0.0)
        return power

    def _add_energy(self) -> slice | None:
        """Penalties, and energy at the stated risk; returns the rows of the scenarios where there is risk."""
        penalties = [self.jobs[number]["unserved_penalty_gbp"] for number in self.left_out]
        left_out = np.array([*self.left_out.values()], dtype=int)
        self.program.charge(np.asarray(np.bincount(left_out, penalties, self.program.width), dtype=float))
        likely, risk = self.figures.probability, self.instance.get("risk") or {}
        weight, level = risk.get("weight", 0.0), risk.get("level", 0.9)
        cell, column = self.draws[1:3].astype(int)
        rates = self.figures.rate.reshape(len(likely), -1) * SLOT_HOURS
        energy = np.array([np.bincount(column, self.draws[4] * rate[cell], self.program.width) for rate in rates])
        meter = (self.frozen_kw * self.figures.pue).sum(axis=0).ravel()
        self.program.charge((1 - weight) * (likely @ energy))
        self.program.constant += (1 - weight) * float(likely @ (rates @ meter))
        if weight == 0:
            return None
        outcome = np.arange(len(likely))
        worst = self.program.columns(1, weight, lower=-np.inf, upper=np.inf, whole=False)
        beyond = self.program.columns(len(likely), weight * likely / (1 - level), upper=np.inf, whole=False)
        scenario, used = np.nonzero(energy)
        terms = ((scenario, used, energy[scenario, used]), (outcome, worst, -1.0), (outcome, beyond, -1.0))
        return self.program.rows(len(likely), *terms, upper=-(rates @ meter))

    def _limit(self, limit: Array, taken: Array, among: Array, figure: Array) -> slice:
        """Rows for each site and slot: what is drawn beside what frozen jobs take, whose own breaches are forgiven."""
        cell, column = self.draws[1:3, among].astype(int)
        left = np.maximum(limit, taken) - taken
        return self.program.rows(left.size, (cell, column, figure[among]), upper=left.ravel())

    def _add_capacity(self) -> slice:
        taken = (self.frozen_kw * self.figures.pue).sum(axis=0)
        return self._limit(self.figures.free_kw, taken, np.ones(self.draws.shape[1], dtype=bool), self.draws[4])

    def _add_hardware(self) -> dict[str, slice]:
        rows = {}
        for name, number in self.figures.classes.items():
            needs = np.array([job.get("hardware") == name for job in self.jobs] + [False])
            limit = np.where(np.isnan(self.figures.hardware_kw[number]), np.inf, self.figures.hardware_kw[number])
            taken = self.frozen_kw[needs[:-1]].sum(axis=0)
            rows[name] = self._limit(limit, taken, needs[self.draws[0].astype(int)], self.draws[3])
        return rows

    def _add_caps(self) -> dict[tuple[str, str | None], slice]:
        """Rows of the carbon caps, by kind and name."""
        kg = self.figures.kg
        tenant = np.array([job.get("tenant") or "default" for job in self.jobs])
        region = np.array(self.figures.regions)
        wholly = np.ones((len(self.jobs), len(region)), dtype=bool)
        caps: list[tuple[tuple[str, str | None], Any, Any]] = [
            (("all", None), self.instance.get("carbon_cap_kg"), wholly)
        ]
        for name, limit in (self.instance.get("tenant_carbon_caps_kg") or {}).items():
            caps.append((("tenant", name), limit, wholly & (tenant == name)[:, None]))
        for name, limit in (self.instance.get("region_carbon_caps_kg") or {}).items():
            caps.append((("region", name), limit, wholly & (region == name)))
        drawn, rows = self.draws[:, self.draws[0] != NOBODY], {}
        job, cell, column = drawn[:3].astype(int)
        for key, limit, counts in caps:
            if limit is not None:
                emitted = drawn[3] * kg.ravel()[cell] * counts[job, cell // kg.shape[1]]
                frozen = float((self.frozen_kw * kg * counts[:, :, None]).sum())
                rows[key] = self.program.rows(1, (0, column, emitted), upper=max(limit, frozen) - frozen)
        return rows

    def _add_order(self) -> None:
        """Once a job has started, none that it comes after runs any more; it is left out when one of them is."""
        slots, each = self.figures.slots, np.arange(self.figures.slots)
        for number, job in enumerate(self.jobs):
            before = [self.row[name] for name in job.get("after") or () if self.row[name] in self.left_out]
            if number not in self.left_out or not before:
                continue
            started = self.program.columns(slots, whole=False)
            mine = self._running(number)
            self.program.rows(slots, mine, (each, started, -1.0), upper=0.0)
            self.program.rows(slots - 1, (each[1:] - 1, started[:-1], 1.0), (each[:-1], started[1:], -1.0), upper=0.0)
            for other in before:
                self.program.rows(slots, self._running(other), (each, started, 1.0), upper=1.0)
                self.program.rows(1, (0, self.left_out[other], 1.0), (0, self.left_out[number], -1.0), upper=0.0)

    def _running(self, job: int) -> tuple[Ints, Ints, float]:
        """A term that is 1 in the slots in which a job runs."""
        cell, column = self.draws[1:3, self.draws[0] == job].astype(int)
        return cell % self.figures.slots, column, 1.0
