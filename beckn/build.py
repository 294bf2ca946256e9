"""Builds the trade from the settings and the parts of the house."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from agents.energy.agent import EnergyAgent
from agents.energy.transport.wire import trusting
from agents.flexibility.actuals import Actuals
from agents.site.agent import SiteAgent
from agents.sold import Sold
from audit.log import AuditLog
from beckn.consumer.alerts import GridAlerts
from beckn.consumer.build import Buying, build_buying, waits_of
from beckn.consumer.callbacks import Callbacks
from beckn.consumer.legs import Tools
from beckn.correspondence import Correspondence
from beckn.identity import Identity, Manner, SellingTerms, identity_of, manner_of, terms_of
from beckn.keys import FILE, KeyRing
from beckn.outbox import Deliverer
from beckn.planner import FlexiblePlanner
from beckn.precedence import Arrivals, Deference
from beckn.provider.alerts import Alerted, Alerts
from beckn.provider.counter import Counter
from beckn.provider.display import Display
from beckn.provider.paper import Paper
from beckn.provider.provider import Provider
from beckn.provider.records import Records
from beckn.provider.settling import Ledgers, Settling
from beckn.provider.stock import Stock
from beckn.publishing import Publishing
from beckn.rates import RateLimit
from beckn.reception import Books, Limits, Reception
from beckn.retention import Upkeep
from beckn.signing import Signer
from beckn.trade import Trade, Witness, Workshop, dispatcher
from beckn.transport import Transport
from beckn.trust.addresses import Addresses, guarded_session
from beckn.trust.guard import Guard
from beckn.trust.registry import Registry
from beckn.trust.verification import Verifier
from beckn.worker import Worker
from core.clock import Clock
from core.series import Kind
from core.settings import Settings
from core.site import Site
from core.trade import Delivery
from store.repositories import Repositories
from store.retention import Retention


class Loop(FlexiblePlanner, Alerted, Protocol):
    """The negotiation loop, as the trade sees it."""

    def request_tick(self, trigger: str) -> None: ...

    @property
    def leading(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the house lends to the trade."""

    settings: Settings
    clock: Clock
    store: Repositories
    log: AuditLog
    sites: SiteAgent
    energy: EnergyAgent
    loop: Loop


def build_trade(parts: Parts) -> Trade | None:
    """The trade; None where this server is in no network. Nothing is started."""
    own = identity_of(parts.settings)
    return None if own is None else _Builder(parts, own).trade()


class _Builder:
    """Joins the trade's parts."""

    def __init__(self, parts: Parts, own: Identity) -> None:
        self._parts, self._own = parts, own
        settings, clock = parts.settings, parts.clock
        self._terms: SellingTerms = terms_of(settings)
        self._keys = KeyRing(settings.data_dir / FILE)
        trusted = trusting(str(settings.ca_bundle)) if settings.ca_bundle is not None else None
        addresses = Addresses(settings.beckn_private_addresses)
        self._registry = Registry(
            settings.beckn_registry_url,
            settings.beckn_registry_seconds,
            clock,
            time.monotonic,
            settings.beckn_network_id,
            trusted,
        )
        verifier = Verifier(self._registry, clock, settings.beckn_network_id)
        self._guard = Guard(verifier, addresses, settings.beckn_context_hosts, own.url)
        self._session = guarded_session(addresses, time.monotonic, trusted)
        self._correspondence = Correspondence(own, clock, self._terms.delivery)
        self._records = Records(parts.log, self._terms.currency)
        sold = Sold(parts.store.bookings, parts.store.reductions)
        self._stock = Stock(parts.loop, parts.sites, sold, clock, self._terms)
        self._display = Display(self._stock, own, clock)
        self._paper = Paper(own, self._terms.notice, self._terms.currency)

    def trade(self) -> Trade:
        """All of it."""
        parts, store, buying = self._parts, self._parts.store, self._buying()
        deliverer, arrivals = self._deliverer(buying.callbacks), Arrivals()
        provider = Provider(self._counter(), on_owed=deliverer.wake, on_traded=self._traded)
        worker = Worker(
            store.messages,
            dispatcher(provider.work, buying.callbacks.work),
            dispatcher(provider.give_up, buying.callbacks.give_up),
            Deference(arrivals),
        )
        workshop = Workshop(
            worker=worker,
            deliverer=deliverer,
            provider=provider,
            settling=self._settling(),
            publishing=self._publishing(),
            trading=store.trading,
            clock=parts.clock,
            leading=lambda: parts.loop.leading,
            consumer_tick=buying.consumer.tick,
            upkeep=Upkeep(Retention(store.database), parts.clock, parts.settings.beckn_retention_days),
        )
        reception, reception_2025 = self._receptions(worker, arrivals)
        return Trade(self._own, reception, self._display, workshop, buying.consumer, reception_2025)

    def _traded(self) -> None:
        """What is for sale has changed, and the plan has to be made anew."""
        self._display.look()
        self._parts.loop.request_tick("booking")

    def _deliverer(self, callbacks: Callbacks) -> Deliverer:
        """Sends what is owed; what it gives up is on the log, and our purchases know."""
        parts = self._parts
        witness = Witness(parts.log, parts.store.messages)
        transport = Transport(self._session, self._signer, self._guard.check_answer, parts.clock, witness.signed)

        def dead(delivery: Delivery) -> None:
            witness.dead(delivery)
            callbacks.undelivered(delivery.message_id, delivery.action, delivery.reason or "")

        return Deliverer(parts.store.outbox, transport, parts.clock, on_dead=dead, on_acknowledged=witness.delivered)

    def _receptions(self, worker: Worker, arrivals: Arrivals) -> tuple[Reception, Reception | None]:
        """What takes messages in, and those of the dialect of 2025 where it is served; both within the same limits."""
        settings, store = self._parts.settings, self._parts.store
        books = Books(store.messages, store.contracts, self._parts.log)
        most = settings.beckn_requests_per_second
        limits = Limits(RateLimit(most), RateLimit(most), arrivals)

        def reception(manner: Manner) -> Reception:
            clock = self._parts.clock
            return Reception(self._own, manner, self._guard, self._signer, books, clock, limits, worker.offer)

        manner = manner_of(settings)
        old = replace(manner, ack_body="nested", dialect="2025") if settings.beckn_dialect_2025 else None
        return reception(manner), None if old is None else reception(old)

    def _buying(self) -> Buying:
        parts, store = self._parts, self._parts.store
        tools = Tools(
            store.trading,
            store.contracts,
            store.messages,
            store.purchases,
            parts.log,
            self._correspondence,
            parts.clock,
            waits_of(parts.settings),
        )
        sites = parts.sites.sites()
        alerts = GridAlerts(tools, parts.loop, Sold(store.bookings, store.reductions))
        address = self._registry.address
        return build_buying(parts.settings, self._terms, tools, parts.loop, store.reductions, sites, address, alerts)

    def _signer(self) -> Signer:
        settings = self._parts.settings
        return self._keys.signer(
            self._own.subscriber_id,
            settings.beckn_digest_label,
            settings.beckn_key_id,
            settings.beckn_network_id,
        )

    def _counter(self) -> Counter:
        parts = self._parts

        def lock() -> AbstractContextManager[bool]:
            return parts.loop.plan_lock

        return Counter(
            stock=self._stock,
            paper=self._paper,
            contracts=parts.store.contracts,
            trading=parts.store.trading,
            correspondence=self._correspondence,
            records=self._records,
            clock=parts.clock,
            terms=self._terms,
            plan_lock=lock,
            catalogues=self._display.catalogues,
            sites=self._sites,
            alerts=Alerts(parts.loop, self._stock.planned_kw),
        )

    def _settling(self) -> Settling:
        parts = self._parts
        ledgers = Ledgers(
            contracts=parts.store.contracts,
            bookings=parts.store.bookings,
            trading=parts.store.trading,
            meters=Actuals(parts.clock, parts.store.ledger, parts.store.reductions, parts.sites),
            carbon=self._carbon,
            sites=self._sites,
        )
        return Settling(ledgers, self._paper, self._records, self._correspondence, parts.clock, self._terms.currency)

    def _publishing(self) -> Publishing | None:
        url = self._parts.settings.beckn_discovery_url
        if url is None:
            return None
        return Publishing(self._own, url, self._correspondence, self._parts.store.trading, self._parts.clock)

    def _sites(self) -> Mapping[str, Site]:
        return {site.site_id: site for site in self._parts.sites.sites()}

    def _carbon(self, site_id: str, start: datetime, slots: int) -> Sequence[tuple[float, Kind]]:
        zone = self._parts.sites.get(site_id).zone
        series = self._parts.energy.quote((zone,), start, slots).carbon[zone]
        return [(float(value), Kind(int(kind))) for value, kind in zip(series.values, series.kinds, strict=True)]
