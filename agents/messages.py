"""What the agents say to one another: quote, bid, award, counter, commitment.

Axes: ``S`` sites in the order of ``site_ids``, ``T`` slots from ``start``. Powers in kW, prices in GBP/kWh,
intensities in gCO2/kWh; headroom is at the meter, job power is IT power before cooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from core.instance import Run
from core.plan import CounterOffer
from core.series import FloatArray, KindArray, Series
from core.vintage import Quantity


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that every page must say: a feed that is stale or simulated, and since when."""

    feed: str
    zones: tuple[str, ...]
    state: str
    """``stale``, ``simulated``, ``replayed``, or ``never`` where no figure was ever had and none is simulated"""
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the figures of slots ``[first, last)`` of a quoted series were read from.

    :param fetch_id: the stored answer whose bytes hold them; None where they are simulated or replayed.
    """

    first: int
    last: int
    source: str
    fetch_id: str | None


@dataclass(frozen=True, slots=True)
class EnergyQuote:
    """From the energy agent: price and carbon of every zone, slot by slot, each with its kind, source and interval.

    :param origins: by zone and quantity, the stored answers that the figures come from; together they cover each slot
        that has a figure exactly once.
    :param stress: by zone, how strained the grid is, 0 to 1; zones without such figures are absent.
    :param weather: by site, the outdoor temperature that its cooling was reckoned with, as far as a feed gave it; its
        origins stand under the site and ``temperature``.
    :param marginal: by zone, marginal carbon as its provider estimates it; zones without such a feed are absent.
    """

    issued_at: datetime
    start: datetime
    slots: int
    price: Mapping[str, Series]
    carbon: Mapping[str, Series]
    notices: tuple[Notice, ...] = ()
    origins: Mapping[tuple[str, Quantity], tuple[Origin, ...]] = field(default_factory=dict)
    stress: Mapping[str, Series] = field(default_factory=dict)
    weather: Mapping[str, Series] = field(default_factory=dict)
    marginal: Mapping[str, Series] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenarios:
    """From the energy agent: equally probable ways in which what it quotes may turn out.

    :param price: by zone, (K, T) GBP/kWh; ``carbon`` likewise, gCO2/kWh.
    """

    price: Mapping[str, FloatArray]
    carbon: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class WeatherQuote:
    """From the energy agent: outdoor conditions by site; slots without a figure are MISSING.

    :param temperature: dry bulb, °C, by site id.
    :param humidity: relative humidity, %, by site id.
    :param origins: by site id, the stored answers that both come from.
    """

    temperature: Mapping[str, Series]
    humidity: Mapping[str, Series]
    origins: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)


def with_weather(energy: EnergyQuote, weather: WeatherQuote) -> EnergyQuote:
    """The quote with the weather that the sites were quoted with, so that a round can name all it rests on."""
    named: dict[tuple[str, Quantity], tuple[Origin, ...]] = {
        (site, "temperature"): origins for site, origins in weather.origins.items()
    }
    return replace(energy, weather=weather.temperature, origins={**energy.origins, **named})


@dataclass(frozen=True, slots=True)
class CapacityQuote:
    """From the site agent: what each site can take, slot by slot.

    :param availability: of each site, the share of time in which it is there, as its operator declares.
    :param headroom_kw: (S, T) at the meter, capacity less the upper end of the own load, never negative: what is
        promised holds also where the own load turns out higher than expected.
    :param own_load_kw: (S, T) at the meter, expected.
    :param own_load_low_kw: (S, T) lower end of its 90 % interval.
    :param own_load_high_kw: (S, T) upper end.
    :param own_load_kind: (S, T) codes of :class:`core.series.Kind`.
    :param pue: (S, T), at least 1.
    :param temperature_c: (S, T) outdoor temperature used for the PUE.
    :param temperature_kind: (S, T) codes of :class:`core.series.Kind`.
    """

    issued_at: datetime
    start: datetime
    site_ids: tuple[str, ...]
    zones: tuple[str, ...]
    availability: tuple[float, ...]
    headroom_kw: FloatArray
    own_load_kw: FloatArray
    own_load_low_kw: FloatArray
    own_load_high_kw: FloatArray
    own_load_kind: KindArray
    pue: FloatArray
    temperature_c: FloatArray
    temperature_kind: KindArray


@dataclass(frozen=True, slots=True)
class Award:
    """From the policy agent to a job: this is where and when you run, in slots of the instance."""

    job_id: str
    site_id: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """From the policy agent to a job that cannot be served: why, and what would make it possible."""

    job_id: str
    reason: str
    offers: tuple[CounterOffer, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """One round of the negotiation, for the dashboard and the record."""

    number: int
    bound_gbp: float
    master_gbp: float
    bids: int
