"""The settlement agent: states every half-hour of a site's day after the day, and states it again when it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from loguru import logger

from accounting.bl01 import Bl01, Trigger
from accounting.flows import FlowRecord, FlowState
from accounting.gaming import WindowTest, window_test
from accounting.metering_points import MeteringPoint, gsp_group_of
from accounting.placebo import Accuracy, placebo
from accounting.runs import PeriodKey, Run, Statement, restate
from accounting.settlement_days import SettlementDay
from accounting.working_days import WorkingDays
from agents.energy.agent import EnergyAgent
from agents.settlement.bodies import (
    PeriodFigures,
    Place,
    figures_of,
    key_of,
    period_body,
    restated,
    statement_of,
    withdrawn,
)
from agents.settlement.claimed import KIND
from agents.settlement.inventory import Inventory, Looked
from agents.settlement.metered import Metered, MeteredSite
from agents.settlement.register import Activation, Register, read_register
from agents.settlement.scope2 import SiteDay
from audit.bodies.settlement import SettlementPeriodBody
from audit.log import AuditLog
from audit.record import Entry, Record
from core.errors import Conflict, InputError, SlackwaterError
from core.site import Site
from core.slots import settlement_period, slot_floor
from forecasting.wall_clock import bank_holidays

PLACEBO_DAYS = 10
RESTATED_DAYS = 7
"""days for which a day is looked at again where no calendar of runs is given: ours are metered within one"""


@dataclass(frozen=True, slots=True)
class _Day:
    """A settlement day of one site with everything that its statements rest on.

    :param scope2: None for a site with several MSID pairs, of which nothing is metered apart.
    """

    place: Place
    day: SettlementDay
    metered: MeteredSite
    method: Bl01
    register: Register
    accuracy: Accuracy | None
    scope2: SiteDay | None
    now: datetime


class Settlement:
    """Appends ``settlement_period`` records for sites in GSP groups.

    :param path: the operator's settlement file; None where no site has a BM unit.
    """

    def __init__(self, metered: Metered, energy: EnergyAgent, log: AuditLog, path: Path | None) -> None:
        self._metered = metered
        self._inventory = Inventory(energy, log)
        self._log = log
        self._msid_commit = partial(log.commit, "msid_pair")
        self._path = path
        self._looked_at: datetime | None = None
        self._stated: dict[PeriodKey, Statement] | None = None
        self._seen: dict[tuple[str, date], tuple[str, int, object]] = {}
        self._rested_on: object = None

    def state(self, now: datetime) -> int:
        """Append what is new about days that have passed, and give its number; looks once a half-hour.

        A settlement file that cannot be used is logged, and nothing is stated until it is mended; what the log does not
        take is stated at the next call.
        """
        slot = slot_floor(now)
        if slot == self._looked_at:
            return 0
        try:
            bodies = list(self._new(read_register(self._path), now))
            if bodies:
                self._remember(self._log.append_all([Entry(KIND, body, "settlement") for body in bodies]))
        except (InputError, Conflict) as error:
            self._look_again()
            logger.error("no settlement: {}", error.diagnostics())
            return 0
        except SlackwaterError:
            self._look_again()
            raise
        self._looked_at = slot
        return len(bodies)

    def _look_again(self) -> None:
        """Forget what was seen: it was not stated."""
        self._rested_on = None
        self._seen.clear()
        self._inventory.forget()

    def _remember(self, records: Sequence[Record]) -> None:
        stated = [statement_of(record.seq, record.recorded_at, record.body) for record in records]
        self._stated = (self._stated or {}) | {statement.key: statement for statement in stated}

    def _recall(self, first: date) -> dict[PeriodKey, Statement]:
        """The latest statement of each period of the days from ``first`` on; after a start, read from the log."""
        if self._stated is None:
            since = SettlementDay(first).start
            records, _ = self._log.records(kind=KIND, start=since, limit=self._log.head()[0])
            self._remember(records[::-1])
        self._stated = {key: each for key, each in (self._stated or {}).items() if key.settlement_date >= first}
        return self._stated

    def _new(self, register: Register, now: datetime) -> Iterator[SettlementPeriodBody]:
        """Statements that are not on the log, oldest day first."""
        days = self._days(register, now)
        sites = [site for site in self._metered.sites.sites() if gsp_group_of(site.zone)]
        looked = self._inventory.looked(sites, days, now)
        if not days or not sites or not self._moved(register, sites, days, looked):
            return
        self._inventory.open(register, sites, days)
        look_back = register.body.bl01.look_back_days + 2 * PLACEBO_DAYS
        first = days[0] - timedelta(days=look_back)
        metered = self._metered.between(sites, first, days[-1])
        working, held = _working_days(register, first, days[-1]), self._recall(days[0])
        of_day = _by_day(held.values())
        for day in map(SettlementDay, days):
            for site in sites:
                of_site = metered[site.site_id]
                if self._changed(site, day, of_site, register, looked):
                    scope2 = self._scope2(site, day, of_site, register, looked, held)
                    new = self._of_site(site, day, of_site, working, register, scope2, now)
                    old = self._of_other_pairs(register.points(site.site_id), of_day.get((site.site_id, day.date), ()))
                    for body in (*old, *new):
                        for version in _version(body, held):
                            self._inventory.note(version)
                            yield version

    def _scope2(
        self,
        site: Site,
        day: SettlementDay,
        metered: MeteredSite,
        register: Register,
        looked: Looked,
        held: Mapping[PeriodKey, Statement],
    ) -> SiteDay | None:
        """Scope 2 of a site's day, None where its pairs are not metered apart; looked at again while one is refused."""
        points = register.points(site.site_id)
        if len(points) > 1:
            return None
        pair = self._msid_commit(points[0].pair) if points else ""
        stated = [held.get(PeriodKey(site.site_id, day.date, period, pair)) for period in range(1, day.count + 1)]
        found = self._inventory.of_day(site, day, metered.history, register, looked, stated)
        if found.refused:
            self._rested_on = None
            del self._seen[site.site_id, day.date]
        return found

    def _of_other_pairs(
        self, points: Sequence[MeteringPoint], stated: Sequence[Statement]
    ) -> Iterator[SettlementPeriodBody]:
        """What was stated of a site's day by pairs that it has no more, withdrawn: no half-hour is stated twice."""
        pairs = {self._msid_commit(point.pair) for point in points} or {""}
        return (withdrawn(each) for each in stated if each.key.pair not in pairs)

    def _moved(self, register: Register, sites: Sequence[Site], days: Sequence[date], looked: Looked) -> bool:
        """Whether anything that these days rest on is another than at the last look, or ages, as flows do."""
        drawn = self._metered.drawn(days[0], days[-1])
        before, self._rested_on = self._rested_on, (register.sha256, sites, days, drawn, looked)
        ages = any(activation.settlement_date in days for activation in register.body.activation)
        return ages or before != self._rested_on

    def _changed(
        self, site: Site, day: SettlementDay, metered: MeteredSite, register: Register, looked: Looked
    ) -> bool:
        """Whether a statement of a day could be another than when it was looked at last: flows age, figures change."""
        key = site.site_id, day.date
        now = register.sha256, metered.fingerprint(day), looked.get((site.zone, day.date))
        before, self._seen[key] = self._seen.get(key), now
        return before != now or day.date in register.event_days(site.site_id)

    def _days(self, register: Register, now: datetime) -> list[date]:
        """Days to look at: those that have passed since the log began and may still be restated."""
        today = settlement_period(now).date
        records, _ = self._log.head()
        began = settlement_period(self._log.get(self._log.first_seq).recorded_at).date if records else today
        first = max(began, today - timedelta(days=_restated_days(register)))
        return [first + timedelta(days=number) for number in range((today - first).days)]

    def _of_site(
        self,
        site: Site,
        day: SettlementDay,
        metered: MeteredSite,
        working: WorkingDays,
        register: Register,
        scope2: SiteDay | None,
        now: datetime,
    ) -> Iterator[SettlementPeriodBody]:
        """The bodies of a site's day, one a period and MSID pair, as if they were the first.

        Of a site with several pairs no meter tells what each of them drew, so they have no history.
        """
        points = register.points(site.site_id)
        history = metered.history if len(points) < 2 else {}
        method = Bl01(history, working, register.event_days(site.site_id), register.body.bl01)
        accuracy = placebo(method, day, PLACEBO_DAYS)
        unit = register.unit(site.site_id)
        for point in points or (None,):
            place = Place(site.site_id, site.zone, unit, point)
            facts = _Day(place, day, metered, method, register, accuracy, scope2, now)
            for start in day.starts():
                yield self._body(facts, start)

    def _body(self, facts: _Day, start: datetime) -> SettlementPeriodBody:
        parameters = facts.register.body
        figures = _figures(facts, start, facts.register.activation(facts.place.site_id, start))
        return period_body(facts.place, figures, parameters.bl01, parameters.compensation, self._msid_commit)


def _by_day(stated: Iterable[Statement]) -> dict[tuple[str, date], list[Statement]]:
    """Statements in force by site and settlement date."""
    found: dict[tuple[str, date], list[Statement]] = {}
    for each in stated:
        found.setdefault((each.key.site_id, each.key.settlement_date), []).append(each)
    return found


def _version(body: SettlementPeriodBody, held: Mapping[PeriodKey, Statement]) -> Iterator[SettlementPeriodBody]:
    """The body as the next version of its period, unless that is what is stated already.

    What a BM unit metered is our interim information; without one no run is claimed.
    """
    said, run = body.model_dump(), None if body.bmu is None else Run.II
    version = restate(held.get(key_of(said)), run, figures_of(said))
    if version is not None:
        yield restated(body, run, version)


def _restated_days(register: Register) -> int:
    """How many days back a day may still change: to the last run of the calendar, or :data:`RESTATED_DAYS`."""
    runs = register.body.runs
    return RESTATED_DAYS if runs is None else 7 * (max(runs.working_days.values()) // 5 + 1)


def _working_days(register: Register, first: date, last: date) -> WorkingDays:
    years = range(first.year, last.year + 2)
    return WorkingDays(register.body.bank_holidays.union(*(bank_holidays(year) for year in years)))


def _figures(facts: _Day, start: datetime, activation: Activation | None) -> PeriodFigures:
    """What is known of a half-hour; a volume that was submitted is the site's, and so no pair's of several."""
    flows = _flows(facts, start, activation)
    trigger = _trigger(activation, flows)
    event = start if activation is None else facts.day.period_start(activation.first_period)
    alone = len(facts.register.points(facts.place.site_id)) < 2
    return PeriodFigures(
        sp_start=start,
        baseline=facts.method.baseline(start, trigger, event),
        metered_mwh=facts.method.history.get(start),
        kinds=facts.metered.kinds,
        trigger=trigger,
        submitted_mwh=_submitted(activation, flows) if alone else None,
        flows=flows,
        accuracy=facts.accuracy,
        window_test=None if trigger is None or activation is None else _tested(facts, event, activation),
        scope2=None if facts.scope2 is None else facts.scope2.body(start),
    )


def _flows(facts: _Day, start: datetime, activation: Activation | None) -> tuple[FlowRecord, ...]:
    submissions = () if activation is None else activation.flows
    return tuple(each.record(start, facts.method.working, facts.now) for each in submissions)


def _counts(flow: FlowRecord) -> bool:
    return flow.state not in (FlowState.MISSED, FlowState.REJECTED, FlowState.DUE)


def _trigger(activation: Activation | None, flows: Sequence[FlowRecord]) -> Trigger | None:
    """What the deviation answers to; a notification that was missed or rejected triggers nothing."""
    if activation is None:
        return None
    failed = any(flow.flow.name == "WMAN" and not _counts(flow) for flow in flows)
    return None if activation.trigger == "WMAN" and failed else activation.trigger


def _submitted(activation: Activation | None, flows: Sequence[FlowRecord]) -> Decimal | None:
    """The expected volume submitted, where a flow took it in time."""
    told = any(flow.flow.code == "P0328" and _counts(flow) for flow in flows)
    return activation.submitted_mwh if activation is not None and told else None


def _tested(facts: _Day, event: datetime, activation: Activation) -> WindowTest | None:
    """The gaming test of the event's adjustment window; None where load or accuracy are not known."""
    residuals = facts.method.residuals(event)
    if residuals is None or facts.accuracy is None:
        return None
    usual = [facts.method.unadjusted(facts.day, period) for period in range(1, facts.day.count + 1)]
    known = [-mwh for mwh in usual if mwh is not None]
    scheme = facts.register.body.compensation
    cost = None if scheme is None else scheme.sourcing_cost(facts.day.date)
    periods = activation.last_period - activation.first_period + 1
    return window_test(residuals, sum(known, Decimal(0)) / len(known), facts.accuracy, periods, cost)
