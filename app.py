"""Slackwater: the composition root and the command line.

Builds every part, passes it what it needs, and hands the result to a command. The only file that knows all.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger
from pydantic import ValidationError

from commands.arguments import build_parser
from core.clock import Clock, ScaledClock, SystemClock
from core.errors import SlackwaterError
from core.settings import Settings
from core.slots import slot_floor

if TYPE_CHECKING:
    from agents.solver import Solver
    from agents.tick import Parties, Terms
    from audit.log import AuditLog
    from commands.house import House
    from core.site import Site
    from store.repositories import Repositories

VERSION = "0.1.0"


def clock_of(settings: Settings) -> Clock:
    """The machine's clock, or for simulated and replayed signals one that starts and runs as the settings say."""
    system = SystemClock()
    if settings.replay_folder is not None:
        from agents.energy.recorded import recorded_span

        start = settings.clock_start or recorded_span(settings.replay_folder)[0]
        return ScaledClock(start, settings.clock_speed, settings.clock_epoch)
    if settings.clock_speed == 1 and settings.clock_start is None:
        return system
    return ScaledClock(settings.clock_start or slot_floor(system.now()), settings.clock_speed, settings.clock_epoch)


def compose(settings: Settings, clock: Clock, solver: Solver, sites: tuple[Site, ...]) -> House:
    """Build every part for ``settings``; the database is migrated, nothing is started.

    ``sites`` are added to the store where it does not have them yet.
    """
    from agents.advisor.build import build_advisor
    from agents.loop import NegotiationLoop
    from agents.site.dispatch import Dispatcher
    from audit.build import git_sha
    from audit.log import AuditLog
    from audit.publishing import Publisher
    from audit.record import Build
    from beckn.build import Parts, build_trade
    from beckn.desk import FlexibilityDesk
    from commands.house import House
    from commands.keeping import keeping_of
    from store.lease import LeaderLease
    from store.repositories import Repositories

    data = settings.data_dir
    data.mkdir(parents=True, exist_ok=True)
    store = Repositories.at(settings.resolved_database_url)
    store.sites.seed(sites)
    build = Build(VERSION, git_sha(Path(__file__).parent), settings.config_sha256)
    log = AuditLog.open(data / "decisions.jsonl", clock=clock, build=build, keeping=keeping_of(settings))
    parties = _parties(settings, clock, store, log, solver)
    dispatcher = Dispatcher(clock, store.jobs, store.ledger, log, parties.sites, data / "jobs", settings.seed)
    lease = LeaderLease(store.database, "loop")
    loop = NegotiationLoop(parties, _terms(settings), dispatcher, lease, settings.tick_seconds)
    desk = FlexibilityDesk(
        clock, loop, parties.sites, store.bookings, store.reductions, log, lambda: loop.request_tick("booking")
    )
    return House(
        settings=settings,
        clock=clock,
        database=store.database,
        energy=parties.energy,
        sites=parties.sites,
        jobs=parties.jobs,
        ledger=store.ledger,
        ticks=store.ticks,
        bookings=store.bookings,
        vintages=store.vintages,
        scores=store.scores,
        log=log,
        publisher=Publisher.start(
            log,
            witness_url=settings.witness_url,
            witness_key=settings.witness_key,
            timestamp_url=settings.timestamp_url,
            timestamp_ca=settings.timestamp_ca,
        ),
        solver=solver,
        dispatcher=dispatcher,
        loop=loop,
        desk=desk,
        advisor=build_advisor(settings),
        trade=build_trade(Parts(settings, clock, store, log, parties.sites, parties.energy, loop)),
        store=store,
    )


def _parties(settings: Settings, clock: Clock, store: Repositories, log: AuditLog, solver: Solver) -> Parties:
    """The agents, and what they share: those who meet at a tick."""
    from agents.energy.build import build_energy, enabled_zones
    from agents.energy.zones import ZONES
    from agents.job.agent import JobAgent
    from agents.job.arrivals import ArrivalForecaster
    from agents.settlement.agent import Settlement
    from agents.settlement.metered import Metered
    from agents.settlement.register import read_register
    from agents.site.agent import SiteAgent
    from agents.tick import Parties

    read_register(settings.settlement_file)
    zones = tuple(dict.fromkeys(site.zone for site in store.sites.all()))
    enabled = enabled_zones(settings, tuple(ZONES))
    sites = SiteAgent(clock, store.sites, settings.seed, enabled, settings.retrain_hours)
    energy = build_energy(settings, clock, store.vintages, store.scores, zones)
    return Parties(
        clock=clock,
        energy=energy,
        sites=sites,
        jobs=JobAgent(clock=clock, jobs=store.jobs, sites=store.sites, commands_enabled=settings.commands_enabled),
        arrivals=ArrivalForecaster(store.jobs),
        ledger=store.ledger,
        bookings=store.bookings,
        reductions=store.reductions,
        ticks=store.ticks,
        vintages=store.vintages,
        scores=store.scores,
        settlement=Settlement(Metered(sites, store.readings, store.ledger), energy, log, settings.settlement_file),
        log=log,
        solver=solver,
    )


def _terms(settings: Settings) -> Terms:
    """What the operator has set for every tick."""
    from agents.negotiation import Effort
    from agents.tick import Terms
    from core.instance import Risk

    return Terms(
        carbon_price_gbp_per_tonne=settings.carbon_price_gbp_per_tonne,
        seed=settings.seed,
        effort=Effort(time_limit_s=settings.solve_seconds),
        instances=settings.data_dir / "instances",
        keep_answers_days=settings.keep_answers_days,
        reserve_for_spikes=settings.reserve_for_spikes,
        move_cost_gbp=settings.move_cost_gbp,
        risk=Risk(level=settings.risk_level, weight=settings.risk_weight) if settings.risk_weight > 0 else None,
        scenarios=settings.risk_scenarios,
        tenant_weights=dict(settings.tenant_weights),
        usage_half_life_h=settings.usage_half_life_hours,
    )


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: PLR0911 - one for each command
    """Run the command, importing only what it needs; the exit status."""
    match arguments.command:
        case "serve":
            from commands.serve import serve

            return serve(settings, clock_of, compose, VERSION)
        case "plan":
            from commands.plan import plan

            return plan(arguments)
        case "replay":
            from commands.replay import replay

            return replay(arguments, compose)
        case "token":
            from commands.token import make

            return make(arguments, settings)
        case "audit":
            return _audit(arguments, settings)
        case "signals":
            from commands.signals import ACTIONS

            return ACTIONS[arguments.action](arguments, settings, clock_of(settings))
        case "beckn":
            from commands import beckn

            return beckn.ACTIONS[arguments.action](arguments, settings, clock_of(settings))
        case _:
            from commands import client

            return client.COMMANDS[arguments.command](arguments, settings)


def _audit(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check the log, or derive again what it tells."""
    if arguments.action == "replay":
        from commands.replaying import replay_log

        return replay_log(arguments, settings, clock_of(settings))
    from commands import audit

    return audit.ACTIONS[arguments.action](arguments, settings)


class _ToLoguru(logging.Handler):
    """Passes what libraries log on to loguru, so that there is one log."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(record.levelname, "{}: {}", record.name, record.getMessage())


def log_to_stderr(level: str) -> None:
    """One log on standard error; tracebacks never show values, which might be secret."""
    logger.remove()
    logger.add(sys.stderr, level=level, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=level, force=True)
    for name in ("apscheduler", "urllib3"):  # a long tick and a retry are no news; what comes of them is logged here
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("alembic", "gunicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, read the settings, run; errors come out as one line that says what to do."""
    arguments = build_parser(VERSION).parse_args(argv)
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = ".".join(str(part) for part in fault["loc"]).upper() or "settings"
            print(f"{name}: {fault['msg']}. docs/settings.md describes every setting.", file=sys.stderr)
        return 2
    log_to_stderr(settings.log_level)
    try:
        return run(arguments, settings)
    except SlackwaterError as error:
        print(error.diagnostics(), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
