"""The words of the command line: what each command is called and what may be said to it."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from core.job import FlexibilityType, Tier


def build_parser(version: str) -> argparse.ArgumentParser:
    """The command line of this version of the program."""
    parser = argparse.ArgumentParser(
        prog="python app.py", description="Runs flexible compute when power is clean and cheap, and proves it."
    )
    parser.add_argument("--version", action="version", version=version)
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
    _add_beckn(commands)


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


def _add_beckn(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands for a participant of a Beckn network."""
    beckn = commands.add_parser("beckn", help="keys of a Beckn participant; messages; a registry")
    actions = beckn.add_subparsers(dest="action", required=True, metavar="ACTION")
    keys = actions.add_parser("keys", help="show the public keys, as a registry wants them")
    change = keys.add_mutually_exclusive_group()
    change.add_argument("--make", action="store_true", help="make one; the first is in use at once")
    change.add_argument("--use", metavar="ID", help="sign with this one from now on, once the registry knows it")
    change.add_argument("--drop", metavar="ID", help="forget this one for ever")
    keys.add_argument("--json", action="store_true", help="print JSON for a program to read")
    answered = argparse.ArgumentParser(add_help=False)
    answered.add_argument("body", type=Path, help="file with the very bytes of the message; - for standard input")
    answered.add_argument("--answers", metavar="SIGNATURE", help="of the request that the message answers")
    actions.add_parser("sign", parents=[answered], help="print the header that signs a message with the key in use")
    verify = actions.add_parser("verify", parents=[answered], help="check the header of a message that was received")
    verify.add_argument("--header", required=True, help="value of its Authorization or Signature header")
    verify.add_argument("--key", required=True, help="the sender's signing_public_key in the registry")
    _add_trade(actions)
    registry = actions.add_parser("registry", help="run a registry of participants for development, on this machine")
    registry.add_argument("--host", default="127.0.0.1", help="loopback address to serve at (default 127.0.0.1)")
    registry.add_argument("--port", type=_natural, default=8060, help="port to serve at (default 8060; 0: any)")
    registry.add_argument("--file", type=Path, help="file of registrations (default DATA_DIR/beckn-registry.json)")
    listen = actions.add_parser("listen", help="take callbacks on this machine and keep them as files")
    listen.add_argument("folder", type=Path, help="folder of the callbacks, and of the headers of requests")
    listen.add_argument("--host", default="127.0.0.1", help="loopback address to serve at (default 127.0.0.1)")
    listen.add_argument("--port", type=_natural, default=9000, help="port to serve at (default 9000; 0: any)")
    outbox = actions.add_parser("outbox", help="list the messages that are owed to peers")
    outbox.add_argument("--dead", action="store_true", help="those that were given up instead")
    outbox.add_argument("--json", action="store_true", help="print JSON for a program to read")
    replay = actions.add_parser("replay", help="owe dead letters again")
    replay.add_argument("numbers", nargs="*", type=_natural, metavar="NUMBER", help="as beckn outbox --dead shows them")
    replay.add_argument("--all", action="store_true", help="every dead letter")


def _add_trade(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands that have a running server trade."""
    server = argparse.ArgumentParser(add_help=False)
    server.add_argument("--url", help="the server (default: http://HOST:PORT of the settings)")
    server.add_argument("--json", action="store_true", help="print JSON for a program to read")
    buy = actions.add_parser("buy", parents=[server], help="buy compute windows of other participants")
    buy.add_argument("--kw", type=_positive, required=True, help="power at the meter in each half-hour")
    buy.add_argument("--hours", type=_positive, required=True, help="how long in all, in half-hours")
    buy.add_argument("--before", required=True, help="all of it ends by then: ISO 8601 with offset, or +HOURS from now")
    buy.add_argument("--after", help="not before this, written likewise (default: now)")
    buy.add_argument("--contiguous", action="store_true", help="half-hours on end (default: any)")
    buy.add_argument("--place", action="append", default=[], help="site, grid zone or country that will do; repeatable")
    buy.add_argument("--provider", action="append", default=[], metavar="ID", help="ask this one; repeatable")
    buy.add_argument("--max-price", type=float, help="GBP/kWh of any half-hour")
    buy.add_argument("--max-carbon", type=float, help="gCO2/kWh of any half-hour")
    buy.add_argument("--partial", action="store_true", help="take less where all of it cannot be had")
    buy.add_argument("--tolerance", type=float, default=0.0, help="share by which a price may rise (default 0)")
    buy.add_argument("--wait", action="store_true", help="follow the purchase until it ends")
    purchases = actions.add_parser("purchases", parents=[server], help="list what was bought, or show one purchase")
    purchases.add_argument("purchase_id", nargs="?", help="show this one")
    needs = actions.add_parser("needs", parents=[server], help="list what utilities need; ask for needs, answer one")
    what = needs.add_mutually_exclusive_group()
    what.add_argument("--answer", metavar="NEED", help="answer this one by the plan in force")
    what.add_argument("--ask", nargs="*", metavar="ID", help="ask these utilities (default: the discovery service)")


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
