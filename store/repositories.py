"""Everything that is stored, in one database."""

from __future__ import annotations

from dataclasses import dataclass

from store.bookings import BookingRepository
from store.contracts import ContractRepository
from store.database import Database
from store.jobs import JobRepository
from store.ledger import LedgerRepository
from store.messages import MessageRepository
from store.outbox import OutboxRepository
from store.purchases import PurchaseRepository
from store.readings import ReadingRepository
from store.reductions import ReductionRepository
from store.scores import ScoreRepository
from store.sites import SiteRepository
from store.ticks import TickRepository
from store.trading import Trading
from store.vintages import VintageRepository


@dataclass(frozen=True, slots=True)
class Repositories:
    """A database and what it holds."""

    database: Database
    sites: SiteRepository
    jobs: JobRepository
    ledger: LedgerRepository
    readings: ReadingRepository
    ticks: TickRepository
    bookings: BookingRepository
    reductions: ReductionRepository
    contracts: ContractRepository
    messages: MessageRepository
    purchases: PurchaseRepository
    trading: Trading
    outbox: OutboxRepository
    vintages: VintageRepository
    scores: ScoreRepository

    @classmethod
    def at(cls, url: str) -> Repositories:
        """Those of the database at ``url``, brought up to date."""
        database = Database(url)
        database.migrate()
        return cls(
            database=database,
            sites=SiteRepository(database),
            jobs=JobRepository(database),
            ledger=LedgerRepository(database),
            readings=ReadingRepository(database),
            ticks=TickRepository(database),
            bookings=BookingRepository(database),
            reductions=ReductionRepository(database),
            contracts=ContractRepository(database),
            messages=MessageRepository(database),
            purchases=PurchaseRepository(database),
            trading=Trading(database),
            outbox=OutboxRepository(database),
            vintages=VintageRepository(database),
            scores=ScoreRepository(database),
        )
