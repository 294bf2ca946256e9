"""Slackwater: the composition root and the command line.

Builds every part, passes it what it needs, and hands the result to a command. The only file that knows all.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger
from pydantic import ValidationError

from core.clock import Clock, ScaledClock, SystemClock
from core.errors import SlackwaterError
from core.job import FlexibilityType, Tier
from core.settings import Settings
from core.slots import slot_floor

if TYPE_CHECKING:
    from agents.solver import Solver
    from commands.house import House
    from core.site import Site

VERSION = "0.1.0"


def clock_of(settings: Settings) -> Clock:
    """The machine's clock, or for simulated and replayed signals one that starts and runs as the settings say."""
    system = SystemClock()
    if settings.replay_folder is not None:
        from agents.energy.recorded import recorded_span

        return ScaledClock(settings.clock_start or recorded_span(settings.replay_folder)[0], settings.clock_speed)
    if settings.clock_speed == 1 and settings.clock_start is None:
        return system
    return ScaledClock(settings.clock_start or slot_floor(system.now()), settings.clock_speed)


def compose(settings: Settings, clock: Clock, solver: Solver, sites: tuple[Site, ...]) -> House:
    """Build every part for ``settings``; the database is migrated, nothing is started.

    ``sites`` are added to the store where it does not have them yet.
    """
    from agents.advisor.build import build_advisor
    from agents.energy.build import build_energy, enabled_zones
    from agents.energy.zones import ZONES
    from agents.job.agent import JobAgent
    from agents.job.arrivals import ArrivalForecaster
    from agents.loop import NegotiationLoop
    from agents.negotiation import Effort
    from agents.site.agent import SiteAgent
    from agents.site.dispatch import Dispatcher
    from agents.tick import Parties, Terms
    from audit.log import AuditLog
    from beckn.desk import FlexibilityDesk
    from commands.house import House
    from store.bookings import BookingRepository
    from store.database import Database
    from store.jobs import JobRepository
    from store.lease import LeaderLease
    from store.ledger import LedgerRepository
    from store.scores import ScoreRepository
    from store.sites import SiteRepository
    from store.ticks import TickRepository
    from store.vintages import VintageRepository

    data = settings.data_dir
    data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.resolved_database_url)
    database.migrate()
    site_rows, job_rows = SiteRepository(database), JobRepository(database)
    site_rows.seed(sites)
    ledger, ticks, bookings = LedgerRepository(database), TickRepository(database), BookingRepository(database)
    log = AuditLog.open(data / "decisions.jsonl", clock=clock, actor=f"slackwater/{VERSION}")
    zones = tuple(dict.fromkeys(site.zone for site in site_rows.all()))
    vintages = VintageRepository(database)
    scores = ScoreRepository(database)
    energy = build_energy(settings, clock, vintages, scores, zones)
    site_agent = SiteAgent(
        clock, site_rows, settings.seed, enabled_zones(settings, tuple(ZONES)), settings.retrain_hours
    )
    jobs = JobAgent(clock=clock, jobs=job_rows, sites=site_rows, commands_enabled=settings.commands_enabled)
    dispatcher = Dispatcher(clock, job_rows, ledger, log, site_agent, data / "jobs", settings.seed)
    parties = Parties(
        clock,
        energy,
        site_agent,
        jobs,
        ArrivalForecaster(job_rows),
        ledger,
        bookings,
        ticks,
        vintages,
        scores,
        log,
        solver,
    )
    effort = Effort(time_limit_s=settings.solve_seconds)
    terms = Terms(
        settings.carbon_price_gbp_per_tonne,
        settings.seed,
        effort,
        data / "instances",
        settings.keep_answers_days,
        settings.reserve_for_spikes,
    )
    loop = NegotiationLoop(parties, terms, dispatcher, LeaderLease(database, "loop"), settings.tick_seconds)
    desk = FlexibilityDesk(clock, loop, site_agent, bookings, log, lambda: loop.request_tick("booking"))
    return House(
        settings,
        clock,
        database,
        energy,
        site_agent,
        jobs,
        ledger,
        ticks,
        bookings,
        vintages,
        scores,
        log,
        solver,
        dispatcher,
        loop,
        desk,
        build_advisor(settings),
    )


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python app.py", description="Runs flexible compute when power is clean and cheap, and proves it."
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="run the server: web pages, API, negotiation loop")
    _add_client_commands(commands)
    _add_offline_commands(commands)
    return parser


def _add_client_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands that talk to a running server."""
    url = argparse.ArgumentParser(add_help=False)
    url.add_argument("--url", help="the server (default: http://HOST:PORT of the settings)")
    url.add_argument("--json", action="store_true", help="print JSON for a program to read")
    submit = commands.add_parser("submit", parents=[url], help="submit a job to the running server")
    submit.add_argument("name", help="what people call the job")
    submit.add_argument("--hours", type=float, required=True, help="duration at full power")
    power = submit.add_mutually_exclusive_group(required=True)
    power.add_argument("--kw", type=float, help="IT power in kW")
    power.add_argument("--gpus", type=int, help="GPU count instead of --kw")
    submit.add_argument("--deadline", required=True, help="ISO 8601 with offset, or +HOURS from now, such as +24")
    submit.add_argument("--earliest", help="ISO 8601 with offset (default: now)")
    kinds, tiers = [kind.value for kind in FlexibilityType], [tier.value for tier in Tier]
    submit.add_argument(
        "--kind", default="deferrable", choices=kinds, help="what may be done to it (default deferrable)"
    )
    submit.add_argument(
        "--tier", default="standard", choices=tiers, help="how dear it is to leave out (default standard)"
    )
    submit.add_argument("--tenant", default="default", help="whose job it is (default: default)")
    submit.add_argument("--region", action="append", default=[], help="allowed site, grid zone or country; repeatable")
    submit.add_argument("--max-price", type=float, help="GBP/kWh in any slot used")
    submit.add_argument("--max-carbon", type=float, help="gCO2/kWh in any slot used")
    submit.add_argument("--wait", action="store_true", help="follow the job until it ends")
    submit.add_argument("--dry-run", action="store_true", help="only say what it would cost now and at best")
    submit.add_argument("run", nargs="*", metavar="-- COMMAND", help="argument vector to run at the slot")
    jobs = commands.add_parser("jobs", parents=[url], help="list jobs, or show or cancel one")
    jobs.add_argument("job_id", nargs="?", help="show this job")
    jobs.add_argument("--status", help="only jobs in this state")
    jobs.add_argument("--cancel", action="store_true", help="cancel the job named")
    commands.add_parser("tick", parents=[url], help="negotiate now, on the running server")


def _natural(text: str) -> int:
    """An argument that counts, from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _positive(text: str) -> float:
    """An argument that measures, above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _add_offline_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands that need no server."""
    plan = commands.add_parser("plan", help="plan an instance file")
    plan.add_argument("instance", type=Path, help=".json or .json.gz")
    plan.add_argument("--out", type=Path, help="write the plan here (default: standard output)")
    plan.add_argument("--time-limit", type=_positive, default=10.0, metavar="S", help="seconds (default 10)")
    plan.add_argument(
        "--seed", type=_natural, default=0, help="of the search (default 0); the same gives the same plan"
    )
    replay = commands.add_parser("replay", help="run the whole system over recorded figures and a job trace")
    replay.add_argument("--data", type=Path, required=True, help="folder of recorded figures")
    replay.add_argument("--from", dest="start", required=True, help="first day, such as 2023-03-01")
    replay.add_argument("--days", type=_natural, default=14, help="days on which jobs arrive (default 14)")
    replay.add_argument("--jobs", required=True, help="trace: arrival_time s, length s, cpus; in --data or a path")
    replay.add_argument("--kw-per-cpu", type=_positive, default=20.0, help="IT kW of one cpu of the trace (default 20)")
    replay.add_argument(
        "--slack-hours", type=_positive, default=24.0, help="deadline after arrival and length (default 24)"
    )
    replay.add_argument("--seed", type=_natural, default=20230301, help="of kinds, tiers and forecast errors")
    replay.add_argument("--keep", type=Path, help="keep database and decision log in this new folder")
    replay.add_argument("--json", action="store_true", help="print JSON for a program to read")
    audit = commands.add_parser("audit", help="check the decision log")
    verify = audit.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser(
        "verify", help="check every line offline; names the first bad one"
    )
    verify.add_argument("log", type=Path, nargs="?", help="default: DATA_DIR/decisions.jsonl")
    verify.add_argument("--json", action="store_true", help="print JSON for a program to read")
    _add_signals(commands)


def _add_signals(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands about price, carbon and the other figures of the world."""
    json_too = argparse.ArgumentParser(add_help=False)
    json_too.add_argument("--json", action="store_true", help="print JSON for a program to read")
    zone = argparse.ArgumentParser(add_help=False)
    zone.add_argument("zone", help="grid zone, such as GB-C")
    signals = commands.add_parser("signals", help="test the feeds, fill in the past, show figures, read bytes again")
    actions = signals.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("check", parents=[json_too], help="ask every feed once and say what it answered")
    backfill = actions.add_parser("backfill", parents=[zone, json_too], help="ask the feeds of a zone for the past")
    backfill.add_argument("--from", dest="start", required=True, help="first day, such as 2023-01-01")
    backfill.add_argument("--to", dest="end", help="day after the last (default: now)")
    backfill.add_argument("--feed", action="append", default=[], help="only this feed; repeatable (default: all)")
    show = actions.add_parser("show", parents=[zone, json_too], help="print a series as it is known and expected now")
    show.add_argument("quantity", nargs="?", default="price", help="price, carbon, demand, ... (default price)")
    show.add_argument("--from", dest="start", help="first day or time (default: the present half-hour)")
    show.add_argument("--hours", type=_positive, default=48.0, help="how many (default 48)")
    region = actions.add_parser("region", parents=[json_too], help="name the grid zone of a British postcode")
    region.add_argument("postcode", help="whole or outward code, such as SW1A 1AA or SW1A")
    reread = actions.add_parser(
        "reread", parents=[json_too], help="compare what rounds were planned with and the stored bytes"
    )
    reread.add_argument("--last", type=_natural, default=100, help="the last so many rounds (default 100; 0: all)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
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
        case "audit":
            from commands.audit import verify_log

            return verify_log(arguments, settings)
        case "signals":
            from commands.signals import ACTIONS

            return ACTIONS[arguments.action](arguments, settings, clock_of(settings))
        case _:
            from commands import client

            return client.COMMANDS[arguments.command](arguments, settings)


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
    arguments = build_parser().parse_args(argv)
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
