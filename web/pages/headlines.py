"""One line that says what a record of the decision log is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from audit.record import Record
from web.pages.formatting import MINUS, adaptive, duration, gbp, kg, number, percent, sentence, span, words

Names = Mapping[str, str]
Body = Mapping[str, Any]
REJECTIONS = {
    "dearer": "dearer, all things counted",
    "no_headroom": "no headroom left",
    "no_whole_headroom": "others hold part of its headroom",
    "not_worth": "there is room, but it costs more than its tier pays",
    "overlooked": "the search ended before it found it",
}


def reason_words(reason: str, names: Names) -> str:
    """A recorded reason for people, as a sentence: site ids as names, GBP as a pound sign."""
    return sentence(_named(reason, names))


def change_words(change: str, names: Names) -> str:
    """A recorded change for people, as an entry of a list."""
    named = _named(change, names)
    return named[:1].upper() + named[1:]


def _named(text: str, names: Names) -> str:
    ids = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    named = re.sub(rf"\b({ids})\b", lambda found: names[found[1]], text) if ids else text
    return re.sub(r"GBP (-?)(?=\d)", lambda found: f"{MINUS if found[1] else ''}£", named)


def reject_words(code: str | None) -> str:
    """Why an option was not taken, in words."""
    return "not needed" if code is None else REJECTIONS.get(code, words(code))


def _decision(body: Body, names: Names) -> str:
    if body["verdict"] == "counter":
        return f"Could not be placed: {reason_words(body['reason'], names)}"
    if body["verdict"] == "withdraw":
        return f"Withdrawn: {reason_words(body['reason'], names)}"
    verb = "Moved to" if body["verdict"] == "move" else "Awarded to"
    site = names.get(body["site_id"], body["site_id"])
    runs = body["runs"]
    when = f", {span(runs[0]['start'], runs[-1]['end'])}" if runs else ""
    saving = ""
    if body["cost_gbp"] and body["baseline_cost_gbp"]:
        saved = float(body["baseline_cost_gbp"]) - float(body["cost_gbp"])
        saving = f", {gbp(abs(saved))} {'below' if saved >= 0 else 'above'} its baseline"
    return f"{verb} {site}{when}{saving}"


def _round(body: Body, _names: Names) -> str:
    return (
        f"{number(body['placed'])} of {number(body['jobs'])} jobs placed for {gbp(body['objective_gbp'])}, "
        f"certified within {percent(body['gap'], 2)} of the best"
    )


def _delivery(body: Body, names: Names) -> str:
    site = names.get(body["site_id"], body["site_id"])
    ran = f" in {duration(float(body['runtime_s']))}" if body.get("runtime_s") else ""
    return (
        f"{words(body['status']).capitalize()} at {site}{ran}: {adaptive(body['delivered_kwh'])} of "
        f"{adaptive(body['committed_kwh'])} kWh, {gbp(body['cost_gbp'])}, {kg(body['carbon_kg'])} CO₂"
    )


def _period(body: Body, names: Names) -> str:
    site = names.get(body["site_id"], body["site_id"])
    mwh = body["deviation_mwh"]
    deviated = "an unknown deviation" if mwh is None else f"a deviation of {mwh.replace('-', MINUS)} MWh"
    deviated = "withdrawn" if body.get("withdrawn") else deviated
    version = "" if body["supersedes_seq"] is None else f", in place of record {body['supersedes_seq']}"
    return f"Period {body['settlement_period']} of {body['settlement_date']} at {site}: {deviated}{version}"


def _booking(body: Body, names: Names) -> str:
    site = names.get(body["site_id"], body["site_id"])
    return f"{body['state'].capitalize()} {adaptive(body['power_kw'])} kW at {site}, {span(body['start'], body['end'])}"


def _message(body: Body, _names: Names) -> str:
    way = "from" if body["direction"] == "in" else "to"
    why = f": {body['code']}" if body["code"] else ""
    return f"{body['action']} {way} {body['peer_id'] or 'somebody unknown'} was {_BECAME[body['outcome']]}{why}"


def _contract(body: Body, names: Names) -> str:
    sites = sorted({names.get(each["site_id"], each["site_id"]) for each in body["intervals"]})
    side = "to" if body["side"] == "provider" else "from"
    total = "" if body["total"] is None else f", {body['total'].replace('-', MINUS)} {body['currency']}"
    return f"{words(body['product']).capitalize()} {side} {body['peer_id']} {body['event']}: {', '.join(sites)}{total}"


_BECAME = {"accepted": "accepted", "refused": "refused", "delivered": "delivered", "dead": "given up"}


def _snapshot(body: Body, _names: Names) -> str:
    told = " and ".join(series["quantity"].replace("_", " ") for series in body["series"])
    size = number(sum(answer["raw_bytes"] for answer in body["answers"]))
    starts, ends = (sorted(series[end] for series in body["series"]) for end in ("valid_from", "valid_to"))
    return f"{body['feed']} gave {told} for {body['zone']}, {span(starts[0], ends[-1])}, {size} bytes"


def _recovery(body: Body, _names: Names) -> str:
    kind = "an acknowledged" if body["acknowledged"] else "an unfinished"
    return f"{number(body['torn_bytes'])} bytes of {kind} line were moved to {body['quarantine_path']}"


def _restated_claim(body: Body) -> str:
    """A claim about carbon that is in force in place of a delivery's, its saving by outturn where there is one."""
    carbon = body["carbon"]
    ends = ("saved_kg", "low_kg", "high_kg")
    saved, low, high = (each and each.replace("-", MINUS) for each in map((carbon["attributional"] or {}).get, ends))
    told = f" with {saved} kg saved (95 % {low} to {high} kg)" if saved else ""
    simulated = " on simulated carbon" if any(each["kind"] == "simulated" for each in carbon["average_outturn"]) else ""
    claim = f"The carbon claim of delivery {number(body['corrected_seq'])} is restated as {carbon['claim_level']}"
    return f"{claim}{simulated}{told}, revision {body['revision']}: {body['reason']}"


def _correction(body: Body, _names: Names) -> str:
    if body.get("carbon"):
        return _restated_claim(body)
    told = ", ".join(change["path"] for change in body["changes"])
    return f"Record {number(body['corrected_seq'])} is corrected in {told}: {body['reason']}"


def _redaction(body: Body, _names: Names) -> str:
    return f"A value of {words(body['field'])} was erased: {body['reason']}"


def _export(body: Body, _names: Names) -> str:
    return f"{number(body['records'])} records were exported as {body['format']}"


def _key(body: Body, _names: Names) -> str:
    return f"Checkpoints are signed with {body['vkey']} from now on"


def _segment(body: Body, _names: Names) -> str:
    return f"{body['name']} was sealed with {number(body['records'])} records"


def _deletion(body: Body, _names: Names) -> str:
    kept = number(body["retention_days"])
    return f"{body['name']} with {number(body['records'])} records was removed after {kept} days"


_OF_KIND: Mapping[str, Callable[[Body, Names], str]] = {
    "decision": _decision,
    "negotiation_round": _round,
    "delivery": _delivery,
    "settlement_period": _period,
    "booking": _booking,
    "message": _message,
    "contract": _contract,
    "feed_snapshot": _snapshot,
    "correction": _correction,
    "redaction": _redaction,
    "export": _export,
    "key": _key,
    "recovery": _recovery,
    "segment": _segment,
    "deletion": _deletion,
}


def kinds_words(kind: str, count: int) -> str:
    """The name of a kind beside how many there are: ``deliveries`` of two ``delivery`` records."""
    name = words(kind)
    if count == 1:
        return name
    return f"{name[:-1]}ies" if name.endswith("y") and name != "key" else f"{name}s"


def headline(record: Record, names: Names) -> str:
    """What the record says, in one sentence."""
    return sentence(_OF_KIND[record.kind](record.body, names))
