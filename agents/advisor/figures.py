"""Which figures a text states, and whether another text states only those."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_NOT_A_FIGURE = re.compile(r"\bCO[2₂]", re.IGNORECASE)
_FIGURE = re.compile(
    r"(?P<sign>(?<![^\s(])[-−])?"
    r"(?P<currency>£|GBP\s?)?"
    r"(?:(?P<clock>\d{1,2}:\d{2})|(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?))"
    r"(?:\s?(?P<unit>kWh|MWh|kW|MW|kg|g|t|p|%|h|min|d)(?![A-Za-z]))?"
)
_SPELLED = re.compile(
    r"\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|dozens?"
    r"|twice|thrice|double[ds]?|triple[ds]?|half|halve[ds]?|thirds?|quarters?|\w+fold)\b",
    re.IGNORECASE,
)
LABELS = ("forecast", "simulated", "baseline")
"""words that tell what a figure rests on, and against what it is held"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as written: its value (for a time of day its text), whether it is pounds, and its unit if it has one."""

    value: Decimal | str
    pounds: bool
    unit: str

    @property
    def bare(self) -> bool:
        """True when nothing says what is counted."""
        return not self.pounds and not self.unit


def figures(text: str) -> list[Figure]:
    """Every figure of ``text`` in order; the 2 of CO2 is none."""
    return [_figure(found) for found in _FIGURE.finditer(_NOT_A_FIGURE.sub("", text))]


def _figure(found: re.Match[str]) -> Figure:
    clock = found["clock"]
    size = Decimal((found["value"] or "0").replace(",", ""))
    return Figure(clock or (-size if found["sign"] else size), found["currency"] is not None, found["unit"] or "")


def faults(answer: str, source: str) -> tuple[str, ...]:
    """Why ``answer`` may not stand for ``source``; empty when it may.

    Each of its figures must be one of ``source``, with the same unit where it names one; numbers written as words must
    be there too; and no word of :data:`LABELS` may be lost.
    """
    known = figures(source)
    values = {figure.value for figure in known}
    foreign = [f for f in figures(answer) if f not in known and not (f.bare and f.value in values)]
    spelled = _spelled(answer) - _spelled(source)
    lost = [label for label in LABELS if label in source.lower() and label not in answer.lower()]
    return (
        *(f"the figure {figure.value}{figure.unit} is not in the text" for figure in foreign),
        *(f"the number {word!r} is not in the text" for word in sorted(spelled)),
        *(f"the word {label!r} is lost" for label in lost),
    )


def _spelled(text: str) -> set[str]:
    return {word.lower() for word in _SPELLED.findall(text)}
