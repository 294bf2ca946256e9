"""Energy certificates matched with consumption, half-hour by half-hour, each claimed once.

As in EnergyTag's scheme a certificate is for whole Wh, rounded down, over an interval of at most an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from core.errors import Conflict
from core.slots import SLOT

LONGEST = timedelta(hours=1)
WH_PER_KWH = Decimal(1000)
Half = tuple[str, datetime]
"""A site and the UTC start of a half-hour."""


def whole_wh(kwh: Decimal) -> int:
    """Whole Wh of an energy, rounded down, at least 0."""
    return max(0, int((kwh * WH_PER_KWH).to_integral_value(rounding=ROUND_DOWN)))


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an issuer says was generated in ``[start, end)``; ``storage`` when it was discharged from a store."""

    gc_id: str
    issuer: str
    zone: str
    start: datetime
    end: datetime
    wh: int
    storage: bool = False

    def __post_init__(self) -> None:
        if self.wh < 1 or not timedelta() < self.end - self.start <= LONGEST:
            raise ValueError(f"certificate {self.gc_id} must be for at least 1 Wh and at most an hour")

    def covers(self, start: datetime) -> bool:
        """Whether the half-hour from ``start`` lies in its interval."""
        return self.start <= start and start + SLOT <= self.end


class CertificateLedger:
    """Which certificate was claimed for which consumption."""

    def __init__(self) -> None:
        self._of: dict[Half, list[tuple[str, int]]] = {}
        self._claimed: set[str] = set()

    def claim(
        self, certificate: Certificate, zone: str, wanted_wh: Mapping[Half, int], metered_kwh: Mapping[Half, Decimal]
    ) -> None:
        """Claim a certificate for half-hours, all of it at once; what it has beyond them is forgone.

        :param zone: grid zone of the consumption, which must be the certificate's.
        :param wanted_wh: Wh matched in each half-hour.
        :param metered_kwh: what was drawn there at the meter.
        :raises Conflict: for a second claim of a certificate or of a Wh, more than it is for, another interval or zone;
            then nothing is claimed.
        """
        if certificate.gc_id in self._claimed:
            raise Conflict(f"certificate {certificate.gc_id} is claimed already")
        if certificate.zone != zone:
            raise Conflict(
                f"certificate {certificate.gc_id} is of {certificate.zone}; it cannot be delivered in {zone}"
            )
        if sum(wanted_wh.values()) > certificate.wh:
            raise Conflict(f"certificate {certificate.gc_id} is for {certificate.wh} Wh, less than is claimed with it")
        for half, wh in wanted_wh.items():
            if not certificate.covers(half[1]):
                raise Conflict(f"certificate {certificate.gc_id} is not for the half-hour of {half[1]:%Y-%m-%d %H:%M}Z")
            if wh < 1 or self.matched_wh(half) + wh > whole_wh(metered_kwh.get(half, Decimal(0))):
                raise Conflict(f"{wh} Wh more than were drawn, or were left to match, at {half[0]}")
        self._claimed.add(certificate.gc_id)
        for half, wh in wanted_wh.items():
            self._of.setdefault(half, []).append((certificate.gc_id, wh))

    def matched_wh(self, half: Half) -> int:
        """Wh of a half-hour for which certificates were claimed."""
        return sum(wh for _, wh in self._of.get(half, ()))

    def gc_ids(self, half: Half) -> tuple[str, ...]:
        """The certificates claimed for a half-hour."""
        return tuple(gc_id for gc_id, _ in self._of.get(half, ()))
