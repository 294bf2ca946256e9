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

        return ScaledClock(settings.clock_start or recorded_span(settings.replay_folder)[0], settings.clock_speed)
    if settings.clock_speed == 1 and settings.clock_start is None:
        return system
    return ScaledClock(settings.clock_start or slot_floor(system.now()), settings.clock_speed)


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
    desk = FlexibilityDesk(clock, loop, parties.sites, store.bookings, log, lambda: loop.request_tick("booking"))
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
    return Parties(
        clock=clock,
        energy=build_energy(settings, clock, store.vintages, store.scores, zones),
        sites=sites,
        jobs=JobAgent(clock=clock, jobs=store.jobs, sites=store.sites, commands_enabled=settings.commands_enabled),
        arrivals=ArrivalForecaster(store.jobs),
        ledger=store.ledger,
        bookings=store.bookings,
        ticks=store.ticks,
        vintages=store.vintages,
        scores=store.scores,
        settlement=Settlement(Metered(sites, store.readings, store.ledger), log, settings.settlement_file),
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
    job = _job_arguments()
    submit = commands.add_parser("submit", parents=[url, job], help="submit a job to the running server")
    submit.add_argument("--wait", action="store_true", help="follow the job until it ends")
    quote = commands.add_parser("quote", parents=[url, job], help="say what a job would cost by several deadlines")
    quote.add_argument(
        "--by", action="append", default=[], help="a deadline to price, like --deadline; repeatable (default: a ladder)"
    )
    jobs = commands.add_parser("jobs", parents=[url], help="list jobs, or show or cancel one")
    jobs.add_argument("job_id", nargs="?", help="show this job")
    jobs.add_argument("--status", help="only jobs in this state")
    jobs.add_argument("--cancel", action="store_true", help="cancel the job named")
    commands.add_parser("tick", parents=[url], help="negotiate now, on the running server")
    commands.add_parser("shares", parents=[url], help="say what each tenant is due, uses and waits for")


def _job_arguments() -> argparse.ArgumentParser:
    """What describes a job, to submit or to quote."""
    job = argparse.ArgumentParser(add_help=False)
    job.add_argument("name", help="what people call the job")
    job.add_argument("--hours", type=float, required=True, help="duration at full power")
    power = job.add_mutually_exclusive_group(required=True)
    power.add_argument("--kw", type=float, help="IT power in kW")
    power.add_argument("--gpus", type=int, help="GPU count instead of --kw")
    job.add_argument("--deadline", required=True, help="ISO 8601 with offset, or +HOURS from now, such as +24")
    job.add_argument("--earliest", help="ISO 8601 with offset (default: now)")
    kinds, tiers = [kind.value for kind in FlexibilityType], [tier.value for tier in Tier]
    job.add_argument("--kind", default="deferrable", choices=kinds, help="what may be done to it (default deferrable)")
    job.add_argument("--tier", default="standard", choices=tiers, help="how dear it is to leave out (default standard)")
    job.add_argument("--tenant", default="default", help="whose job it is, such as acme/research (default: default)")
    job.add_argument("--level", type=_natural, help="order among waiting jobs, 0 first to 9 (default: by tier, 0 to 3)")
    job.add_argument("--region", action="append", default=[], help="allowed site, grid zone or country; repeatable")
    job.add_argument("--max-price", type=float, help="GBP/kWh in any slot used")
    job.add_argument("--max-carbon", type=float, help="gCO2/kWh in any slot used")
    job.add_argument("run", nargs="*", metavar="-- COMMAND", help="argument vector to run at the slot")
    return job


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
    token = commands.add_parser("token", help="make a token for an operator or an auditor on another machine")
    token.add_argument("name", help="whose it is; stands in the settings, in records as a commitment")
    token.add_argument("--role", choices=["operator", "auditor"], default="auditor", help="default auditor")
    _add_audit(commands)
    _add_signals(commands)


def _add_audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands about the decision log and the proof of it."""
    audit = commands.add_parser("audit", help="check the decision log, derive decisions again")
    actions = audit.add_subparsers(dest="action", required=True, metavar="ACTION")
    log = argparse.ArgumentParser(add_help=False)
    log.add_argument("--log", type=Path, help="default: DATA_DIR/decisions.jsonl")
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("--out", type=Path, help="write it to this file (default: standard output)")
    verify = actions.add_parser("verify", help="check every line offline; names the first bad one")
    verify.add_argument("log", type=Path, nargs="?", help="default: DATA_DIR/decisions.jsonl")
    verify.add_argument("--key", action="append", default=[], help="verifier key; repeatable (default: all of it)")
    verify.add_argument("--checkpoint", type=Path, action="append", default=[], help="one that you kept; repeatable")
    verify.add_argument("--proof", type=Path, action="append", default=[], help="proof file to check; repeatable")
    verify.add_argument("--tsa-ca", type=Path, metavar="FILE", help="PEM of the roots to check time-stamps by")
    verify.add_argument("--json", action="store_true", help="print JSON for a program to read")
    keys = actions.add_parser("keys", parents=[log], help="show the public keys that checkpoints are signed with")
    keys.add_argument("--rotate", action="store_true", help="sign with a new key from now on")
    prove = actions.add_parser("prove", parents=[log, out], help="write a proof that needs no log to be checked")
    prove.add_argument("seq", type=_natural, nargs="?", help="that this record is in the log")
    prove.add_argument("--consistency", type=_natural, metavar="SIZE", help="that the log goes on from SIZE records")
    actions.add_parser("verifier", parents=[out], help="write the offline verifier as one file")
    erase = actions.add_parser("erase", parents=[log], help="make a commitment on the log unopenable for ever")
    erase.add_argument("field", help="what the value is, such as tenant")
    erase.add_argument("value", help="the value to erase")
    erase.add_argument("--why", required=True, help="the reason, which is recorded")
    actions.add_parser("scan", parents=[log], help="look for names and meter identifiers in clear")
    schemas = actions.add_parser("schemas", help="write the JSON Schema of each kind of record")
    schemas.add_argument("--out", type=Path, default=Path("docs/schemas"), help="folder (default docs/schemas)")
    again = actions.add_parser("replay", help="derive decisions again from what was stored, without a network")
    again.add_argument("target", nargs="?", metavar="SEQ|ID", help="one round or decision, by its seq or id")
    again.add_argument("--all", action="store_true", help="every round and decision of the log")
    again.add_argument("--json", action="store_true", help="print JSON for a program to read")


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
