"""What Prometheus may know: requests as they pass, everything else read when it is asked for."""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from loguru import logger
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.errors import SlackwaterError
from core.job import JobStatus
from web.services import Services

if TYPE_CHECKING:
    from core.ledger import TickRecord

_LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TICKS_BETWEEN_SCRAPES = 200


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
        self._lock = threading.Lock()
        self._seen: frozenset[str] = frozenset()
        self._ticks: Tally[str] = Tally()

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for part in (self._build, self._jobs, self._loop, self._feeds, self._log):
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
        feeds = self._services.energy.status()
        ages = {(f.feed, f.zone, f.quantity): f.age_s for f in feeds if f.age_s is not None}
        live = {(f.feed, f.zone, f.quantity): float(f.state == "live") for f in feeds}
        labels = ["feed", "zone", "quantity"]
        yield _gauge("slackwater_feed_age_seconds", "Age of the last good answer of a feed", labels, ages)
        yield _gauge("slackwater_feed_live", "1 when the feed's own, fresh figures are in use", labels, live)

    def _log(self) -> Iterator[Metric]:
        healthy, _ = self._services.log.healthy()
        yield GaugeMetricFamily("slackwater_log_records", "Records in the decision log", self._services.log.head()[0])
        yield GaugeMetricFamily("slackwater_log_healthy", "1 when the decision log can be written", float(healthy))


def _gauge(name: str, text: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
