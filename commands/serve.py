"""``serve``: the web server and, in its one worker, the negotiation loop."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from loguru import logger

from commands.house import Compose, House
from core.clock import Clock
from core.settings import Settings

THREADS = 64
COLLECTED_AFTER = 10_000, 10, 100
"""objects made before the youngest are looked at, and so many times before the next older ones are"""


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn publishes no types
    """Gunicorn with one gthread worker, in which everything is built: threads share the loop, the log and its lock."""

    def __init__(self, settings: Settings, build: Callable[[], tuple[Flask, House]]) -> None:
        self._settings = settings
        self._build = build
        self._house: House | None = None
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 120,
            "graceful_timeout": 10,
            "loglevel": "warning",
            "control_socket_disable": True,
            "worker_exit": lambda _server, _worker: self._close(),
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        app, self._house = self._build()
        # A full pass of the collector stops every thread. What is built here stays to the end: it need not look at that
        # again, nor so often at what lasted, since hardly anything that lasts here is let go in cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED_AFTER)
        self._house.loop.start()
        if self._house.trade is not None:
            self._house.trade.start()
        logger.info("Slackwater is at http://{}:{}", self._settings.host, self._settings.port)
        return app

    def _close(self) -> None:
        if self._house is not None:
            self._house.close()
            self._house = None


def serve(settings: Settings, clock_of: Callable[[Settings], Clock], compose: Compose, version: str) -> int:
    """Serve until stopped."""

    def build() -> tuple[Flask, House]:
        from agents.site.profiles import load_sites
        from agents.solver import ProcessSolver
        from web.application import create_app
        from web.services import Services

        solver = ProcessSolver()
        house = compose(settings, clock_of(settings), solver, load_sites(settings.sites_file))
        house.desk.recover()
        solver.warm_up()
        services = Services(
            settings=settings,
            clock=house.clock,
            jobs=house.jobs,
            sites=house.sites,
            energy=house.energy,
            loop=house.loop,
            dispatcher=house.dispatcher,
            ledger=house.ledger,
            ticks=house.ticks,
            bookings=house.bookings,
            vintages=house.vintages,
            scores=house.scores,
            log=house.log,
            desk=house.desk,
            advisor=house.advisor,
            database=house.database,
            trade=house.trade,
            contracts=house.contracts,
            messages=house.messages,
            outbox=house.outbox,
            version=version,
        )
        return create_app(services), house

    Server(settings, build).run()
    return 0
