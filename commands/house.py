"""The composed system, as commands use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.advisor.agent import Advisor
from agents.energy.agent import EnergyAgent
from agents.job.agent import JobAgent
from agents.loop import NegotiationLoop
from agents.site.agent import SiteAgent
from agents.site.dispatch import Dispatcher
from agents.solver import Solver
from audit.log import AuditLog
from audit.publishing import Publisher
from beckn.desk import FlexibilityDesk
from beckn.trade import Trade
from core.clock import Clock
from core.settings import Settings
from core.site import Site
from store.bookings import BookingRepository
from store.contracts import ContractRepository
from store.database import Database
from store.ledger import LedgerRepository
from store.messages import MessageRepository
from store.outbox import OutboxRepository
from store.repositories import Repositories
from store.scores import ScoreRepository
from store.ticks import TickRepository
from store.vintages import VintageRepository


@dataclass(frozen=True, slots=True)
class House:
    """Every part, built and joined, not started."""

    settings: Settings
    clock: Clock
    database: Database
    energy: EnergyAgent
    sites: SiteAgent
    jobs: JobAgent
    ledger: LedgerRepository
    ticks: TickRepository
    bookings: BookingRepository
    vintages: VintageRepository
    scores: ScoreRepository
    log: AuditLog
    publisher: Publisher | None
    solver: Solver
    dispatcher: Dispatcher
    loop: NegotiationLoop
    desk: FlexibilityDesk
    advisor: Advisor
    trade: Trade | None
    store: Repositories

    @property
    def contracts(self) -> ContractRepository:
        """What is traded."""
        return self.store.contracts

    @property
    def messages(self) -> MessageRepository:
        """What was said about it."""
        return self.store.messages

    @property
    def outbox(self) -> OutboxRepository:
        """What is owed."""
        return self.store.outbox

    def close(self) -> None:
        """Stop what runs and let go of files and connections."""
        if self.trade is not None:
            self.trade.stop()
        self.loop.stop()
        self.dispatcher.close()
        self.log.close()
        if self.publisher is not None:
            self.publisher.close()
        self.database.close()


Compose = Callable[[Settings, Clock, Solver, tuple[Site, ...]], House]
