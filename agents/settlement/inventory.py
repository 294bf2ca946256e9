"""What Scope 2 rests on: the grid's intensity as long as it is restated, and certificates that nobody else claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from loguru import logger

from accounting.carbon import Intensity
from accounting.runs import Statement
from accounting.settlement import ESTIMATE_FINAL_AFTER
from accounting.settlement_days import SettlementDay
from agents.energy.agent import EnergyAgent
from agents.settlement.claimed import Claimed
from agents.settlement.register import Register
from agents.settlement.scope2 import SiteDay
from audit.bodies.settlement import SettlementPeriodBody
from audit.fields import dec
from audit.log import AuditLog
from core.series import Kind
from core.site import Site

Intensities = Mapping[datetime, Intensity]
"""By the start of the half-hour; one of which nothing is known is absent."""
Looked = Mapping[tuple[str, date], Intensities]
"""By zone and day."""


class Inventory:
    """Keeps the certificates that the log claims, and asks the energy agent how dirty the grid was."""

    def __init__(self, energy: EnergyAgent, log: AuditLog) -> None:
        self._energy = energy
        self._claimed = Claimed(log)

    def looked(self, sites: Sequence[Site], days: Sequence[date], now: datetime) -> Looked:
        """The intensities of those days whose estimates may still be restated by their source."""
        recent = [day for day in days if now < SettlementDay(day).end + ESTIMATE_FINAL_AFTER]
        zones = dict.fromkeys(site.zone for site in sites)
        return {(zone, day): self._known(zone, SettlementDay(day)) for day in recent for zone in zones}

    def open(self, register: Register, sites: Sequence[Site], days: Sequence[date]) -> None:
        """Read what the log claims, where there are certificates, and log those that no statement can claim."""
        if not register.body.certificate:
            return
        self._claimed.load()
        stated = {site.site_id for site in sites if len(register.points(site.site_id)) < 2}
        for each in register.body.certificate:
            if each.site_id not in stated:
                logger.error("certificate {} is for {}, whose Scope 2 is not stated", each.gc_id, each.site_id)
            elif each.settlement_date < days[0] and not self._claimed.has(each.gc_id):
                logger.error("certificate {} is for {}, which is stated no more", each.gc_id, each.settlement_date)

    def of_day(
        self,
        site: Site,
        day: SettlementDay,
        metered_mwh: Mapping[datetime, Decimal],
        register: Register,
        looked: Looked,
        stated: Sequence[Statement | None],
    ) -> SiteDay:
        """Certificates matched with a site's day; one that cannot be claimed is logged.

        :param stated: the statement in force of each period of the day, in order.
        """
        found = SiteDay.of(
            site,
            metered_mwh,
            self._intensities(site.zone, day, looked, stated),
            register.body.residual_mix.get(site.zone),
            register.certificates(site.site_id, day.date),
            self._claimed.elsewhere(site.site_id, day.date),
        )
        for error in found.refused:
            logger.error("a certificate is not claimed: {}", error.diagnostics())
        return found

    def note(self, body: SettlementPeriodBody) -> None:
        """Take in a statement that is about to be recorded."""
        self._claimed.note(body.model_dump())

    def forget(self) -> None:
        """What was noted was not recorded."""
        self._claimed.forget()

    def _intensities(
        self, zone: str, day: SettlementDay, looked: Looked, stated: Sequence[Statement | None]
    ) -> Intensities:
        """As they are known while they may be restated; later as they were stated, where that was no forecast."""
        if (known := looked.get((zone, day.date))) is not None:
            return known
        told = {start: _stated(each) for start, each in zip(day.starts(), stated, strict=True)}
        final = {start: intensity for start, intensity in told.items() if intensity is not None}
        return final if len(final) == day.count else {**self._known(zone, day), **final}

    def _known(self, zone: str, day: SettlementDay) -> dict[datetime, Intensity]:
        """The firmest figures there are of a day that has passed, to the decimals that are recorded."""
        _, carbon = self._energy.observed(zone, day.start, day.count)
        figures = zip(day.starts(), carbon.values.tolist(), carbon.kinds.tolist(), strict=True)
        return {
            start: Intensity(Decimal(dec(value, 3)), Decimal(0), Kind(kind), carbon.source)
            for start, value, kind in figures
            if kind != Kind.MISSING
        }


def _stated(statement: Statement | None) -> Intensity | None:
    """The intensity that a statement rests on; None where it has none, or only a forecast."""
    told = statement.figures.get("scope2") if statement is not None else None
    if not isinstance(told, dict) or told["kind"] == Kind.FORECAST.label:
        return None
    return Intensity(Decimal(told["g_per_kwh"]), Decimal(0), Kind[told["kind"].upper()], told["provider"])
