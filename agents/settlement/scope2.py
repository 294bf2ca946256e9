"""Scope 2 of a site's half-hours: what was metered, by the grid's average and by the certificates claimed for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounting.carbon import Intensity
from accounting.certificates import Certificate, CertificateLedger
from accounting.scope2 import Consumption, Scope2
from accounting.volumes import to_meter
from audit.bodies.settlement import CertificateBody, PeriodScope2Body
from audit.fields import dec
from core.errors import Conflict
from core.site import Site


@dataclass(frozen=True, slots=True)
class SiteDay:
    """What Scope 2 of a site's settlement day rests on.

    :param import_kwh: what was drawn in each half-hour whose intensity is known.
    :param residual_g_per_kwh: intensity of what certificates leave; None where the operator gave none.
    :param refused: why certificates that the operator lists were not claimed.
    """

    site: Site
    import_kwh: Mapping[datetime, Decimal]
    intensity: Mapping[datetime, Intensity]
    residual_g_per_kwh: Decimal | None
    ledger: CertificateLedger
    refused: tuple[Conflict, ...]

    @classmethod
    def of(
        cls,
        site: Site,
        metered_mwh: Mapping[datetime, Decimal],
        intensity: Mapping[datetime, Intensity],
        residual_g_per_kwh: Decimal | None,
        certificates: Iterable[Certificate],
        held: Mapping[str, str],
    ) -> SiteDay:
        """Match ``certificates`` in order with what the site metered.

        :param metered_mwh: by the signs of the BSC.
        :param held: certificates claimed for another site or day, each with where.
        """
        drawn = {start: to_meter(metered_mwh[start])[0] for start in intensity if start in metered_mwh}
        halves = {(site.site_id, start): kwh for start, kwh in drawn.items()}
        ledger, refused = CertificateLedger(held), []
        for certificate in certificates:
            try:
                ledger.match(certificate, site.zone, halves)
            except Conflict as error:
                refused.append(error)
        return cls(site, drawn, intensity, residual_g_per_kwh, ledger, tuple(refused))

    def body(self, start: datetime) -> PeriodScope2Body | None:
        """The half-hour from ``start``; None where its energy or intensity is not known."""
        if start not in self.import_kwh:
            return None
        half, location = (self.site.site_id, start), self.intensity[start]
        matched_wh = self.ledger.matched_wh(half)
        drawn = Consumption(self.import_kwh[start], location, self.residual_g_per_kwh, matched_wh)
        found, residual = Scope2.of([drawn]), self.residual_g_per_kwh
        return PeriodScope2Body(
            import_kwh=dec(drawn.kwh, 3),
            g_per_kwh=dec(location.g_per_kwh, 3),
            kind=location.kind.label,
            provider=location.provider,
            residual_g_per_kwh=None if residual is None else dec(residual, 3),
            location_kg=dec(found.location_kg, 6),
            market_kg=dec(found.market_kg, 6),
            certificates=[_used(*each) for each in self.ledger.used(half)],
            matched_wh=matched_wh,
            without_residual_mix=found.without_residual_mix > 0,
        )


def _used(certificate: Certificate, wh: int) -> CertificateBody:
    return CertificateBody(
        gc_id=certificate.gc_id, issuer=certificate.issuer, storage=certificate.storage, matched_wh=wh
    )
