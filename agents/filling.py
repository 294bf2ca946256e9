"""The fill: from courses that nearly fit to a plan in which every job is whole and no limit is broken.

Terms give way or take what is left; jobs that hold what is overdrawn go elsewhere, those with the least regret first;
everyone may then move to what is cheaper for it and free. Where the gap is still too wide, jobs trade places (ruin and
recreate).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from agents.job.book import OUT, Shard
from agents.job.orders import Board
from agents.policy.terms import Schedule
from agents.rounds import Rounds, scarce
from core.errors import PlanError
from core.market import NOWHERE, TOLERANCE_KW, Prices
from core.series import BoolArray, FloatArray, IntArray

GUIDES = 12
TRIALS_AT_ONCE = 100
WARMTH = 3e-4
"""a trial may be this share of the objective worse than the plan it is made from, at the beginning"""
SWEEPS = 2
REGRETS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""shares of a usual job's cost"""


def stand(rounds: Rounds, prices: Prices) -> None:
    """Jobs take up their standing courses where these still fit, beside what site terms draw at ``prices``; the others
    take a turn, as in a last round."""
    from agents.job.kernels.repair import part_gangs, resume  # brings the compiler, which only negotiations need

    fit_terms(rounds, prices.headroom + 1e-12)
    for shard in rounds.book.shards:
        board = rounds.hard_board(shard, prices)
        resume(shard.orders, _linked(shard), board, shard.courses)
        part_gangs(shard.orders, shard.members, shard.member_at, board, shard.courses)
    rounds.turns_of_the_others()


def fill(rounds: Rounds, prices: Prices, rng: np.random.Generator, sweeps: int = SWEEPS) -> None:
    """Make the courses and schedules of ``rounds`` a valid plan; then everyone may move, ``sweeps`` times."""
    recount(rounds)
    fit_terms(rounds, prices.headroom + 1e-12)
    if _lacking_kw(rounds).any():  # jobs that overdraw are in the way: they are moved when room is made
        fit_terms(rounds, prices.headroom + 1e-12, beside=np.zeros(rounds.market.shape))
    _require_room(rounds)
    for shard in rounds.book.shards:
        _repair(rounds, shard, prices, rng)
    for _ in range(sweeps):
        for shard in rounds.book.shards:
            _settle(rounds, shard, scarce(prices, 0.0), rng)
    recount(rounds)
    fit_terms(rounds, np.zeros(rounds.market.shape))


def _require_room(rounds: Rounds) -> None:
    """Refuse an instance whose site terms draw more than there is, whatever the jobs do."""
    over = _lacking_kw(rounds)
    if over.any():
        site, slot = (int(index) for index in np.unravel_index(np.argmax(over), over.shape))
        raise PlanError(
            f"site {site}, slot {slot}: mining that has to ramp down and a battery that has to charge draw "
            f"{over[site, slot]:.3f} kW more than its headroom of {rounds.market.headroom_kw[site, slot]:.3f} kW",
            remedy="Raise the headroom, or lower the mining's initial_kw or the battery's final_kwh.",
        )


def _lacking_kw(rounds: Rounds) -> FloatArray:
    """(S, T) what site terms draw beyond the headroom, with no job there."""
    over = rounds.terms_kw() - rounds.market.headroom_kw
    return np.where(over > TOLERANCE_KW, over, 0.0)


def recount(rounds: Rounds) -> None:
    """Own costs at the present weights, and sums without rounding."""
    from agents.job.kernels.turns import count_anew  # brings the compiler, which only negotiations need

    board = rounds.book.board(rounds.cost, rounds.market.free_prices())
    for shard in rounds.book.shards:
        count_anew(shard.orders, board, shard.courses)


def fit_terms(rounds: Rounds, headroom_price: FloatArray, beside: FloatArray | None = None) -> None:
    """Schedules that fit into what the jobs leave, the first terms first, with room for what the others cannot avoid.

    Where jobs overdraw, terms are asked to draw nothing, not to give: only what other terms must draw has to be given.

    :param beside: (S, T) kW that jobs take; by default what they draw now.
    """
    rates = rounds.rates(headroom_price)
    least = [term.least_kw() for term in rounds.terms]
    must = np.zeros(rounds.market.shape)
    for term, draw_kw in zip(rounds.terms, least, strict=True):
        must[term.site] += draw_kw
    left = rounds.market.headroom_kw - (rounds.book.drawn()[0] if beside is None else beside) - must
    if headroom_price.any():
        left = np.maximum(left, np.minimum(0.0, rounds.market.headroom_kw - must))
    found: list[Schedule] = []
    for term, draw_kw in zip(rounds.terms, least, strict=True):
        schedule = term.fit(rates[term.site], left[term.site] + draw_kw)
        left[term.site] -= schedule.draw_kw - draw_kw
        found.append(schedule)
    rounds.schedules = found


def _linked(shard: Shard) -> IntArray:
    """All jobs, the bulkiest first, but those that come after others behind these."""
    orders = shard.orders
    return np.lexsort((-orders.row["bulk"], orders.row["first"] * (np.diff(orders.before_at) > 0))).astype(np.int64)


def _repair(rounds: Rounds, shard: Shard, prices: Prices, rng: np.random.Generator) -> None:
    """Make room where it is overdrawn, take out gangs that are not whole; who is out is asked again."""
    from agents.job.kernels.repair import part_gangs  # brings the compiler, which only negotiations need

    if not rounds.fits():
        make_room(rounds, shard, prices, rng)
    part_gangs(shard.orders, shard.members, shard.member_at, rounds.hard_board(shard, prices), shard.courses)
    by_bulk = _linked(shard)
    for guide in (prices, scarce(prices, 0.0)):
        _seat(rounds, shard, by_bulk[shard.courses.place[by_bulk] == NOWHERE], guide)


def make_room(rounds: Rounds, shard: Shard, prices: Prices, rng: np.random.Generator) -> None:
    """Drain what is overdrawn, by ever greater regrets; who cannot go elsewhere leaves."""
    from agents.job.kernels.repair import drain, make_way  # brings the compiler, which only negotiations need

    orders, courses = shard.orders, shard.courses
    board = rounds.hard_board(shard, prices)
    usual = float(np.abs(courses.gbp).mean()) if len(courses.gbp) else 0.0
    order = rng.permutation(np.flatnonzero(_in_the_way(rounds, shard, board))).astype(np.int64)
    for regret in REGRETS:
        drain(orders, order, regret * usual, board, courses)
    make_way(orders, order[np.argsort(orders.row["bulk"][order], kind="stable")], board, courses)


def _in_the_way(rounds: Rounds, shard: Shard, board: Board) -> BoolArray:
    """(J,): may hold some of what is overdrawn on a hard board."""
    courses, site = shard.courses, rounds.market.place_site
    if (courses.kg > board.carbon_room).any():
        return np.asarray(courses.place != NOWHERE)
    over = (courses.load_kw > board.headroom_room + TOLERANCE_KW)[site]
    over |= courses.hardware_kw > board.hardware_room + TOLERANCE_KW
    return np.asarray(((courses.level > 0) & over[courses.place]).any(axis=1) & (courses.place != NOWHERE))


def _seat(rounds: Rounds, shard: Shard, jobs: IntArray, prices: Prices) -> None:
    """Ask jobs that are out in turn, single ones first, then gangs, each whole or not at all."""
    from agents.job.kernels.repair import seat_gangs  # brings the compiler
    from agents.job.kernels.turns import take_turns

    orders, courses = shard.orders, shard.courses
    board = rounds.hard_board(shard, prices)
    single = jobs[orders.row["gang"][jobs] == NOWHERE]
    take_turns(orders, single, orders.row["penalty_gbp"], board, courses)
    if shard.gangs:
        gang, penalty = orders.row["gang"][shard.members], orders.row["penalty_gbp"][shard.members]
        most = np.bincount(gang, penalty, shard.gangs).astype(np.float64)
        seat_gangs(orders, shard.members, shard.member_at, most, board, courses)
        late = np.flatnonzero(
            (courses.place == NOWHERE) & (orders.row["gang"] == NOWHERE) & (np.diff(orders.before_at) > 0)
        )
        take_turns(orders, late, orders.row["penalty_gbp"], board, courses)


def _settle(rounds: Rounds, shard: Shard, prices: Prices, rng: np.random.Generator) -> None:
    """Everyone may move to what is cheaper and free; gangs that are out stay out, those that are in stay in.

    Who pays no more than the least that is possible for it at all is not asked.
    """
    from agents.job.kernels.turns import take_turns  # brings the compiler

    orders, courses = shard.orders, shard.courses
    most = orders.row["penalty_gbp"].copy()
    in_gang = orders.row["gang"] != NOWHERE
    most[in_gang] = np.where(courses.place[in_gang] == NOWHERE, OUT, -OUT)
    order = rng.permutation(np.flatnonzero(_may_gain(shard))).astype(np.int64)
    take_turns(orders, order, most, rounds.hard_board(shard, prices), courses)


def _may_gain(shard: Shard) -> BoolArray:
    """(J,): pays more than the floor of its first place, or has none; floors are in order, and not known to all."""
    orders, courses = shard.orders, shard.courses
    floor = np.full(len(orders.row), -np.inf)
    some = np.diff(orders.place_at) > 0
    floor[some] = orders.place_floor[orders.place_at[:-1][some]]
    return np.asarray((courses.place == NOWHERE) | (courses.gbp > floor + 1e-9))


def trade(
    rounds: Rounds, prices: Prices, trials: int, rng: np.random.Generator, enough: Callable[[float], bool]
) -> None:
    """Jobs trade places for ``trials`` or until ``enough(GBP saved)``: ruin and recreate, warm at first, then colder.

    Jobs of gangs and those before or after others stay where they are.
    """
    saved = 0.0
    for shard in rounds.book.shards:
        orders = shard.orders
        free = (orders.row["gang"] == NOWHERE) & (np.diff(orders.before_at) == 0) & (np.diff(orders.behind_at) == 0)
        jobs = np.flatnonzero(free)
        if not jobs.size or enough(saved):
            continue
        share = max(1, trials * len(shard.rows) // max(1, len(rounds.book.rows)))
        saved += _traded(rounds, shard, jobs, prices, share, rng, _beyond(enough, saved))
    recount(rounds)
    fit_terms(rounds, np.zeros(rounds.market.shape))


def _beyond(enough: Callable[[float], bool], saved: float) -> Callable[[float], bool]:
    """The same question when ``saved`` GBP are saved already."""
    return lambda more: enough(saved + more)


def _traded(
    rounds: Rounds,
    shard: Shard,
    jobs: IntArray,
    prices: Prices,
    trials: int,
    rng: np.random.Generator,
    enough: Callable[[float], bool],
) -> float:
    """Trials among ``jobs`` of a shard; the best plan seen is put in force. Returns what it saves, in GBP."""
    from agents.job.kernels.trades import Scene, State, trade  # brings the compiler

    orders, courses = shard.orders, shard.courses
    board = rounds.hard_board(shard, replace(prices, headroom=np.zeros_like(prices.headroom)))
    weights = prices.headroom + 0.05 * prices.headroom.mean() + 1e-9
    scene = Scene(orders, jobs, board, _guides(prices, rng), np.cumsum(weights.ravel()) / weights.sum())
    at_first = float(np.where(courses.place == NOWHERE, orders.row["penalty_gbp"], courses.gbp)[jobs].sum())
    present = np.array([at_first, at_first + float(prices.carbon @ courses.kg)])
    changed = np.zeros(len(orders.row), dtype=np.bool_)
    state = State(courses, courses.place.copy(), courses.level.copy(), changed, present, present.copy())
    warmth = WARMTH * abs(at_first) * np.linspace(1.0, 0.0, trials) ** 2
    for start in range(0, trials, TRIALS_AT_ONCE):
        some = warmth[start : start + TRIALS_AT_ONCE]
        trade(scene, state, some, int(rng.integers(2**31)))
        rounds.tally.trials += len(some)
        if enough(at_first - float(state.least_gbp[0])):
            break
    shard.courses = courses._replace(place=state.best_place, level=state.best_level)
    recount(rounds)
    return at_first - float(state.least_gbp[0])


def _guides(prices: Prices, rng: np.random.Generator) -> FloatArray:
    """(G, S, T) prices of headroom to recreate at: none, the given ones, and the given ones in error."""
    made = [np.zeros_like(prices.headroom), prices.headroom]
    for scale in rng.uniform(0.5, 1.2, GUIDES - len(made)).tolist():
        made.append(scale * rng.lognormal(0.0, 0.08, prices.headroom.shape) * prices.headroom)
    return np.array(made)
