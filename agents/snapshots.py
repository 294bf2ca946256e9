"""Feed snapshots: the digests of the answers that a round rests on, recorded before the round itself."""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger

from agents.messages import EnergyQuote
from audit.bodies.feeds import AnswerBody, FeedSeriesBody, FeedSnapshotBody
from audit.record import Record, Ref
from core.errors import NotFound
from core.slots import format_utc
from core.vintage import Fetch
from store.vintages import VintageRepository


class Snapshots:
    """Knows which answers are on the log since the start; after a restart those in use are recorded once more."""

    def __init__(self, vintages: VintageRepository) -> None:
        self._vintages = vintages
        self._recorded: dict[str, Ref] = {}

    def of(self, energy: EnergyQuote) -> list[FeedSnapshotBody]:
        """Of the answers that ``energy`` was quoted from, those not on the log yet."""
        new = (fetch_id for fetch_id in _used(energy) if fetch_id not in self._recorded)
        return [body for fetch_id in new if (body := self._described(fetch_id)) is not None]

    def refs(self, energy: EnergyQuote) -> list[Ref]:
        """The records of the answers that ``energy`` was quoted from, of those on the log."""
        return [self._recorded[fetch_id] for fetch_id in _used(energy) if fetch_id in self._recorded]

    def recorded(self, bodies: Sequence[FeedSnapshotBody], records: Sequence[Record]) -> None:
        """These are on the log now, as the first of ``records``."""
        self._recorded.update({body.fetch_id: record.ref for body, record in zip(bodies, records, strict=False)})

    def _described(self, fetch_id: str) -> FeedSnapshotBody | None:
        """What the store knows of an answer without opening its bodies: a damaged one must not stop the plan."""
        try:
            return _body(*self._vintages.described(fetch_id))
        except NotFound as error:
            logger.error("a plan rests on an answer that is no longer stored: {}", error)
            return None


def _used(energy: EnergyQuote) -> list[str]:
    """The stored answers that a quote rests on, in order."""
    used = {origin.fetch_id for origins in energy.origins.values() for origin in origins}
    return sorted(fetch_id for fetch_id in used if fetch_id is not None)


def _body(fetch: Fetch, sizes: Sequence[int]) -> FeedSnapshotBody:
    return FeedSnapshotBody(
        fetch_id=fetch.fetch_id,
        feed=fetch.feed,
        zone=fetch.zone,
        fetched_at=format_utc(fetch.fetched_at),
        answers=[
            AnswerBody(url=answer.url, sha256=answer.sha256, raw_bytes=size)
            for answer, size in zip(fetch.answers, sizes, strict=True)
        ],
        series=[
            FeedSeriesBody(
                quantity=quantity,
                valid_from=format_utc(series.start),
                valid_to=format_utc(series.end),
                kinds=[kind.label for kind in series.kinds_used()],
                unit=series.unit.value,
            )
            for quantity, series in fetch.series.items()
        ],
    )
