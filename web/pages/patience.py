"""What an hour of patience saves: the curve of a quote as shapes that a template writes as SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from agents.quotes.quote import HOUR, Offer, Quote
from core.series import Kind
from web.pages.curves import scale
from web.pages.drawing import axis_label, rungs
from web.pages.formatting import gbp, kg

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP, FOOT = 340.0, 36.0, 12.0, 22.0, 84.0, 34.0, 50.0
LEAST_SPAN = timedelta(hours=6)
BEYOND = 1.1
"""So much more than what matters is drawn, to show that the curve goes on."""
TICK_HOURS = (1, 2, 3, 6, 12, 24, 48)
MOST_TICKS = 6
HALF_TICK = 17.0
LABEL = 90.0
"""Room for the label of a dot: nearer to the right edge, it stands to the left."""
KG_PER_G = 1000.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A marked offer with its label; ``name`` is now or best."""

    name: str
    x: float
    y: float
    label: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class PatiencePanel:
    """One quantity: grid lines ``(y, label)``, a stepped path with its interval, and the height of running now."""

    title: str
    colour: str
    top: float
    bottom: float
    grid: tuple[tuple[float, str], ...]
    path: str
    band: str
    now_y: float | None
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis: hours of patience, and the latest finish that they lead to."""

    x: float
    patience: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PatienceDrawing:
    """The figure in a ``width`` by ``height`` box. ``kind`` is the weakest of its figures, ``deadline_x`` the job's."""

    panels: tuple[PatiencePanel, ...]
    ticks: tuple[Tick, ...]
    kind: str
    deadline_x: float
    bottom: float
    height: float
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


@dataclass(frozen=True, slots=True)
class _Quantity:
    """What a panel shows of an offer: the figure with both ends of its interval."""

    title: str
    colour: str
    of: Callable[[Offer], tuple[float, float, float]]
    words: Callable[[float], str]


def drawing(quote: Quote) -> PatienceDrawing | None:
    """The curve; None where there are not two offers to tell apart."""
    offers = list(dict.fromkeys(point.offer for point in quote.points if point.offer is not None))
    if len({*offers, quote.now} - {None}) < 2:
        return None
    return _Curve(quote, offers).drawing()


class _Curve:
    """Places of one quote's instants and values.

    An offer holds from the instant at which it ends until a better one does.
    """

    def __init__(self, quote: Quote, offers: list[Offer]) -> None:
        self.quote = quote
        self.offers = offers
        self.origin = quote.now.end if quote.now is not None else offers[0].end
        self.start = min(self.origin, offers[0].end)
        latest = max(quote.own.latest_finish, offers[-1].end)
        self.span = max(LEAST_SPAN, BEYOND * (latest - self.start))
        self.shown = [offer for offer in (*offers, quote.now) if offer is not None]

    def drawing(self) -> PatienceDrawing:
        panels = tuple(self._panel(number, each) for number, each in enumerate((self._cost(), self._carbon())))
        bottom = panels[-1].bottom
        kind = max((offer.kinds[-1] for offer in self.shown), key=lambda label: Kind[label.upper()])
        deadline = self._x(self.quote.own.latest_finish)
        return PatienceDrawing(panels, self._ticks(), kind, deadline, bottom, bottom + FOOT)

    @staticmethod
    def _cost() -> _Quantity:
        def ends(offer: Offer) -> tuple[float, float, float]:
            return offer.spent_gbp, offer.cost_low_gbp + offer.pause_gbp, offer.cost_high_gbp + offer.pause_gbp

        return _Quantity("Cost, £", "price", ends, gbp)

    def _carbon(self) -> _Quantity:
        small = max(offer.carbon_high_kg for offer in self.shown) < 1
        factor = KG_PER_G if small else 1.0

        def ends(offer: Offer) -> tuple[float, float, float]:
            return offer.carbon_kg * factor, offer.carbon_low_kg * factor, offer.carbon_high_kg * factor

        return _Quantity(f"Carbon, {'g' if small else 'kg'}", "carbon", ends, lambda value: kg(value / factor))

    def _panel(self, number: int, quantity: _Quantity) -> PatiencePanel:
        top = TOP + number * (PANEL + GAP)
        low, high, step = scale(np.array([quantity.of(offer) for offer in self.shown]).ravel())

        def y(value: float) -> float:
            return round(top + PANEL * (high - value) / (high - low), 1)

        middle, lower, upper = zip(*(map(y, quantity.of(offer)) for offer in self.offers), strict=True)
        now = self.quote.now
        return PatiencePanel(
            title=quantity.title,
            colour=quantity.colour,
            top=top,
            bottom=top + PANEL,
            grid=tuple((y(value), axis_label(value)) for value in rungs(low, high, step)),
            path="M" + self._steps(middle),
            band=f"M{self._steps(upper)}L{self._steps(lower, back=True)}Z",
            now_y=None if now is None else y(quantity.of(now)[0]),
            dots=tuple(self._dots(quantity, y, top)),
        )

    def _steps(self, heights: tuple[float, ...], *, back: bool = False) -> str:
        """A stepped line over the offers, from the first's end to the right edge or back."""
        xs = [*(self._x(offer.end) for offer in self.offers), WIDTH - RIGHT]
        corners = [(x, y) for y, pair in zip(heights, pairwise(xs), strict=True) for x in pair]
        return "L".join(f"{x} {y}" for x, y in (reversed(corners) if back else corners))

    def _dots(self, quantity: _Quantity, y: Callable[[float], float], top: float) -> list[Dot]:
        found = []
        for name, offer in (("now", self.quote.now), ("best", self.quote.own.offer)):
            if offer is None:
                continue
            value = quantity.of(offer)[0]
            here = self._x(offer.end), y(value)
            left = here[0] > WIDTH - RIGHT - LABEL
            below = here[1] < top + 16
            label_x, label_y = here[0] + (-7 if left else 7), here[1] + (14 if below else -6)
            label = f"{name} {quantity.words(value)}"
            found.append(Dot(name, *here, label, label_x, label_y, "end" if left else "start"))
        return found

    def _ticks(self) -> tuple[Tick, ...]:
        hours = self.span / HOUR
        step = next((each for each in TICK_HOURS if hours / each < MOST_TICKS), TICK_HOURS[-1])
        instants = [self.origin + HOUR * patience for patience in range(0, int(hours) + 1, step)]
        return tuple(
            Tick(self._x(at), f"+{step * number} h" if number else "0 h", at)
            for number, at in enumerate(instants)
            if self._x(at) <= WIDTH - HALF_TICK
        )

    def _x(self, at: datetime) -> float:
        return round(LEFT + (at - self.start) / self.span * (WIDTH - LEFT - RIGHT), 1)
