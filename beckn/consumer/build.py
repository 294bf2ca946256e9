"""Builds the consumer's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from beckn.consumer.alerts import GridAlerts
from beckn.consumer.answers import AnswerTerms, NeedAnswers
from beckn.consumer.callbacks import Callbacks
from beckn.consumer.legs import Tools, Waits
from beckn.consumer.needs import Nearby
from beckn.consumer.procurement import Procurement
from beckn.consumer.service import Consumer, Directory
from beckn.identity import SellingTerms
from beckn.planner import FlexiblePlanner
from core.settings import Settings
from core.site import Site
from store.reductions import ReductionRepository

NEARBY_KM = 50.0
"""how far a need's point may be from a site that serves it, outside its grid zone"""


@dataclass(frozen=True, slots=True)
class Buying:
    """The consumer's side: what others ask of it, and what works off the answers of peers."""

    consumer: Consumer
    callbacks: Callbacks


def waits_of(settings: Settings) -> Waits:
    """How long answers are waited for: real time, told in that of the clock."""
    usual = Waits()
    speed = settings.clock_speed
    return Waits(usual.discover * speed, usual.answer * speed, usual.cancel * speed)


def build_buying(
    settings: Settings,
    terms: SellingTerms,
    tools: Tools,
    planner: FlexiblePlanner,
    reductions: ReductionRepository,
    sites: tuple[Site, ...],
    address: Callable[[str], str],
    alerts: GridAlerts,
) -> Buying:
    """The consumer's side; ``address`` is where a subscriber is reached, by the registry."""
    places = {site.site_id: (site.longitude, site.latitude, site.zone) for site in sites}
    hold: timedelta = terms.hold
    answer_terms = AnswerTerms(terms.margin, hold, Nearby(places, NEARBY_KM), sorted)
    answers = NeedAnswers(tools, planner, reductions, answer_terms)
    procurement = Procurement(tools)
    callbacks = Callbacks(tools, procurement, answers, address, alerts)
    directory = Directory(address, settings.beckn_discovery_url)
    consumer = Consumer(tools, procurement, answers, directory, settings.carbon_price_gbp_per_tonne)
    return Buying(consumer, callbacks)
