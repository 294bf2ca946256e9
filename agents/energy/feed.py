"""What a live feed is: a declaration of what it is, and one method that asks.

A feed keeps nothing: what it answers depends on its :class:`Ask` alone. The same ``fetch`` therefore reads stored bytes
again: give it the answers of a stored fetch as ``get`` and the time of that fetch as ``now``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

from core.series import Series
from core.vintage import Fetch, Quantity, RawAnswer, Vintage

State = Literal["live", "stale", "simulated", "replayed", "never"]
"""``never``: no figure was ever had, and none is simulated in its place."""


class Flag(StrEnum):
    """What may be wrong with figures."""

    OUTLIER = "outlier"
    SPURIOUS_ZERO = "spurious zero"
    FROZEN = "frozen"
    DUPLICATE = "duplicate"
    GAP = "gap"
    SHORT_HORIZON = "short horizon"
    REVISED = "revised"
    DISAGREES = "disagrees"
    RETIRED = "retired"
    CLOCK_SKEW = "clock skew"
    OLD_DATES = "old dates"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something noticed about the figures of slots ``[start, end)``; ``detail`` is one sentence with figures."""

    flag: Flag
    quantity: Quantity
    start: datetime
    end: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a host allows: at most ``requests`` in any ``per``."""

    requests: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a feed says of itself; shown to operators, and what the shared client and the schedule go by.

    :param name: stable identifier, such as ``octopus-agile``.
    :param title: its name for people.
    :param home: address of its documentation.
    :param licence: under which its figures may be used.
    :param attribution: whose figures these are, for people.
    :param host: base URL's host: feeds of one host fail and are limited together.
    :param units: in which the feed speaks, and how that becomes the units of :data:`core.vintage.UNITS`.
    :param limits: what the host allows.
    :param done: what of the source is used.
    :param exempt: what of the source is left, each with its reason.
    :param least_period: it is never asked more often than this; the operator's CACHE_TTL_SECONDS may be longer.
    :param first_history: how far back it is asked at first: what forecasts are fitted to.
    :param use_for: age of an answer beyond which its forecasts are no longer used; settled figures stay.
    :param published_until: the end of what ought to be published at an instant; None where no hour is set.
    :param lag: how far its newest figures lie behind the present as a rule: a plan's first slots are then forecast.
    :param past_only: whether it tells of the past alone: it then serves histories and no plan.
    :param key_setting: the setting that holds the user's key, where the source wants one.
    :param ready: whether it can be asked: False where its key is not set.
    """

    name: str
    title: str
    home: str
    licence: str
    attribution: str
    host: str
    quantities: tuple[Quantity, ...]
    units: str
    limits: Limits
    done: tuple[str, ...]
    exempt: tuple[str, ...] = ()
    least_period: timedelta = timedelta(0)
    first_history: timedelta = timedelta(days=7)
    use_for: timedelta = timedelta(hours=24)
    published_until: Callable[[datetime], datetime] | None = None
    lag: timedelta = timedelta(0)
    past_only: bool = False
    key_setting: str | None = None
    ready: bool = True


class Authorise(Protocol):
    """Gives what proves who asks; called by the live client only, so that no secret is ever stored or logged."""

    def __call__(self) -> Authorisation: ...


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Secret headers and query parameters of one request."""

    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


class Get(Protocol):
    """Asks for one body. The live client and a stored fetch both are one."""

    def __call__(
        self, url: str, parameters: Mapping[str, str] | None = None, *, authorise: Authorise | None = None
    ) -> RawAnswer:
        """The answer of a 2xx; ``url`` and ``parameters`` hold nothing secret.

        Raises :class:`core.errors.FeedUnreachable` or :class:`core.errors.FeedInvalid`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a feed.

    :param start: first slot wanted; may lie years back: the feed cuts its requests to what the source allows.
    :param end: end of the slots wanted.
    :param now: the present instant: nothing else tells a feed the time.
    """

    zone: str
    start: datetime
    end: datetime
    now: datetime
    get: Get


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a feed read: a series for each quantity that it has figures of, and what it noticed while reading."""

    series: Mapping[Quantity, Series]
    findings: tuple[Finding, ...] = ()


class Feed(Protocol):
    """A source on the network for some zones."""

    @property
    def declaration(self) -> Declaration: ...

    def serves(self, zone: str) -> bool:
        """Whether the feed answers for the zone (a grid zone, or a place ``lat,lon`` for weather)."""
        ...

    def fetch(self, ask: Ask) -> Fetched:
        """Figures of the slots asked for, as far as they are published.

        Each series has ``issued_at`` = ``ask.now``, stops where the source's figures stop, holds gaps as MISSING, and
        covers no slot outside ``[ask.start, ask.end)``. Where ``ask.end`` is beyond the present, an answer whose newest
        figure is older than the source ever is, is :class:`core.errors.FeedInvalid` (last week's dates are no answer).
        Raises :class:`core.errors.FeedUnreachable` or :class:`core.errors.FeedInvalid`; never makes up a figure.
        """
        ...


class FetchStore(Protocol):
    """Where answers are kept; :class:`store.vintages.VintageRepository` is one."""

    def add(self, fetch: Fetch, /) -> str:
        """Keep a fetch, failed ones too; its ``fetch_id``. The same fetch again changes nothing."""
        ...

    def get(self, fetch_id: str, /) -> Fetch:
        """A fetch with its bytes; :class:`core.errors.NotFound`."""
        ...

    def latest(self, feed: str, zone: str, /) -> Fetch | None:
        """The last answer with figures, its bytes left out; None where there is none."""
        ...

    def vintages(
        self, feed: str, zone: str, quantity: Quantity, since: datetime, until: datetime, /
    ) -> Sequence[Vintage]:
        """Series fetched in ``[since, until]``, oldest first."""
        ...

    def history(
        self,
        zone: str,
        quantity: Quantity,
        start: datetime,
        slots: int,
        feeds: Collection[str] | None = None,
        /,
    ) -> Series:
        """The firmest figures ever stored for ``slots`` slots from ``start``, of ``feeds`` or any; else MISSING."""
        ...


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How one feed stands for one zone and quantity.

    :param last_good: when it last gave figures; None if never.
    :param age_s: seconds since then.
    :param known_until: end of the figures it gave.
    :param error: why the last attempt failed, with the remedy; None if it did not.
    :param next_try: when it will be asked next; None where nothing is asked.
    :param fetch_id: the last good answer, whose bytes are stored; None where nothing is stored.
    :param findings: what is to be noted about the figures in use.
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
    fetch_id: str | None = None
    findings: tuple[Finding, ...] = ()
