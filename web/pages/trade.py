"""Trade: contracts with their half-hours and messages, what is for sale, and the outbox with its dead letters."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from beckn.outbox import renewed
from core.errors import Conflict, NotFound
from core.trade import Contract, ContractState, Message, Side
from store.outbox import DeliveryState
from web.access import may_ask, visitor
from web.dues import Owing
from web.pages.contract_states import lapsed, machine_of
from web.pages.contract_story import story_of
from web.pages.formatting import sentence
from web.pages.letters import letter_of
from web.pages.paging import Paging, page_number, query_url
from web.pages.places import site_names
from web.pages.shelf import shelved
from web.services import Services, services_of_request

PAGE_SIZE = 25
MOST_DELIVERIES = 50
blueprint = Blueprint("trade", __name__, url_prefix="/trade")


OWING = "slackwater.owing"


def owing() -> Owing:
    """The sums of the application that is handling the present request."""
    found: Owing = current_app.extensions[OWING]
    return found


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Contracts, newest first."""
    services = services_of_request()
    side, state = _chosen()
    counts = services.contracts.counts()
    total = sum(n for (of, at), n in counts.items() if side in {None, of} and state in {None, at})
    paging = Paging(page_number(), PAGE_SIZE, total)
    listed = services.contracts.listed(PAGE_SIZE, paging.offset, side=side, state=state)
    by_state = {
        each: sum(n for (of, at), n in counts.items() if at == each and side in {None, of}) for each in ContractState
    }
    by_side = {each: sum(n for (of, at), n in counts.items() if of == each and state in {None, at}) for each in Side}
    return render_template(
        "trade.html",
        stories=[story_of(contract) for contract in listed],
        paging=paging,
        by_state=by_state,
        by_side=by_side,
        chosen={"side": side, "state": state},
        all_contracts=sum(counts.values()),
        totals=owing().totals(),
        lapsed=lapsed,
        names=site_names(services),
        zones=_zones(services),
        deliveries=services.outbox.owed(),
        query_url=query_url,
        **_network(services),
    )


@blueprint.get("/contracts/<contract_id>")
def show(contract_id: str) -> ResponseReturnValue:
    """One contract: its states, its half-hours, and the messages about it."""
    services = services_of_request()
    contract = services.contracts.get(contract_id)
    messages = _messages(services, contract)
    paging = Paging(page_number(), PAGE_SIZE, len(messages))
    now = services.clock.now()
    return render_template(
        "contract.html",
        section="trade",
        story=story_of(contract),
        machine=machine_of(contract, now),
        lapsed=lapsed(contract, now),
        letters=[letter_of(each) for each in messages[paging.offset : paging.offset + PAGE_SIZE]],
        paging=paging,
        names=site_names(services),
        zones=_zones(services),
        query_url=query_url,
    )


@blueprint.get("/contracts/<contract_id>/messages/<int:number>")
def body(contract_id: str, number: int) -> ResponseReturnValue:
    """The bytes of one message, as they travelled."""
    services = services_of_request()
    contract = services.contracts.get(contract_id)
    for message in _messages(services, contract):
        if message.number == number:
            return _download(message.body, f"message-{number}.json")
    raise NotFound(f"no message {number} is about contract {contract_id!r}")


@blueprint.get("/catalogue")
def catalogue() -> ResponseReturnValue:
    """What is for sale right now; the half-hours of one resource."""
    services = services_of_request()
    resources = [] if services.trade is None else shelved(services.trade.catalogues())
    wanted = request.args.get("resource", "")
    chosen = next((each for each in resources if each.resource_id == wanted), None)
    if wanted and chosen is None:
        raise NotFound(f"{wanted[:80]!r} is not for sale now", remedy="See /trade/catalogue for what is.")
    return render_template(
        "trade_catalogue.html",
        section="trade",
        resources=resources,
        chosen=chosen,
        wire=None if chosen is None else json.dumps(chosen.wire, indent=2, ensure_ascii=False),
        names=site_names(services),
        zones=_zones(services),
        **_network(services),
    )


@blueprint.get("/catalogue.json")
def catalogue_file() -> ResponseReturnValue:
    """The catalogs as they are on the wire."""
    trade = services_of_request().trade
    if trade is None:
        raise NotFound("this server is in no Beckn network", remedy="Set BECKN_SUBSCRIBER_ID and BECKN_URL.")
    return _download(json.dumps({"catalogs": trade.catalogues()}, ensure_ascii=False).encode(), "catalogue.json")


@blueprint.get("/outbox")
def outbox() -> ResponseReturnValue:
    """What is owed to peers, and what was given up."""
    services = services_of_request()
    pending = services.outbox.listed(DeliveryState.PENDING, MOST_DELIVERIES, _before("pending_before"))
    dead = services.outbox.listed(DeliveryState.DEAD, MOST_DELIVERIES, _before("dead_before"))
    owed, now = services.outbox.owed(), services.clock.now()
    streams = {each.stream for each in (*pending, *dead)}
    return render_template(
        "trade_outbox.html",
        section="trade",
        pending=pending,
        dead=dead,
        owed=owed,
        age_s=owed.seconds(now),
        most=MOST_DELIVERIES,
        delivery=timedelta(seconds=services.settings.beckn_delivery_seconds),
        may_replay=may_ask(visitor(), "POST", url_for("trade.replay_all")),
        contracts={stream for stream in streams if services.contracts.find(stream) is not None},
        query_url=query_url,
        **_network(services),
    )


@blueprint.post("/outbox/<int:number>/replay")
def replay(number: int) -> ResponseReturnValue:
    """Owe one dead letter again."""
    return _replay([number])


@blueprint.post("/outbox/replay")
def replay_all() -> ResponseReturnValue:
    """Owe every dead letter again."""
    return _replay(None)


def _replay(numbers: list[int] | None) -> ResponseReturnValue:
    services = services_of_request()
    now, ttl = services.clock.now(), timedelta(seconds=services.settings.beckn_delivery_seconds)
    try:
        again = services.outbox.replay(numbers, now, now + ttl, lambda stored: renewed(stored, now, ttl))
    except (NotFound, Conflict) as error:
        flash(f"{sentence(error)} Nothing was changed.", "error")
    else:
        count = len(again)
        flash(
            f"{count} {'message is' if count == 1 else 'messages are'} owed again."
            if again
            else "There are no dead letters."
        )
    return redirect(url_for("trade.outbox"), code=303)


def _chosen() -> tuple[Side | None, ContractState | None]:
    """Side and state of the query; a word that is neither is :class:`NotFound`."""
    side, state = (request.args.get(name, "") for name in ("side", "state"))
    try:
        return (Side(side) if side else None), (ContractState(state) if state else None)
    except ValueError as error:
        raise NotFound(str(error), remedy="Choose a side and a state from the lists.") from error


def _before(name: str) -> int | None:
    """A number of the query; :class:`NotFound` for anything else."""
    text = request.args.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise NotFound(f"{text[:40]!r} is no number of a message")
    return int(text)


def _messages(services: Services, contract: Contract) -> list[Message]:
    """Those of the contract's transaction that are about it or about no contract yet, the oldest first."""
    found = services.messages.of_transaction(contract.transaction_id)
    return [each for each in found if each.contract_id in {None, contract.contract_id}]


def _network(services: Services) -> dict[str, Any]:
    """Who we are, and how many messages wait for their work."""
    trade = services.trade
    return {"own": None if trade is None else trade.own, "unworked": 0 if trade is None else trade.owed}


def _zones(services: Services) -> dict[str, str]:
    """The time zone of each site by its id."""
    return {site.site_id: site.timezone for site in services.sites.sites()}


def _download(content: bytes, name: str) -> Response:
    response = Response(content, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
