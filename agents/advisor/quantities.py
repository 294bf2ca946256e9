"""Which quantities a sentence states: each number with its unit, in the units that jobs are asked for in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Dimension(StrEnum):
    """What a quantity measures; the unit is the one after the underscore."""

    HOURS = "h"
    POWER = "kW"
    GPUS = "GPUs"
    PRICE = "GBP/kWh"
    CARBON = "g/kWh"
    MONEY = "GBP"
    OTHER = "other"
    """a number whose unit says none of these: it may stand in no field"""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity as said: characters ``[start, end)`` of the sentence."""

    dimension: Dimension
    value: float
    start: int
    end: int
    said: str


_SPELLED = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "half a": 0.5, "half an": 0.5,
}  # fmt: skip
_NUMBER = (
    r"(?P<{0}>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?|\b(?:"
    + "|".join(sorted(_SPELLED, key=len, reverse=True))
    + r"))"
)
_PER_KWH = r"\s*(?:/|per|a)\s*kWh\b"
_HOURS = r"h(?:rs?|ours?)?(?![A-Za-z])"
_MINUTES = r"m(?:ins?|inutes?)?(?![A-Za-z])"
_RULES: tuple[tuple[Dimension, str, float], ...] = (
    (Dimension.PRICE, _NUMBER.format("n") + r"\s*(?:p|pence|pennies)" + _PER_KWH, 0.01),
    (Dimension.PRICE, r"(?:£|GBP)\s*" + _NUMBER.format("n") + _PER_KWH, 1.0),
    (Dimension.PRICE, _NUMBER.format("n") + r"\s*(?:pounds?|GBP)" + _PER_KWH, 1.0),
    (Dimension.CARBON, _NUMBER.format("n") + r"\s*g(?:rams?)?(?:\s*(?:of\s*)?CO[2₂]e?)?" + _PER_KWH, 1.0),
    (Dimension.OTHER, _NUMBER.format("n") + r"\s*[kM]Wh\b", 1.0),
    (Dimension.POWER, _NUMBER.format("n") + r"\s*(?:MW|megawatts?)\b", 1000.0),
    (Dimension.POWER, _NUMBER.format("n") + r"\s*(?:kW|kilowatts?)\b", 1.0),
    (Dimension.POWER, _NUMBER.format("n") + r"\s*(?:W|watts?)\b", 0.001),
    (Dimension.GPUS, _NUMBER.format("n") + r"\s*(?:[x×]\s*)?(?:[ABHLV]\d{2,3}s?\s*)?(?:GPUs?|graphics cards?)\b", 1.0),
    (Dimension.GPUS, _NUMBER.format("n") + r"\s*(?:[x×]\s*)?[ABHLV]\d{2,3}s?\b", 1.0),
    (Dimension.HOURS, _NUMBER.format("n") + r"[\s-]*days?\b", 24.0),
    (Dimension.HOURS, _NUMBER.format("n") + r"\s*half[\s-]hours?\b", 0.5),
    (Dimension.HOURS, _NUMBER.format("n") + r"[\s-]*" + _MINUTES, 1 / 60),
    (Dimension.MONEY, r"£\s*" + _NUMBER.format("n"), 1.0),
    (Dimension.MONEY, _NUMBER.format("n") + r"\s*(?:pounds?|GBP|quid)\b", 1.0),
    (Dimension.MONEY, _NUMBER.format("n") + r"\s*(?:p|pence)\b", 0.01),
    (Dimension.OTHER, r"(?<![\w.])" + r"(?P<n>\d+(?:\.\d+)?)" + r"\s*[A-Za-z%]*", 1.0),
)
_COMPOUND = re.compile(
    _NUMBER.format("h") + r"[\s-]*" + _HOURS + r"(?:\s*(?:and\s*)?" + _NUMBER.format("m") + r"\s*" + _MINUTES + r")?"
    r"(?P<half>\s+and\s+a\s+half)?",
    re.IGNORECASE,
)
_COMPILED = [(dimension, re.compile(rule, re.IGNORECASE), factor) for dimension, rule, factor in _RULES]


def quantities(sentence: str, taken: list[tuple[int, int]] | None = None) -> list[Quantity]:
    """The quantities of ``sentence`` in order; each character belongs to one at most, and none to ``taken`` spans."""
    free = [True] * len(sentence)
    for start, end in taken or ():
        free[start:end] = [False] * (end - start)
    found: list[Quantity] = []
    for dimension, rule, factor in _COMPILED:
        if dimension is Dimension.HOURS:
            _note(found, free, [_compound(match) for match in _COMPOUND.finditer(sentence)])
        made = [_quantity(dimension, match, _value(match["n"]) * factor) for match in rule.finditer(sentence)]
        _note(found, free, made)
    return sorted(found, key=lambda quantity: quantity.start)


def _note(found: list[Quantity], free: list[bool], quantities: list[Quantity]) -> None:
    """Add those of ``quantities`` whose characters are still free."""
    for quantity in quantities:
        span = slice(quantity.start, quantity.end)
        if all(free[span]):
            free[span] = [False] * (quantity.end - quantity.start)
            found.append(quantity)


def _compound(match: re.Match[str]) -> Quantity:
    """Hours, with minutes or a half hour after them."""
    hours = _value(match["h"]) + (_value(match["m"]) / 60 if match["m"] else 0.0) + (0.5 if match["half"] else 0.0)
    return _quantity(Dimension.HOURS, match, hours)


def _quantity(dimension: Dimension, match: re.Match[str], value: float) -> Quantity:
    said = match[0].rstrip()
    return Quantity(dimension, value, match.start(), match.start() + len(said), said)


def _value(text: str) -> float:
    return _SPELLED.get(" ".join(text.lower().split())) or float(text.replace(",", ""))
