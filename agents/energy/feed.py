"""What a live feed is: one method that asks, and a status that says how it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from core.series import Series
from core.vintage import Quantity, Vintage

State = Literal["live", "stale", "simulated", "replayed", "never"]
"""``never``: no figure was ever had, and none is simulated in its place."""


@dataclass(frozen=True, slots=True)
class FetchedSeries:
    """One answer of a feed: the figures, and the very bytes they were read from (pages joined by line feeds)."""

    series: Series
    body: bytes


class Feed(Protocol):
    """A source on the network of one quantity for some zones."""

    @property
    def name(self) -> str:
        """Stable identifier, such as ``octopus-agile``."""
        ...

    @property
    def quantity(self) -> Quantity: ...

    @property
    def zones(self) -> frozenset[str]:
        """Zones that the feed answers for."""
        ...

    @property
    def host(self) -> str:
        """Where it is asked: feeds of one host fail together."""
        ...

    @property
    def attribution(self) -> str:
        """Whose figures these are and under which licence, for people."""
        ...

    def fetch(self, zone: str, start: datetime, end: datetime) -> FetchedSeries:
        """Figures of the slots in ``[start, end)``, as far as they are published; ``issued_at`` is the time of asking.

        The series covers the slot of the present instant and stops where the feed's figures stop. Raises
        :class:`core.errors.FeedUnreachable` or :class:`core.errors.FeedInvalid`, never returns a made-up figure.
        """
        ...

    def overdue(self, known_until: datetime, now: datetime) -> bool:
        """Whether the feed should by ``now`` have published beyond ``known_until``: it is then asked more often."""
        ...


class VintageStore(Protocol):
    """Where answers are kept; :class:`store.vintages.VintageRepository` is one."""

    def add(self, vintage: Vintage, /) -> object: ...

    def latest(self, feed: str, zone: str, quantity: Quantity, /) -> Vintage | None: ...

    def covering(
        self, feed: str, zone: str, quantity: Quantity, start: datetime, end: datetime, /
    ) -> Sequence[Vintage]: ...


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How one feed stands for one zone.

    :param last_good: when it last gave figures; None if never.
    :param age_s: seconds since then.
    :param known_until: end of the figures it gave.
    :param error: why the last attempt failed, with the remedy; None if it did not.
    :param next_try: when it will be asked next; None where nothing is asked.
    """

    feed: str
    zone: str
    quantity: Quantity
    state: State
    last_good: datetime | None = None
    age_s: float | None = None
    known_until: datetime | None = None
    error: str | None = None
    next_try: datetime | None = None
