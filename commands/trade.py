"""``beckn buy``, ``beckn purchases``, ``beckn needs``: the trade of a running server over its REST API."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from commands.client import POLL_S, connect, instant
from core.clock import Clock
from core.purchases import PurchaseState
from core.settings import Settings

_ENDED = {state.value for state in PurchaseState if state.ended}


def buy(arguments: argparse.Namespace, settings: Settings, _clock: Clock) -> int:
    """Buy compute windows and, with --wait, follow the purchase; 1 when it failed."""
    client = connect(arguments, settings)
    wanted = {
        "kw": arguments.kw,
        "hours": arguments.hours,
        "latest": instant(arguments.before, "--before"),
        "earliest": None if arguments.after is None else instant(arguments.after, "--after"),
        "contiguous": arguments.contiguous,
        "places": arguments.place,
        "max_price_gbp_per_kwh": arguments.max_price,
        "max_carbon_g_per_kwh": arguments.max_carbon,
        "providers": arguments.provider,
        "partial": arguments.partial,
        "tolerance": arguments.tolerance,
    }
    bought = client.buy({name: value for name, value in wanted.items() if value is not None})
    while arguments.wait and bought["state"] not in _ENDED:
        time.sleep(POLL_S)
        bought = client.purchase(bought["purchase_id"])
    print(json.dumps(bought) if arguments.json else _purchase(bought))
    return 1 if bought["state"] == PurchaseState.FAILED.value else 0


def purchases(arguments: argparse.Namespace, settings: Settings, _clock: Clock) -> int:
    """A paragraph for each purchase, the newest first; or one of them."""
    client = connect(arguments, settings)
    if arguments.purchase_id is not None:
        found = client.purchase(arguments.purchase_id)
        print(json.dumps(found) if arguments.json else _purchase(found))
        return 0
    listed = client.purchases()
    if arguments.json:
        print(json.dumps(listed))
    else:
        print("\n\n".join(map(_purchase, listed["purchases"])) or "Nothing was bought yet.")
    return 0


def needs(arguments: argparse.Namespace, settings: Settings, _clock: Clock) -> int:
    """A line for each need; or ask for needs, or answer one: 1 when it is passed over."""
    client = connect(arguments, settings)
    if arguments.answer is not None:
        found = client.answer_need(arguments.answer)
        print(json.dumps(found) if arguments.json else _need(found))
        return 1 if found["state"] == "passed" else 0
    if arguments.ask is not None:
        sought = client.seek_needs(arguments.ask)
        unknown = "".join(f"\n{peer} cannot be asked: {why}" for peer, why in sought["unknown"].items())
        print(json.dumps(sought) if arguments.json else f"asked {', '.join(sought['asked'])}{unknown}")
        return 0
    listed = client.needs()
    if arguments.json:
        print(json.dumps(listed))
    else:
        print("\n".join(map(_need, listed["needs"])) or "No need is known. Ask for them: beckn needs --ask ID")
    return 0


def _purchase(found: Mapping[str, Any]) -> str:
    """A purchase and its legs, a line each."""
    why = f": {found['reason']}" if found["reason"] else ""
    figures = f"{found['confirmed_kwh']:g} of {found['wanted_kwh']:g} kWh, GBP {found['cost_gbp']:.2f}"
    lines = [f"{found['purchase_id']} {found['state']}, {figures}{why}"]
    for leg in found["legs"]:
        state = leg["failed"] or f"{leg['state']}, {leg['step']}"
        lines.append(f"  {leg['provider']}  GBP {leg['cost_gbp']:.2f}  {len(leg['windows'])} half-hours  {state}")
        if leg["dispute"]:
            lines.append(f"    disputed: {leg['dispute']['told']} told, {leg['dispute']['ours']} reckoned")
    return "\n".join(lines)


def _need(found: Mapping[str, Any]) -> str:
    most = max(found["sought_kw"], default=0.0)
    why = f": {found['reason']}" if found["reason"] else ""
    return (
        f"{found['need_id']}  {found['utility']}  {found['start']} to {found['end']}  up to {most:g} kW  "
        f"{found['pays']} in {found['currency']}  {found['state']}{why}"
    )


ACTIONS: Mapping[str, Callable[[argparse.Namespace, Settings, Clock], int]] = {
    "buy": buy,
    "purchases": purchases,
    "needs": needs,
}
