"""The pages of the trade: contracts, the catalogue, the outbox; who may read them and who may send again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.slots import SLOT
from core.trade import ContractState, Direction, Side
from store.outbox import DeliveryState
from tests.unit.web.fakes import NOW, House, build_house
from tests.unit.web.test_pages import check
from tests.unit.web.trades import (
    PEER,
    SIGNATURE,
    START,
    Books,
    FakeTrade,
    books,
    contract,
    delivery,
    fill,
    line,
    message,
    settled,
    wire,
)
from web.access import new_token, token_digest
from web.application import create_app
from web.dues import Basis, Owing, due, role
from web.pages.contract_states import machine_of
from web.pages.contract_story import story_of
from web.pages.formatting import money
from web.pages.shelf import shelved

PAGE = {"Accept": "text/html"}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Books]:
    with books(tmp_path) as found:
        yield found


@pytest.fixture
def traded(house: House, kept: Books) -> House:
    """A house whose trade is in a real store, and which is in a network."""
    house.services = replace(
        house.services, contracts=kept.contracts, messages=kept.messages, outbox=kept.outbox, trade=FakeTrade()
    )
    return house


@pytest.fixture
def client(traded: House) -> FlaskClient:
    return create_app(traded.services).test_client()


def page(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address, headers=PAGE)
    assert answer.status_code == status, address
    found = check(answer.text)
    assert (found.faults, found.open) == ([], []), address
    assert len(found.ids) == len(set(found.ids)), address
    return str(answer.text)


def words(html: str) -> str:
    """The text of a page in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_contracts_are_listed_newest_first_with_what_is_owed(client: FlaskClient, kept: Books) -> None:
    fill(kept)
    text = words(page(client, "/trade"))
    places = [text.index(f"{number:08d}") for number in (5, 4, 3, 2, 1)]
    assert places == sorted(places)
    assert "We buy a compute window" in text
    assert "bpp.heron.example" in text
    assert "Fri 20 Nov 16:00–18:00 UTC from 16:00 GMT" in text
    assert "£5.60 owed to us, settled" in text
    assert "£4.50 owed by us, if delivered" in text
    assert "£10.00 if confirmed, to us" in text
    assert "nothing is owed" in text
    assert "Owed to us settled £5.60 £10.00 more if all that is promised is delivered" in text
    assert "Owed by us settled £0.00 £4.50 more" in text
    assert "2 dead letters" in text
    assert "1 request waits for its work" in text


def test_contracts_are_filtered_and_paged(client: FlaskClient, kept: Books) -> None:
    kept.sign(*(contract(number, ContractState.ACTIVE) for number in range(1, 28)), contract(28, ContractState.DRAFT))
    first, second = page(client, "/trade?state=ACTIVE"), page(client, "/trade?state=ACTIVE&page=2")
    assert "1–25 of 27 contracts" in first
    assert "00000027" in first
    assert "00000028" not in first
    assert "26–27 of 27 contracts" in second
    assert "00000001" in second
    assert "No contract is like that" in page(client, "/trade?side=consumer")
    for query in ("state=odd", "side=odd", "page=0"):
        page(client, f"/trade?{query}", 404)


def test_without_a_network_the_page_says_what_to_set(house: House) -> None:
    alone = create_app(house.services).test_client()
    for address in ("/trade", "/trade/catalogue", "/trade/outbox"):
        text = page(alone, address)
        for name in ("BECKN_SUBSCRIBER_ID", "BECKN_URL", "beckn keys --make", "docs/settings.md"):
            assert name in text, address
    assert alone.get("/trade/catalogue.json").status_code == 404


def test_in_a_network_without_contracts_the_page_says_so(client: FlaskClient) -> None:
    text = page(client, "/trade")
    assert "No contract yet" in text
    assert "BECKN_URL" not in text


def test_a_contract_shows_each_half_hour_to_the_penny(client: FlaskClient, kept: Books) -> None:
    done = fill(kept)[1]
    text = words(page(client, f"/trade/contracts/{done.contract_id}"))
    assert "We sell a turn-down, London" in text
    assert "Fri 16:30 16:30 GMT 40.50 120.25 90.00 30.25 12.345 simulated £1.8672 £0.2562" in text
    assert "All half-hours 81.0 kWh 55.6 kWh £6.8669 £1.2688" in text
    assert "The seller receives £5.60" in text
    assert "settled half-hours" in text
    assert "disagrees" not in text


def test_carbon_stands_apart_from_the_money_with_its_kind(client: FlaskClient, kept: Books) -> None:
    lines = [line(0), line(1, carbon_kind="outturn"), line(2, kinds=["simulated"])]
    traded = contract(1, ContractState.ACTIVE)
    kept.sign(replace(traded, document={"items": [{"site_id": "london", "lines": lines}]}))
    money_part, carbon = page(client, f"/trade/contracts/{traded.contract_id}").split('id="carbon-title"')
    assert "g/kWh" not in money_part
    assert "p/kWh" not in carbon
    assert re.findall(r"181 g/kWh\s+(\w+)", words(carbon)) == ["forecast", "outturn", "simulated"]


def test_messages_come_in_order_with_signature_digest_and_escaped_body(client: FlaskClient, kept: Books) -> None:
    done = fill(kept)[1]
    html = page(client, f"/trade/contracts/{done.contract_id}")
    actions = re.findall(r"<h3>(\w+) <span class=\"kind\">(\w+)<", html)
    assert actions[:6] == [
        ("select", "came"), ("on_select", "went"), ("init", "came"), ("on_init", "went"), ("confirm", "came"),
        ("on_confirm", "went"),
    ]  # fmt: skip
    assert "<b>&amp; more" not in html.replace("&lt;b&gt;&amp;", "")
    assert "&lt;b&gt;&amp; more&lt;/b&gt;" in html
    assert hashlib.sha256(message(0, "select", Direction.IN, done).body).hexdigest() in html
    assert "bap.grid.example|k1|ed25519" in html
    assert "mkT1QZ0Yo7fCkTz2…" in html
    assert SIGNATURE.replace('"', "&#34;") in html
    assert "BIZ_CANCELLATION_NOT_ALLOWED" in html


def test_the_bytes_of_a_message_are_handed_out_as_they_travelled(client: FlaskClient, kept: Books) -> None:
    odd = message(1, "init", Direction.IN, contract(1, ContractState.DRAFT), body=b'{"a":  1}\xff<script>')
    other = message(2, "init", Direction.IN, contract(2, ContractState.DRAFT))
    kept.sign(contract(1, ContractState.DRAFT), contract(2, ContractState.DRAFT))
    numbers = [kept.messages.add(each, repeatable=False) for each in (odd, other)]
    answer = client.get(f"/trade/contracts/{odd.contract_id}/messages/{numbers[0]}")
    assert answer.data == odd.body
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.mimetype == "application/json"
    assert client.get(f"/trade/contracts/{odd.contract_id}/messages/{numbers[1]}").status_code == 404
    assert "<script>" not in page(client, f"/trade/contracts/{odd.contract_id}").split('id="messages-title"')[1]


def test_a_contract_of_which_little_is_told_still_has_a_page(client: FlaskClient, kept: Books) -> None:
    promised = {"payloads": [{"type": "CAPACITY_OFFERED", "values": [5]}]}
    beyond = {"intervalPeriod": {"start": "9999-12-31T23:30:00Z"}, "intervals": [promised] * 2}
    documents: list[dict[str, Any]] = [
        {},
        {"wire": None, "items": None, "settled": "no"},
        {"wire": {"contractAttributes": [], "consideration": [{"considerationAttributes": {"amount": "NaN"}}]}},
        {"items": [{"lines": [{"start": "never"}, {"start": "2026-11-20T16:00:00Z", "kw": True, "kinds": [{}]}]}]},
        {"wire": {"commitments": [{"resources": [3], "commitmentAttributes": {"intervalPeriod": {"start": 1}}}]}},
        {"dispute": {"odd": 1}, "stage": 3},
        {"dispute": {"why": "the figures differ", "ours": "1.00"}},
        {"contract": {"id": [], "contractAttributes": {"roles": [{"participantId": PEER, "role": ["buyer"]}]}}},
        {"contract": {"commitments": [{"commitmentAttributes": beyond}]}},
    ]
    for number, document in enumerate(documents, 1):
        kept.sign(replace(contract(number, ContractState.ACTIVE), document=document))
        page(client, f"/trade/contracts/{number:08d}-1111-4111-8111-111111111111")
    assert "not told" in page(client, "/trade")
    page(client, "/trade/contracts/none", 404)


def test_half_hours_of_the_wire_stand_in_where_nothing_was_noted() -> None:
    series = {
        "intervalPeriod": {"start": "2026-11-20T16:00:00Z", "duration": "PT30M"},
        "intervals": [
            {"id": i, "payloads": [{"type": "CAPACITY_OFFERED", "values": [kw]}]} for i, kw in enumerate((0, 25, 30.5))
        ],
    }
    terms = {
        **series,
        "siteId": "norway",
        "intervals": [{"id": i, "payloads": [{"type": "PRICE", "values": [0.2]}]} for i in range(3)],
    }
    commitment = {"resources": [{"id": "r", "resourceAttributes": terms}], "commitmentAttributes": series}
    found = story_of(replace(contract(1, ContractState.ACTIVE), document={"wire": {"commitments": [commitment]}}))
    assert [(row.site_id, row.start, row.kw, row.price) for row in found.half_hours] == [
        ("norway", START + SLOT, Decimal(25), Decimal("0.2")),
        ("norway", START + 2 * SLOT, Decimal("30.5"), Decimal("0.2")),
    ]
    assert found.sums.promised_kwh == Decimal("27.75")


def test_the_kind_of_carbon_is_that_of_the_wire_where_the_contract_tells_it() -> None:
    payloads = [{"type": "CARBON_INTENSITY", "values": [181]}]
    carbon = {
        "intervalPeriod": {"start": "2026-11-20T16:00:00Z"},
        "kinds": ["estimate", "outturn"],
        "intervals": [{"id": i, "payloads": payloads} for i in range(2)],
    }
    commitment = {"resources": [{"id": "r", "resourceAttributes": {"siteId": "london", "carbon": carbon}}]}
    items = [{"site_id": "london", "lines": [line(i) for i in range(3)]}]
    document = {"items": items, "wire": {"commitments": [commitment]}}
    found = story_of(replace(contract(1, ContractState.ACTIVE), document=document))
    assert [row.carbon_kind for row in found.half_hours] == ["estimate", "outturn", "forecast"]


@pytest.mark.parametrize(
    ("state", "changes", "marks", "cancelled"),
    [
        (ContractState.DRAFT, {}, "now next next next", "next"),
        (ContractState.DRAFT, {"held_until": NOW + SLOT}, "done now next next", "next"),
        (ContractState.DRAFT, {"held_until": NOW}, "now next next next", "next"),
        (ContractState.ACTIVE, {"log_seq": 4}, "done done now next", "next"),
        (ContractState.COMPLETE, {"log_seq": 4}, "done done done now", "never"),
        (ContractState.CANCELLED, {"log_seq": 4}, "done done done never", "now"),
        (ContractState.CANCELLED, {}, "done never never never", "now"),
    ],
)
def test_the_drawing_marks_where_a_contract_stands(
    state: ContractState, changes: dict[str, Any], marks: str, cancelled: str
) -> None:
    found = machine_of(contract(1, state, **changes), NOW)
    assert " ".join(stop.mark for stop in found.line) == marks
    assert found.cancelled.mark == cancelled
    assert found.sentence.startswith("The contract")


def test_the_present_state_is_told_to_who_cannot_see_the_drawing(client: FlaskClient, kept: Books) -> None:
    for each in fill(kept):
        html = page(client, f"/trade/contracts/{each.contract_id}")
        assert len(re.findall('aria-current="step"', html)) == 1
        assert re.search(r"The contract (is|was) ", html)


def test_a_contract_that_we_asked_for_shows_the_id_that_its_provider_gave_it(client: FlaskClient, kept: Books) -> None:
    theirs = "7d8b1c0e-0000-4000-8000-000000000007"
    asked = contract(1, ContractState.ACTIVE, side=Side.CONSUMER, document={"contract": {"id": theirs}})
    kept.sign(asked, contract(2, ContractState.ACTIVE))
    text = words(page(client, f"/trade/contracts/{asked.contract_id}"))
    assert f"Contract {asked.contract_id} At the peer {theirs} , its id in every message" in text
    assert "At the peer" not in page(client, f"/trade/contracts/{contract(2, ContractState.ACTIVE).contract_id}")


def test_events_of_the_grid_are_shown_with_what_was_answered(client: FlaskClient, kept: Books) -> None:
    heard = {"heard_at": "2025-11-20T10:00:00Z", "rooms": [], "outcome": None, "response_seconds": None}
    room = {"site_id": "london", "start": "2025-11-20T12:00:00Z", "kw": "20", "price": "0.05"}
    shifted = {"event_id": "event-7", "event_type": "CARBON_SPIKE", "severity": "high", "action": "shift"}
    alerts = [
        {
            **heard,
            **shifted,
            "reason": "it runs at london",
            "response_seconds": "7.0",
            "message_id": "m",
            "rooms": [room],
        },
        {**heard, "event_id": None, "action": None, "reason": "it cannot be read", "message_id": None},
    ]
    theirs = {"by": "buyer", "event_id": "e", "action": "continue", "reason": "no room", "response_seconds": "3"}
    bought = contract(1, ContractState.ACTIVE, side=Side.CONSUMER, document={"alerts": alerts})
    kept.sign(bought, contract(2, ContractState.ACTIVE, document={"alerts": [theirs]}))
    text = words(page(client, f"/trade/contracts/{bought.contract_id}"))
    assert "event-7 CARBON_SPIKE, high the load shifts 20 kW at London, 2025-11-20T12:00:00Z" in text
    assert "7.0 s sent; the provider has not answered it yet" in text
    assert "not told nothing It cannot be read. – none was sent" in text
    text = words(page(client, f"/trade/contracts/{contract(2, ContractState.ACTIVE).contract_id}"))
    assert "e it goes on as agreed, by the buyer No room. 3 s told to the seller" in text


def test_who_buys_is_read_from_the_roles_whoever_asked() -> None:
    asked = contract(1, ContractState.ACTIVE, side=Side.CONSUMER)
    assert role(asked) == "seller"
    assert role(replace(asked, document={})) == "buyer"
    assert role(replace(asked, side=Side.PROVIDER, document={})) == "seller"
    answered = wire(ContractState.ACTIVE, 4.5, buyer=PEER, seller="us")
    assert role(replace(asked, document={"contract": answered})) == "seller", "of a need that we answered"
    bought = wire(ContractState.ACTIVE, 4.5, buyer="us", seller=PEER)
    assert due(replace(asked, document={"wire": bought})).amount == Decimal("-4.5")


def test_a_settled_contract_owes_the_flow_and_says_where_our_half_hours_disagree(
    client: FlaskClient, kept: Books
) -> None:
    fair = due(settled(1))
    assert (fair.amount, fair.basis, fair.disagrees) == (Decimal("5.6"), Basis.SETTLED, False)
    odd = settled(2)
    odd.document["wire"]["contractAttributes"]["revenueFlows"][1]["value"] = 5.61
    kept.sign(odd)
    assert due(odd).disagrees
    text = words(page(client, f"/trade/contracts/{odd.contract_id}"))
    assert "The contract says £5.61 for us; our own half-hours come to £5.60." in text


def test_a_seller_that_delivered_nothing_owes_the_penalty() -> None:
    found = due(settled(1, ("130", "130", "130", "130")))
    assert found.amount == Decimal("-4.05")
    assert found.owed


def test_totals_follow_what_changes(kept: Books) -> None:
    owing = Owing(kept.contracts)
    assert owing.totals() == []
    active = contract(1, ContractState.ACTIVE)
    kept.sign(active, contract(2, ContractState.DRAFT), contract(3, ContractState.CANCELLED))
    assert [(each.to_us, each.basis, each.amount, each.contracts) for each in owing.totals()] == [
        (True, Basis.PROMISED, Decimal(10), 1)
    ]
    later = replace(settled(1), version=1, updated_at=NOW + timedelta(hours=9))
    kept.sign(later)
    assert [(each.basis, each.amount) for each in owing.totals()] == [(Basis.SETTLED, Decimal("5.6"))]


def test_the_catalogue_shows_both_products_and_the_half_hours_of_one_site(client: FlaskClient) -> None:
    text = words(page(client, "/trade/catalogue"))
    assert "Fri 20 Nov 16:00–22:00 UTC, 12 half-hours; prices hold until Fri 20 Nov 14:15 UTC" in text
    assert "Kristiansand 275 kWh" not in text
    assert "Kristiansand 275 kW 812 kWh 12.0 to 21.0 60 min forecast simulated" in text
    assert "London 110 kW 325 kWh 30.0 to 39.0 90 % to 99 % 60 min" in text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    chosen = page(client, "/trade/catalogue?resource=turn-down.london")
    assert "Fri 19:00 19:00 GMT 50.0 kW 36.0 5.0 simulated 93" in words(chosen)
    assert "&#34;maximumDuration&#34;: &#34;PT2H&#34;" in chosen
    page(client, "/trade/catalogue?resource=odd", 404)


def test_an_empty_catalogue_says_why(traded: House) -> None:
    traded.services = replace(traded.services, trade=FakeTrade(empty=True))
    assert "Nothing is for sale now" in page(create_app(traded.services).test_client(), "/trade/catalogue")


def test_the_catalogue_is_handed_out_as_it_is_on_the_wire(client: FlaskClient) -> None:
    answer = client.get("/trade/catalogue.json")
    assert json.loads(answer.data)["catalogs"] == FakeTrade().catalogues()
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_strips_are_darkest_where_most_is_for_sale() -> None:
    steps = {row.resource_id: [cell.step for cell in row.cells] for row in shelved(FakeTrade().catalogues())}
    assert steps["compute-window.london"][:3] == [0, 0, 2]
    assert steps["compute-window.london"][-1] == 8
    assert steps["turn-down.london"] == steps["compute-window.london"][::-1]


def test_the_outbox_shows_what_is_owed_and_what_was_given_up(client: FlaskClient, kept: Books) -> None:
    fill(kept)
    text = words(page(client, "/trade/outbox"))
    assert "Owed 3 the oldest for 2 min" in text
    assert "Dead letters 2 given up, with a reason" in text
    assert "HTTP 400, SCH_REQUIRED_FIELD_MISSING at $.message.contract.id." in text
    assert re.search(r"3 Fri 20 Nov 14:10 UTC HTTP 503\.", text)
    assert "0 after those before it" in text
    assert re.search(r"5, transaction 00000005", text)


def test_long_lists_of_deliveries_go_on(client: FlaskClient, kept: Books) -> None:
    kept.owe(*(delivery(number, f"stream {number}") for number in range(1, 53)))
    first = page(client, "/trade/outbox")
    following = re.search(r'href="([^"]*pending_before=3)#pending"', first)
    assert following
    second = page(client, following[1])
    assert "00000002" in second
    assert "00000003" not in second
    page(client, "/trade/outbox?dead_before=x", 404)


def token(client: FlaskClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page(client, "/trade/outbox"))
    assert found
    return found[1]


def dead(kept: Books) -> list[int]:
    return [each.number for each in kept.outbox.listed(DeliveryState.DEAD, 10)]


def test_a_dead_letter_is_sent_again_with_a_new_time(client: FlaskClient, kept: Books, traded: House) -> None:
    fill(kept)
    traded.clock.advance(timedelta(hours=1))
    answer = client.post("/trade/outbox/1/replay", data={"csrf_token": token(client)}, headers=PAGE)
    assert (answer.status_code, answer.location) == (303, "/trade/outbox")
    assert dead(kept) == [2]
    again = kept.outbox.get(1)
    assert (again.state, again.attempts) == ("pending", 0)
    assert again.expires_at == NOW + timedelta(hours=1, minutes=10)
    assert json.loads(again.body)["context"]["timestamp"] == "2026-11-20T15:10:00Z"
    assert "1 message is owed again." in page(client, "/trade/outbox")


def test_all_dead_letters_are_sent_again(client: FlaskClient, kept: Books) -> None:
    fill(kept)
    answer = client.post("/trade/outbox/replay", data={"csrf_token": token(client)}, headers=PAGE)
    assert answer.status_code == 303
    assert dead(kept) == []
    assert "2 messages are owed again." in page(client, "/trade/outbox")


def test_sending_again_what_is_no_dead_letter_changes_nothing(client: FlaskClient, kept: Books) -> None:
    fill(kept)
    given = token(client)
    for number, said in ((3, "Number 3 is pending, no dead letter."), (99, "number 99 was ever owed.")):
        client.post(f"/trade/outbox/{number}/replay", data={"csrf_token": given}, headers=PAGE)
        assert said in page(client, "/trade/outbox")
    assert dead(kept) == [2, 1]


def test_sending_again_needs_the_token_of_the_form(client: FlaskClient, kept: Books) -> None:
    fill(kept)
    for address in ("/trade/outbox/1/replay", "/trade/outbox/replay"):
        assert client.post(address, headers=PAGE).status_code == 400
    assert dead(kept) == [2, 1]


PATHS = ("/trade", "/trade/contracts/00000002-1111-4111-8111-111111111111", "/trade/catalogue", "/trade/outbox",
         "/trade/catalogue.json", "/trade/contracts/00000002-1111-4111-8111-111111111111/messages/1")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_operators_and_auditors_read_and_nobody_else(path: str, tmp_path: Path, kept: Books) -> None:
    fill(kept)
    operator, auditor = new_token()[0], new_token()[0]
    folder = tmp_path / "guarded"
    folder.mkdir()
    house = build_house(
        folder, operator_tokens=f"ada={token_digest(operator)}", auditor_tokens=f"grace={token_digest(auditor)}"
    )
    stored: dict[str, Any] = {
        "contracts": kept.contracts,
        "messages": kept.messages,
        "outbox": kept.outbox,
        "trade": FakeTrade(),
    }
    app = create_app(replace(house.services, **stored))
    app.config["WTF_CSRF_ENABLED"] = False
    guarded = app.test_client()
    assert guarded.get(path).status_code == 401
    for held in (operator, auditor):
        assert guarded.get(path, headers={"Authorization": f"Bearer {held}"}).status_code == 200
    posts = ("/trade/outbox/1/replay", "/trade/outbox/replay")
    asked = {**PAGE, "Authorization": f"Bearer {auditor}"}
    assert [guarded.post(post, headers=asked).status_code for post in posts] == [403, 403]
    assert [guarded.post(post).status_code for post in posts] == [401, 401]
    assert dead(kept) == [2, 1]
    shown = guarded.get("/trade/outbox", headers=asked).text
    assert "Only operators send again." in shown
    assert "<button" not in shown.split("<main")[1]
    house.log.close()


def test_metrics_count_contracts_messages_and_money(client: FlaskClient, kept: Books) -> None:
    fill(kept)
    text = client.get("/metrics").text
    for told in (
        'slackwater_beckn_contracts{side="provider",state="ACTIVE"} 1.0',
        'slackwater_beckn_contracts{side="consumer",state="ACTIVE"} 1.0',
        'slackwater_beckn_contracts{side="consumer",state="DRAFT"} 0.0',
        'slackwater_beckn_outbox{state="pending"} 3.0',
        'slackwater_beckn_outbox{state="dead"} 2.0',
        "slackwater_beckn_outbox_oldest_seconds 120.0",
        'slackwater_beckn_owed{basis="settled",currency="GBP",direction="to_us"} 5.6',
        'slackwater_beckn_owed{basis="promised",currency="GBP",direction="by_us"} 4.5',
    ):
        assert told in text


def test_free_slots_lead_to_the_trade_where_the_visitor_is_known(client: FlaskClient) -> None:
    assert 'href="/trade">Trade</a>.' in page(client, "/beckn")


def test_money_is_exact_to_the_penny() -> None:
    told = [money(value) for value in ("1234567.005", "-0.015", Decimal("0.025"), None, "NaN", -0.001)]
    assert told == [
        "£1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567.00",
        "−£0.02",
        "£0.02",
        "–",
        "–",
        "£0.00",
    ]
    assert money(Decimal("-2.5"), "EUR") == "−2.50 EUR"
