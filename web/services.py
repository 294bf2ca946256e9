"""What the web needs of the rest of the house, handed over once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

if TYPE_CHECKING:
    from agents.advisor.agent import Advisor
    from agents.energy.agent import EnergyAgent
    from agents.job.agent import JobAgent
    from agents.loop import NegotiationLoop
    from agents.site.agent import SiteAgent
    from agents.site.dispatch import Dispatcher
    from audit.log import AuditLog
    from beckn.desk import FlexibilityDesk
    from core.clock import Clock
    from core.settings import Settings
    from store.bookings import BookingRepository
    from store.contracts import ContractRepository
    from store.database import Database
    from store.ledger import LedgerRepository
    from store.messages import MessageRepository
    from store.outbox import OutboxRepository
    from store.scores import ScoreRepository
    from store.ticks import TickRepository
    from store.vintages import VintageRepository
    from web.pages.trade import Trade

_KEY = "slackwater"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may ask; nothing in ``web`` builds any of it.

    :param trade: None where this server is in no Beckn network.
    """

    settings: Settings
    clock: Clock
    jobs: JobAgent
    sites: SiteAgent
    energy: EnergyAgent
    loop: NegotiationLoop
    dispatcher: Dispatcher
    ledger: LedgerRepository
    ticks: TickRepository
    bookings: BookingRepository
    log: AuditLog
    desk: FlexibilityDesk
    advisor: Advisor
    database: Database
    version: str
    vintages: VintageRepository
    scores: ScoreRepository
    contracts: ContractRepository
    messages: MessageRepository
    outbox: OutboxRepository
    trade: Trade | None


def install(app: Flask, services: Services) -> None:
    """Make ``services`` the ones that :func:`services_of_request` answers for requests to ``app``."""
    app.extensions[_KEY] = services


def services_of_request() -> Services:
    """The services of the application that is handling the present request."""
    return cast(Services, current_app.extensions[_KEY])
