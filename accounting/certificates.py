"""Energy certificates matched with consumption, half-hour by half-hour, each claimed once.

As in EnergyTag's scheme a certificate is for whole Wh, rounded down, over an interval of at most an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from core.errors import Conflict
from core.slots import SLOT, settlement_period, slot_floor

LONGEST = timedelta(hours=1)
WH_PER_KWH = Decimal(1000)
Half = tuple[str, datetime]
"""A site and the UTC start of a half-hour."""


def whole_wh(kwh: Decimal) -> int:
    """Whole Wh of an energy, rounded down, at least 0."""
    return max(0, int((kwh * WH_PER_KWH).to_integral_value(rounding=ROUND_DOWN)))


class Certificate(BaseModel):
    """What an issuer says was generated in ``[start, end)``, one or two half-hours of one settlement day.

    :param zone: grid zone into which it was generated.
    :param site_id: the site for whose consumption its owner uses it.
    :param storage: whether it was discharged from a store.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gc_id: str = Field(min_length=1, max_length=200)
    issuer: str = Field(min_length=1, max_length=200)
    zone: str
    site_id: str
    start: AwareDatetime
    end: AwareDatetime
    wh: int = Field(ge=1)
    storage: bool = False

    @model_validator(mode="after")
    def _of_half_hours(self) -> Self:
        whole = slot_floor(self.start) == self.start and slot_floor(self.end) == self.end
        if not whole or not timedelta() < self.end - self.start <= LONGEST:
            raise ValueError(f"certificate {self.gc_id} must be for one half-hour or two, from :00 or :30 on")
        if self.settlement_date != settlement_period(self.end - SLOT).date:
            raise ValueError(f"certificate {self.gc_id} must lie within one settlement day")
        return self

    @property
    def settlement_date(self) -> date:
        """The settlement day that it is for."""
        return settlement_period(self.start).date

    def covers(self, start: datetime) -> bool:
        """Whether the half-hour from ``start`` lies in its interval."""
        return self.start <= start and start + SLOT <= self.end


class CertificateLedger:
    """Which certificate is claimed for which consumption.

    :param held: certificates that are claimed elsewhere already, each with where.
    """

    def __init__(self, held: Mapping[str, str] | None = None) -> None:
        self._of: dict[Half, list[tuple[Certificate, int]]] = {}
        self._claimed = dict(held or {})

    def match(self, certificate: Certificate, zone: str, metered_kwh: Mapping[Half, Decimal]) -> None:
        """Claim a certificate for what is left to match in the half-hours it covers, the earlier first.

        What it has beyond them is forgone; one for which nothing is left stays unclaimed.

        :param zone: grid zone of the consumption, which must be the certificate's.
        :param metered_kwh: what its site drew at the meter.
        :raises Conflict: for a second claim of a certificate or another zone; then nothing is claimed.
        """
        self._require_claimable(certificate, zone)
        wanted: dict[Half, int] = {}
        for half in sorted(half for half in metered_kwh if certificate.covers(half[1])):
            left = certificate.wh - sum(wanted.values())
            wh = min(left, whole_wh(metered_kwh[half]) - self.matched_wh(half))
            if wh > 0:
                wanted[half] = wh
        if wanted:
            self.claim(certificate, zone, wanted, metered_kwh)

    def claim(
        self, certificate: Certificate, zone: str, wanted_wh: Mapping[Half, int], metered_kwh: Mapping[Half, Decimal]
    ) -> None:
        """Claim a certificate for half-hours, all of it at once; what it has beyond them is forgone.

        :param zone: grid zone of the consumption, which must be the certificate's.
        :param wanted_wh: Wh matched in each half-hour.
        :param metered_kwh: what was drawn there at the meter.
        :raises Conflict: for a second claim of a certificate or of a Wh, more than it is for, another interval, site or
            zone; then nothing is claimed.
        """
        self._require_claimable(certificate, zone)
        if sum(wanted_wh.values()) > certificate.wh:
            raise Conflict(f"certificate {certificate.gc_id} is for {certificate.wh} Wh, less than is claimed with it")
        for half, wh in wanted_wh.items():
            if half[0] != certificate.site_id or not certificate.covers(half[1]):
                where = f"{half[0]} in the half-hour of {half[1]:%Y-%m-%d %H:%M}Z"
                raise Conflict(f"certificate {certificate.gc_id} is not for {where}")
            if wh < 1 or self.matched_wh(half) + wh > whole_wh(metered_kwh.get(half, Decimal(0))):
                raise Conflict(f"{wh} Wh more than were drawn, or were left to match, at {half[0]}")
        self._claimed[certificate.gc_id] = certificate.site_id
        for half, wh in wanted_wh.items():
            self._of.setdefault(half, []).append((certificate, wh))

    def _require_claimable(self, certificate: Certificate, zone: str) -> None:
        if where := self._claimed.get(certificate.gc_id):
            raise Conflict(
                f"certificate {certificate.gc_id} is claimed already, for {where}",
                remedy="Claim each certificate for one site and interval in SETTLEMENT_FILE.",
            )
        if certificate.zone != zone:
            raise Conflict(
                f"certificate {certificate.gc_id} is of {certificate.zone}; it cannot be delivered in {zone}",
                remedy=f"Leave it out of SETTLEMENT_FILE, or name a site in {certificate.zone}.",
            )

    def matched_wh(self, half: Half) -> int:
        """Wh of a half-hour for which certificates were claimed."""
        return sum(wh for _, wh in self.used(half))

    def used(self, half: Half) -> tuple[tuple[Certificate, int], ...]:
        """The certificates claimed for a half-hour, each with how many Wh of it."""
        return tuple(self._of.get(half, ()))
