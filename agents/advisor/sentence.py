"""A sentence about a job, read by rules: which of its numbers and words belong to which field.

What the rules do not understand they leave, and say so. The same reading tells whether a value that somebody else read
out of the sentence is in it at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from agents.advisor.instants import Moment, moments
from agents.advisor.quantities import Dimension, Quantity, quantities
from agents.advisor.vocabulary import DELAYED, EXCEPT, FINISH, NAMED, PAUSE, START, TENANT, WITHIN, WORDS

DIMENSION_OF = {
    "duration_hours": Dimension.HOURS,
    "power_kw": Dimension.POWER,
    "gpu_count": Dimension.GPUS,
    "max_price_gbp_per_kwh": Dimension.PRICE,
    "carbon_cap_g_per_kwh": Dimension.CARBON,
    "pause_cost_gbp": Dimension.MONEY,
}
"""what the number of each field measures"""
TIMES = ("earliest_start", "latest_finish")
NEAR = timedelta(minutes=1)


class Said(NamedTuple):
    """A field's value and the words that say it."""

    value: Any
    said: str


@dataclass(frozen=True)
class Sentence:
    """A sentence as it was written at ``now``; ``places`` are the names of regions with the region of each."""

    text: str
    now: datetime
    places: Mapping[str, str]

    @cached_property
    def moments(self) -> list[Moment]:
        """The moments it names."""
        return moments(self.text, self.now)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """The quantities it states."""
        return quantities(self.text, [(moment.start, moment.end) for moment in self.moments])

    def read(self) -> dict[str, Said]:
        """What the rules understand, by field."""
        read = self._words() | self._numbers() | self._times()
        if "power_kw" in read:
            read.pop("gpu_count", None)
        if "pause_cost_gbp" in read:
            read.setdefault("flexibility_type", Said("pausable", read["pause_cost_gbp"].said))
        if regions := self._regions():
            read["allowed_regions"] = regions
        return read

    def says(self, field: str, value: Any) -> str | None:
        """The words in which the sentence states the number ``value`` for ``field``; None where it does not."""
        if field in TIMES:
            return next((said for at, said in self._possible_times() if abs(at - value) < NEAR), None)
        alike = [q for q in self.quantities if q.dimension is DIMENSION_OF[field]]
        return next((q.said for q in alike if abs(q.value - value) <= 1e-6 * max(1.0, abs(value))), None)

    def unread(self, used: Mapping[str, Said]) -> list[str]:
        """Numbers, moments and excluded places that no used field was read from, as they were said."""
        said = [words.said for words in used.values()]
        parts: list[Quantity | Moment] = [*self.quantities, *self.moments]
        parts.sort(key=lambda part: part.start)
        return [part.said for part in parts if not any(part.said in one for one in said)] + self._excluded()

    def _possible_times(self) -> list[tuple[datetime, str]]:
        """Every instant that the sentence could mean."""
        named = [(at, moment.said) for moment in self.moments for at in (moment.at, moment.day_end)]
        spans = [q for q in self.quantities if q.dimension is Dimension.HOURS]
        return named + [(self.now + timedelta(hours=span.value), span.said) for span in spans]

    def _before(self, part: Quantity | Moment) -> str:
        """What stands before a part, up to the sentence's last stop or comma."""
        return re.split(r"[,;.]\s", self.text[: part.start])[-1]

    def _numbers(self) -> dict[str, Said]:
        read: dict[str, Said] = {}
        for quantity in self.quantities:
            field = self._field_of(quantity)
            if field is not None:
                whole = int(quantity.value) if field == "gpu_count" else quantity.value
                read.setdefault(field, Said(whole, quantity.said))
        return read

    def _field_of(self, quantity: Quantity) -> str | None:
        """The field that a number is of; durations that tell a time are of none."""
        match quantity.dimension:
            case Dimension.HOURS:
                return None if self._time_of(quantity) else "duration_hours"
            case Dimension.MONEY:
                around = self._before(quantity)[-30:] + self.text[quantity.end :][:20]
                return "pause_cost_gbp" if PAUSE.search(around) else None
            case _:
                return next((name for name, of in DIMENSION_OF.items() if of is quantity.dimension), None)

    def _time_of(self, span: Quantity) -> str | None:
        """The time that a span from now tells, if it tells one."""
        before, after = self._before(span), self.text[span.end :].lstrip()
        if DELAYED.search(before):
            return "earliest_start"
        if WITHIN.search(before) or after.startswith(("from now", "deadline")):
            return "latest_finish"
        return None

    def _times(self) -> dict[str, Said]:
        read: dict[str, Said] = {}
        for moment in self.moments:
            before = self._before(moment)
            if START.search(before):
                read.setdefault("earliest_start", Said(moment.at, moment.said))
            elif FINISH.search(before):
                read.setdefault("latest_finish", Said(moment.day_end, moment.said))
        for span in self.quantities:
            field = self._time_of(span) if span.dimension is Dimension.HOURS else None
            if field is not None:
                read.setdefault(field, Said(self.now + timedelta(hours=span.value), span.said))
        return read

    def _words(self) -> dict[str, Said]:
        read: dict[str, Said] = {}
        for field, value, rule in WORDS:
            found = rule.search(self.text)
            if found is not None:
                read.setdefault(field, Said(value, found[0]))
        if named := NAMED.search(self.text):
            read["job_name"] = Said(named["quoted"] or named["bare"], named[0])
        if tenant := TENANT.search(self.text):
            read["tenant"] = Said(tenant["tenant"], tenant[0])
        return read

    def _regions(self) -> Said | None:
        """The places it names, but those that it excludes."""
        found: dict[str, str] = {}
        for region, match in self._named_places():
            if not EXCEPT.search(self.text[: match.start()]):
                found.setdefault(region, match[0])
        return Said(tuple(sorted(found)), ", ".join(found[region] for region in sorted(found))) if found else None

    def _excluded(self) -> list[str]:
        """Places it does not want, with the word that says so: that is no field of a job."""
        before = [(match, EXCEPT.search(self.text[: match.start()])) for _, match in self._named_places()]
        return [self.text[word.start() : match.end()] for match, word in before if word is not None]

    def _named_places(self) -> list[tuple[str, re.Match[str]]]:
        """Regions with where they are named; codes only where they are written as codes."""
        return [
            (self.places[name], match)
            for name in sorted(self.places, key=len, reverse=True)
            for match in re.finditer(
                rf"(?<![\w-]){re.escape(name)}(?![\w-])", self.text, 0 if name.isupper() else re.IGNORECASE
            )
        ]
