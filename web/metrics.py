"""What Prometheus may know: requests as they pass, everything else read when it is asked for."""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from flask import Flask, Response, g, request
from loguru import logger
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.errors import SlackwaterError
from core.job import JobStatus
from core.series import Kind
from core.trade import ContractState, Side
from web.dues import Owing
from web.services import Services

if TYPE_CHECKING:
    from core.ledger import TickRecord

_LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TICKS_BETWEEN_SCRAPES = 200
_BREAKER = ("closed", "half_open", "open")


class Metrics:
    """One registry of one application, so that several may live in one process."""

    def __init__(self, services: Services) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_State(services))
        self._requests = Counter(
            "slackwater_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._latency = Histogram(
            "slackwater_http_request_seconds",
            "Time to answer a request",
            ["method", "route"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )

    def watch(self, app: Flask) -> None:
        """Count and time every request to ``app``."""
        app.before_request(self._start)
        app.after_request(self._stop)

    def exposition(self) -> Response:
        """All metrics in the Prometheus text format."""
        return Response(generate_latest(self.registry), content_type=CONTENT_TYPE_LATEST)

    def _start(self) -> None:
        g.started = time.perf_counter()

    def _stop(self, response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "unknown"
        self._requests.labels(request.method, route, str(response.status_code)).inc()
        self._latency.labels(request.method, route).observe(time.perf_counter() - g.started)
        return response


class _State(Collector):
    """The state of the house at the moment of the scrape; a part that fails is left out and logged."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._owing = Owing(services.contracts)
        self._lock = threading.Lock()
        self._seen: frozenset[str] = frozenset()
        self._ticks: Tally[str] = Tally()

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        parts = (
            self._build,
            self._jobs,
            self._loop,
            self._inputs,
            self._feeds,
            self._hosts,
            self._forecasts,
            self._log,
            self._contracts,
            self._outbox,
        )
        for part in parts:
            try:
                yield from part()
            except SlackwaterError as error:
                logger.warning("metrics leave out {}: {}", part.__name__.strip("_"), error)

    def _build(self) -> Iterator[Metric]:
        yield _gauge("slackwater_build_info", "Version of Slackwater", ["version"], {(self._services.version,): 1})

    def _jobs(self) -> Iterator[Metric]:
        found = self._services.jobs.counts()
        counts = {(status.value,): found.get(status, 0) for status in JobStatus}
        yield _gauge("slackwater_jobs", "Jobs by status", ["status"], counts)

    def _loop(self) -> Iterator[Metric]:
        latest = self._services.ticks.latest(limit=_TICKS_BETWEEN_SCRAPES)
        ticks = CounterMetricFamily("slackwater_ticks", "Ticks of the negotiation by outcome", labels=["outcome"])
        for outcome, count in sorted(self._count(latest).items()):
            ticks.add_metric([outcome], count)
        yield ticks
        errors = self._services.loop.status().dispatch_errors
        yield CounterMetricFamily("slackwater_dispatch_errors", "Acts of the dispatcher that failed", errors)
        planned = next((tick for tick in latest if tick.gap is not None), None)
        if planned is not None and planned.gap is not None:
            yield GaugeMetricFamily("slackwater_plan_gap_ratio", "Certified gap of the last plan", planned.gap)
            yield GaugeMetricFamily("slackwater_solve_seconds", "Time the last plan took to make", planned.wall_s)

    def _count(self, latest: list[TickRecord]) -> Tally[str]:
        """Ticks by outcome since the start, and those found in the store then."""
        with self._lock:
            self._ticks.update(tick.outcome for tick in latest if tick.tick_id not in self._seen)
            self._seen = frozenset(tick.tick_id for tick in latest)
            return Tally(self._ticks)

    def _feeds(self) -> Iterator[Metric]:
        feeds, now = self._services.energy.status(), self._services.clock.now()
        labels = ["feed", "zone", "quantity"]
        keyed = {(feed.feed, feed.zone, feed.quantity): feed for feed in feeds}
        up = {key: float(feed.state == "live") for key, feed in keyed.items()}
        ages = {key: feed.age_s for key, feed in keyed.items() if feed.age_s is not None}
        ahead = {
            key: (feed.known_until - now).total_seconds() for key, feed in keyed.items() if feed.known_until is not None
        }
        failing = {key: float(feed.error is not None) for key, feed in keyed.items()}
        found = Tally((*key, str(finding.flag)) for key, feed in keyed.items() for finding in feed.findings)
        yield _gauge("slackwater_feed_up", "1 when the feed's own, fresh figures are in use", labels, up)
        yield _gauge("slackwater_feed_age_seconds", "Age of the last good answer of a feed", labels, ages)
        yield _gauge("slackwater_feed_known_ahead_seconds", "How far ahead a feed's figures reach", labels, ahead)
        yield _gauge("slackwater_feed_failing", "1 when the last attempt to ask a feed failed", labels, failing)
        yield _gauge("slackwater_feed_findings", "What is noted about a feed's figures", [*labels, "flag"], found)

    def _hosts(self) -> Iterator[Metric]:
        hosts = self._services.energy.hosts()
        requests = CounterMetricFamily("slackwater_host_requests", "Attempts to ask a host", labels=["host"])
        received = CounterMetricFamily("slackwater_host_received_bytes", "Bodies as sent by a host", labels=["host"])
        for host in hosts:
            requests.add_metric([host.host], host.requests)
            received.add_metric([host.host], host.bytes)
        yield requests
        yield received
        failures = {(host.host,): host.failures for host in hosts}
        breaker = {(host.host, state): float(host.state == state) for host in hosts for state in _BREAKER}
        skew = {(host.host,): host.skew_s for host in hosts if host.skew_s is not None}
        yield _gauge("slackwater_host_failures", "Requests in a row without an answer", ["host"], failures)
        yield _gauge("slackwater_host_breaker", "1 for the state of its circuit breaker", ["host", "state"], breaker)
        yield _gauge("slackwater_host_clock_skew_seconds", "How far its clock was ahead", ["host"], skew)

    def _forecasts(self) -> Iterator[Metric]:
        scores = self._services.scores.latest()
        labels = ["model", "zone", "quantity", "day"]
        keyed = {(s.model, s.zone, s.quantity, str(s.day_ahead)): s for s in scores}
        mae = {key: score.mae for key, score in keyed.items()}
        coverage = {key: score.coverage for key, score in keyed.items()}
        text = "Mean absolute error out of sample, in the unit of the quantity"
        yield _gauge("slackwater_forecast_mae", text, labels, mae)
        yield _gauge("slackwater_forecast_coverage_ratio", "Share of outturns within the interval", labels, coverage)

    def _inputs(self) -> Iterator[Metric]:
        """Of what the standing plan is made."""
        plan = self._services.loop.standing()
        counts = {
            (quantity, kind.label): float(np.count_nonzero(kinds == kind))
            for quantity, kinds in (("price", plan.price_kind), ("carbon", plan.carbon_kind))
            for kind in Kind
        }
        text = "Figures by kind that the standing plan rests on, one for each site and half-hour"
        yield _gauge("slackwater_plan_inputs", text, ["quantity", "kind"], counts)

    def _log(self) -> Iterator[Metric]:
        healthy, _ = self._services.log.healthy()
        yield GaugeMetricFamily("slackwater_log_records", "Records in the decision log", self._services.log.head()[0])
        yield GaugeMetricFamily("slackwater_log_healthy", "1 when the decision log can be written", float(healthy))

    def _contracts(self) -> Iterator[Metric]:
        found = self._services.contracts.counts()
        counts = {
            (side.value, state.value): found.get((side.value, state.value), 0)
            for side in Side
            for state in ContractState
        }
        yield _gauge("slackwater_beckn_contracts", "Contracts by who was asked", ["side", "state"], counts)
        owed = {
            ("to_us" if total.to_us else "by_us", total.basis.value, total.currency): float(total.amount)
            for total in self._owing.totals()
        }
        labels = ["direction", "basis", "currency"]
        yield _gauge("slackwater_beckn_owed", "What contracts come to, in the currency", labels, owed)

    def _outbox(self) -> Iterator[Metric]:
        owed = self._services.outbox.owed()
        counts = {(state.value,): count for state, count in owed.counts.items()}
        yield _gauge("slackwater_beckn_outbox", "Messages to peers by state", ["state"], counts)
        age = owed.seconds(self._services.clock.now())
        yield GaugeMetricFamily("slackwater_beckn_outbox_oldest_seconds", "Age of the oldest that is pending", age)


def _gauge(name: str, text: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
