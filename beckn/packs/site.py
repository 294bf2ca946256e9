"""What the two products of a site have in common on the wire: the place, how firm the prices are, carbon kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from beckn.models import Certificate
from beckn.packs.forms import CARBON, CarbonForm, CertificateForm, SiteForm, context_of
from beckn.packs.grid import CARBON_COLUMNS, Grid, read_grid, require_columns, require_same, write_event
from beckn.packs.reading import at
from beckn.protocol.faults import Fault
from core.slots import SLOT, format_utc

TERMS = ("CAPACITY_AVAILABLE", "PRICE", "SHORTFALL_PENALTY")
"""the columns that settle: kW, and twice a currency per kWh; carbon is none of them"""


@dataclass(frozen=True, slots=True)
class Place:
    """A site, for a buyer: ``region`` is its country, ISO 3166-1 alpha-2; degrees of WGS 84."""

    site_id: str
    zone: str
    region: str
    latitude: float
    longitude: float

    def wire(self) -> dict[str, Any]:
        """As it travels."""
        point = {"type": "Point", "coordinates": [self.longitude, self.latitude]}
        return {"siteId": self.site_id, "zone": self.zone, "region": self.region, "location": {"geo": point}}


@dataclass(frozen=True, slots=True)
class Carbon:
    """Carbon over the half-hours of a resource: CARBON_INTENSITY in g/kWh, CARBON_AVOIDED in kg as planned.

    :param kinds: per half-hour ``outturn``, ``estimate``, ``forecast`` or ``simulated``.
    """

    grid: Grid
    kinds: tuple[str, ...]

    def wire(self, base: str) -> dict[str, Any]:
        """As it travels, an object of its own type."""
        told = {"@context": context_of(base, CARBON), "@type": "CarbonWindow"}
        return {**told, "kinds": list(self.kinds), **write_event(self.grid)}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is said of a site's half-hours beside what is particular to a product.

    :param grid: :data:`TERMS`. :param price_kinds: per half-hour a
        :data:`beckn.packs.forms.PriceKind`; ``none`` where nothing is for sale.
    """

    place: Place
    notice: timedelta
    grid: Grid
    price_kinds: tuple[str, ...]
    certificate: Certificate | None = None
    carbon: Carbon | None = None
    outturn: Carbon | None = None

    def wire(self, base: str) -> dict[str, Any]:
        """As it travels, without context and type."""
        told: dict[str, Any] = {
            **self.place.wire(),
            "notice": iso_duration(self.notice),
            "priceKinds": list(self.price_kinds),
            **write_event(self.grid),
        }
        if self.certificate is not None:
            told["certificate"] = certificate_wire(self.certificate)
        if self.carbon is not None:
            told["carbon"] = self.carbon.wire(base)
        if self.outturn is not None:
            told["carbonOutturn"] = self.outturn.wire(base)
        return told


def part_of(attributes: Mapping[str, Any], terms: Grid, first: int, count: int) -> dict[str, Any]:
    """The attributes of a resource with ``count`` of its half-hours from number ``first`` on, all else as it came.

    :param terms: their grid, as it was read.
    """
    kept = slice(first, first + count)
    told = dict(attributes)
    if first > 0:
        told["intervalPeriod"] = {**told["intervalPeriod"], "start": format_utc(terms.start + SLOT * first)}
    told["intervals"] = [{**each, "id": number} for number, each in enumerate(told["intervals"][kept])]
    told |= {name: told[name][kept] for name in ("priceKinds", "kinds") if name in told}
    carbon = [name for name in ("carbon", "carbonOutturn") if told.get(name) is not None]
    return told | {name: part_of(told[name], terms, first, count) for name in carbon}


def read_shown(form: SiteForm, attributes: Any, path: str, notice: timedelta) -> Shown:
    """The common part of a resource whose form has been read; :class:`Fault` where grids or lists do not fit."""
    grid = read_grid(attributes, path, TERMS)
    require_columns(grid, TERMS, path)
    _require_length(form.price_kinds, grid, at(path, "priceKinds"))
    longitude, latitude = form.location.geo.coordinates[:2]
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise Fault("SCH_INVALID_FORMAT", "the point is not on earth", f"{path}.location.geo.coordinates")
    return Shown(
        Place(form.site_id, form.zone, form.region, latitude, longitude),
        notice,
        grid,
        tuple(form.price_kinds),
        None if form.certificate is None else _certificate(form.certificate),
        _read_carbon(form.carbon, attributes, "carbon", path, grid),
        _read_carbon(form.carbon_outturn, attributes, "carbonOutturn", path, grid),
    )


def _read_carbon(form: CarbonForm | None, within: Any, name: str, where: str, terms: Grid) -> Carbon | None:
    if form is None:
        return None
    attributes, path = within[name], at(where, name)
    if not form.context.endswith(context_of("", CARBON)):
        raise Fault("SCH_INVALID_JSONLD_CONTEXT", "it is not of the pack carbon", at(path, "@context"))
    grid = read_grid(attributes, path, CARBON_COLUMNS)
    require_same(grid, terms, path)
    _require_length(form.kinds, grid, at(path, "kinds"))
    return Carbon(grid, tuple(form.kinds))


def _require_length(told: Sequence[object], grid: Grid, path: str) -> None:
    if len(told) != len(grid):
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"it has {len(told)} entries, the grid {len(grid)}", path)


def require_length(told: Sequence[object], grid: Grid, path: str) -> None:
    """Return if a list has one entry per half-hour; :class:`Fault` otherwise."""
    _require_length(told, grid, path)


def certificate_wire(certificate: Certificate) -> dict[str, Any]:
    """A certificate as it travels; what is not known is left out."""
    told = {
        "tickId": certificate.tick_id,
        "objectiveGbp": certificate.objective_gbp,
        "boundGbp": certificate.bound_gbp,
        "gap": certificate.gap,
        "logSeq": certificate.log_seq,
    }
    return {name: value for name, value in told.items() if value is not None}


def _certificate(form: CertificateForm) -> Certificate:
    return Certificate(
        tick_id=form.tick_id,
        objective_gbp=form.objective_gbp,
        bound_gbp=form.bound_gbp,
        gap=form.gap,
        log_seq=form.log_seq,
    )


def iso_duration(length: timedelta) -> str:
    """A duration of whole seconds, in days, hours, minutes and seconds, such as ``PT30M``."""
    days, rest = divmod(round(length.total_seconds()), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    day = f"{days}D" if days else ""
    return f"P{day}T{clock}" if clock else f"P{day}" if day else "PT0S"


def role_inputs(seller: str | None, buyer: str | None, seller_inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The roles of an offer; null where nobody has taken one yet."""
    return [
        {"role": "seller", "participantId": seller, "inputs": seller_inputs},
        {"role": "buyer", "participantId": buyer},
    ]


def most(grid: Grid) -> Decimal:
    """The most power of any half-hour, kW."""
    return max((figure for figure in grid.figures("CAPACITY_AVAILABLE") if figure is not None), default=Decimal(0))
