"""How each quantity is called and written on a page: its title, its unit on screen, its decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.series import Unit
from core.vintage import UNITS, Quantity
from web.pages.formatting import number


@dataclass(frozen=True, slots=True)
class Style:
    """How a quantity is written.

    :param factor: from the unit of the series to the unit on screen.
    """

    title: str
    unit: str
    decimals: int
    factor: float = 1.0

    def text(self, value: float | None) -> str:
        """``value``, in the unit of the series, as a number in the unit on screen; an en dash where it is not known."""
        return number(None if value is None else value * self.factor, self.decimals)


_TITLES: Mapping[Quantity, str] = {
    "carbon": "Carbon intensity",
    "marginal_carbon": "Marginal carbon",
    "wind": "Wind generation",
    "solar": "Solar generation",
    "frequency": "System frequency",
    "temperature": "Temperature outdoors",
    "wet_bulb": "Wet-bulb temperature",
    "cloud_cover": "Cloud cover",
    "bitcoin_price": "Bitcoin price",
    "difficulty": "Bitcoin difficulty",
    "grid_stress": "Grid stress",
}
_OF_UNIT: Mapping[Unit, tuple[str, int, float]] = {
    Unit.GBP_PER_KWH: ("p/kWh", 1, 100),
    Unit.GBP_PER_DAY: ("p/day", 1, 100),
    Unit.GBP_PER_PH_DAY: ("£ per PH/s a day", 2, 1),
    Unit.GBP: ("£", 0, 1),
    Unit.G_PER_KWH: ("g/kWh", 0, 1),
    Unit.KW: ("kW", 0, 1),
    Unit.MW: ("MW", 0, 1),
    Unit.MWH: ("MWh", 0, 1),
    Unit.HERTZ: ("Hz", 3, 1),
    Unit.PERCENT: ("%", 1, 1),
    Unit.CELSIUS: ("°C", 1, 1),
    Unit.METRES_PER_SECOND: ("m/s", 1, 1),
    Unit.NONE: ("", 2, 1),
}


def title(quantity: Quantity) -> str:
    """``share_gas`` as ``Gas share``, ``imbalance_price`` as ``Imbalance price``."""
    if quantity.startswith("share_"):
        return f"{quantity.removeprefix('share_').capitalize()} share"
    return _TITLES.get(quantity, quantity.replace("_", " ").capitalize())


def style(quantity: Quantity) -> Style:
    """How figures of ``quantity`` are written."""
    return Style(title(quantity), *_OF_UNIT[UNITS[quantity]])


def list_of(quantities: tuple[Quantity, ...]) -> str:
    """What a feed gives, in words; all shares of the generation mix as one."""
    shares = [quantity for quantity in quantities if quantity.startswith("share_")]
    named = [title(quantity) for quantity in quantities if quantity not in shares]
    if len(shares) == 1:
        named.append(title(shares[0]))
    elif shares:
        named.append("Generation mix")
    text = ", ".join([*named[:1], *(f"{name[0].lower()}{name[1:]}" for name in named[1:])])
    return text.replace(", bitcoin", ", Bitcoin")
