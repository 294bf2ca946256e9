from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beckn.consumer.choosing import Part, Wanted, carbon_kg, choose, cost, replace
from beckn.consumer.lots import Lot
from core.slots import SLOT

START = datetime(2026, 4, 1, 8, tzinfo=UTC)
D = Decimal


def lot(peer: str, slot: int, kw: int, price: str, *, least: int = 1, carbon: int | None = None) -> Lot:
    starts = START + SLOT * slot
    told = None if carbon is None else D(carbon)
    return Lot(peer, "offer", f"r-{peer}", f"s-{peer}", starts, D(least), D(kw), D(price), D(0), told)


def wanted(kw: int, count: int, **changes: object) -> Wanted:
    return Wanted(D(kw), count, START, START + SLOT * 48, **changes)


@st.composite
def lots(draw: st.DrawFn) -> list[Lot]:
    found = []
    for peer, slot in product("ab", range(3)):
        if draw(st.booleans()):
            kw = draw(st.integers(1, 4))
            least = draw(st.integers(1, kw))
            price = f"0.{draw(st.integers(1, 9))}"
            found.append(lot(peer, slot, kw, price, least=least, carbon=draw(st.integers(0, 500))))
    return found


def weight(part: Part, carbon_price: Decimal) -> Decimal:
    return part.kw / 2 * (part.lot.price + carbon_price * (part.lot.carbon or 0) / 1_000_000)


def brute(offered: list[Lot], of: Wanted) -> Decimal | None:
    """The least weight over whole kW; amounts are whole, so the best split is among them."""
    cheapest: dict[datetime, Decimal] = {}
    by_slot = defaultdict(list)
    for each in offered:
        by_slot[each.starts].append(each)
    for starts, here in by_slot.items():
        amounts = [[0, *range(int(each.minimum_kw), int(each.available_kw) + 1)] for each in here]
        found = [
            sum((weight(Part(each, D(kw)), of.carbon_price) for each, kw in zip(here, kws, strict=True)), D(0))
            for kws in product(*amounts)
            if sum(kws) == of.kw
        ]
        if found:
            cheapest[starts] = min(found)
    rows = [
        each
        for each in combinations(sorted(cheapest), of.count)
        if not of.contiguous or all(b - a == SLOT for a, b in pairwise(each))
    ]
    return min((sum((cheapest[at] for at in row), D(0)) for row in rows), default=None)


@settings(max_examples=150, deadline=None)
@given(lots(), st.integers(1, 6), st.integers(1, 3), st.booleans(), st.sampled_from([0, 800, 5000]))
def test_the_choice_is_the_cheapest_of_all(
    offered: list[Lot], kw: int, count: int, contiguous: bool, carbon_price: int
) -> None:
    of = wanted(kw, count, contiguous=contiguous, carbon_price=D(carbon_price))
    found, best = choose(offered, of), brute(offered, of)
    assert (found is None) == (best is None)
    if found is not None:
        assert sum((weight(part, of.carbon_price) for part in found), D(0)) == best


@settings(max_examples=150, deadline=None)
@given(lots(), st.integers(1, 9), st.integers(1, 3), st.booleans(), st.booleans())
def test_never_more_than_is_offered_nor_less_than_a_lot_takes(
    offered: list[Lot], kw: int, count: int, contiguous: bool, partial: bool
) -> None:
    of = wanted(kw, count, contiguous=contiguous, partial=partial)
    parts = choose(offered, of) or ()
    assert len({id(part.lot) for part in parts}) == len(parts)
    total: dict[datetime, Decimal] = defaultdict(Decimal)
    for part in parts:
        assert part.lot.minimum_kw <= part.kw <= part.lot.available_kw
        total[part.lot.starts] += part.kw
    assert len(total) <= count
    assert all(power == kw if not partial else 0 < power <= kw for power in total.values())
    if contiguous and total:
        assert max(total) - min(total) == SLOT * (len(total) - 1)


def test_what_one_has_not_is_split_over_several() -> None:
    found = choose([lot("a", 0, 30, "0.1"), lot("b", 0, 30, "0.2"), lot("c", 0, 90, "0.3")], wanted(70, 1))
    assert [(part.lot.peer_id, part.kw) for part in found or ()] == [("a", 30), ("b", 30), ("c", 10)]
    assert cost(found or ()) == D("6.0")


def test_carbon_at_its_price_can_outweigh_money() -> None:
    offered = [lot("dirty", 0, 10, "0.10", carbon=600), lot("clean", 0, 10, "0.12", carbon=100)]
    cheap, clean = (choose(offered, wanted(10, 1, carbon_price=D(price))) for price in (0, 80))
    assert cheap is not None
    assert clean is not None
    assert (cheap[0].lot.peer_id, clean[0].lot.peer_id) == ("dirty", "clean")
    assert carbon_kg(clean) == D("0.5")


def test_a_lot_that_hides_its_carbon_is_reckoned_at_the_worst_that_is_told() -> None:
    offered = [
        lot("silent", 0, 10, "0.10"),
        lot("told", 0, 10, "0.11", carbon=100),
        lot("worst", 1, 10, "9", carbon=900),
    ]
    found = choose(offered, wanted(10, 1, carbon_price=D(80)))
    assert found is not None
    assert found[0].lot.peer_id == "told"
    assert choose(offered[:1], wanted(10, 1, max_carbon=D(1000))) is None
    assert carbon_kg((Part(offered[0], D(1)),)) is None


@pytest.mark.parametrize(
    ("limits", "peers"),
    [
        ({}, {"a"}),
        ({"max_price": D("0.05")}, set()),
        ({"max_carbon": D(50)}, {"b"}),
        ({"earliest": START + SLOT}, {"c"}),
        ({"latest": START + SLOT}, {"a"}),
        ({"latest": START + timedelta(minutes=29)}, set()),
    ],
)
def test_limits_leave_lots_aside(limits: dict[str, object], peers: set[str]) -> None:
    from dataclasses import replace as changed

    offered = [
        lot("a", 0, 10, "0.1", carbon=60),
        lot("b", 0, 10, "0.2", carbon=40),
        lot("c", 1, 10, "0.3", carbon=60),
    ]
    found = choose(offered, changed(wanted(10, 1), **limits))
    assert {part.lot.peer_id for part in found or ()} == peers


def test_a_replacement_is_of_just_these_half_hours() -> None:
    offered = [lot("a", 0, 10, "0.5"), lot("a", 1, 10, "0.1"), lot("b", 2, 10, "0.1")]
    found = replace(offered, {START: D(4), START + SLOT * 2: D(10)}, wanted(10, 2))
    assert [(part.lot.starts, part.kw) for part in found or ()] == [(START, 4), (START + SLOT * 2, 10)]
    assert replace(offered, {START: D(11)}, wanted(11, 1)) is None
    assert [part.kw for part in replace(offered, {START: D(11)}, wanted(11, 1, partial=True)) or ()] == [10]


def test_hostile_least_amounts_end() -> None:
    offered = [lot(f"p{i:03}", 0, 100 + i, "0.1", least=100 + i) for i in range(60)]
    assert choose(offered, wanted(99, 1)) is None
    assert choose(offered, wanted(201, 1)) is not None
