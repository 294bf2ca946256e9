"""Rounds of prices: boards are announced, jobs take turns, site terms answer, prices move, bounds are proved.

One round:  board -> turns of all jobs, shard by shard -> answers of the site terms -> scenario weights -> prices
A proof:    prices -> best answers of all jobs and terms -> lower bound (agents/policy/certificate.py)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.allowance import Tally
from agents.job.book import JobBook, Shard
from agents.job.orders import Board, Courses
from agents.messages import RoundSummary
from agents.policy.certificate import lower_bound_gbp
from agents.policy.prices import BOUNDLESS, PriceRounds
from agents.policy.risk import RiskWeights
from agents.policy.terms import Schedule, SiteTerm
from core.market import TOLERANCE_KW, Market, Prices
from core.series import FloatArray

LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Settled:
    """What is in force whatever is planned: energy of frozen courses (K,) in each scenario, and their other costs."""

    energy_gbp: FloatArray
    other_gbp: float


class Rounds:
    """The state of one negotiation."""

    def __init__(
        self,
        market: Market,
        book: JobBook,
        terms: Sequence[SiteTerm],
        risk: RiskWeights,
        settled: Settled,
        rng: np.random.Generator,
        opening: Prices,
    ) -> None:
        self.market, self.book, self.terms, self.risk, self.settled = market, book, tuple(terms), risk, settled
        self.summaries: list[RoundSummary] = []
        self.tally = Tally()
        self._rng = rng
        self._settled_cost = None if risk.moves else market.cost_gbp_per_kw(risk.weights)
        dearest = max((shard_dearest(shard) for shard in book.shards if len(shard.rows)), default=1.0)
        self.announced = PriceRounds.start(market, dearest, opening)
        free = self.rates(self.announced.prices.headroom)
        self.schedules: list[Schedule] = [term.respond(free[term.site]) for term in self.terms]
        self.most_gbp: list[FloatArray] = book.ceilings([shard.orders.row["penalty_gbp"] * 0 for shard in book.shards])
        self.served = 0
        self._answered = 0

    @property
    def cost(self) -> FloatArray:
        """(S, T): what one IT kW for one slot costs at the present weights."""
        return self.market.cost_gbp_per_kw(self.risk.weights) if self._settled_cost is None else self._settled_cost

    def rates(self, headroom: FloatArray) -> FloatArray:
        """(S, T): what one kW at the meter costs for one slot at the present weights and these prices of headroom."""
        return np.asarray(self.cost / self.market.pue + headroom)

    def terms_kw(self) -> FloatArray:
        """(S, T): what the site terms draw at the meters."""
        total = np.zeros(self.market.shape)
        for term, schedule in zip(self.terms, self.schedules, strict=True):
            total[term.site] += schedule.draw_kw
        return total

    def round(self, progress: float) -> None:
        """One round; ``progress`` is the share of all rounds that are over."""
        self.book.take_turns(self._boards(progress), self.most_gbp, self._rng)
        self._answers_of_terms(progress)
        if self.risk.moves:
            self.risk.observe(self.energy_gbp())
        self.announced.move(self._over(), self.risk.weights, progress)
        self.tally.rounds += 1

    def turns_of_the_others(self) -> None:
        """Jobs that are out take a turn as in a last round; prices stay."""
        self.book.take_turns(self._boards(1.0), self.most_gbp, self._rng, only_out=True)

    def prove(self, keep: bool = False) -> list[Courses]:
        """Prove the bound at the present prices; whether gangs are better served is decided anew from the answers.

        Returns, to ``keep``, each shard's answers, with their own costs at the weights of these prices.
        """
        prices = self.announced.prices
        board = self.book.board(self.market.cost_gbp_per_kw(prices.weights), prices)
        floors, courses = self.book.answers(board, keep)
        self.most_gbp = self.book.ceilings(floors)
        bound = lower_bound_gbp(self.book.least_gbp(floors), self.terms, prices, self.market)
        self.announced.observe(bound)
        self.served = int(sum((floor < most).sum() for floor, most in zip(floors, self.most_gbp, strict=True)))
        return courses

    def note(self, objective_gbp: float) -> None:
        """Keep what the dashboard and the record tell of a round."""
        bound = self.announced.best_bound_gbp + self.settled_gbp()
        self.summaries.append(RoundSummary(len(self.summaries) + 1, bound, objective_gbp, self.served))

    def settled_gbp(self) -> float:
        """What is frozen costs in the proof: its energy at the weights of the best prices."""
        return float(self.announced.best.weights @ self.settled.energy_gbp) + self.settled.other_gbp

    @property
    def bound_gbp(self) -> float:
        """The best bound proved, what is frozen included."""
        return self.announced.best_bound_gbp + self.settled_gbp()

    def energy_gbp(self) -> FloatArray:
        """(K,): energy of everything in each scenario."""
        load = self.book.drawn()[0] + self.terms_kw()
        per_kw = self.market.scenario_gbp_per_kw / self.market.pue
        return np.asarray(np.einsum("kst,st->k", per_kw, load) + self.settled.energy_gbp)

    def objective_gbp(self) -> float:
        """What the present courses and schedules cost, penalties included; own costs must be at the present weights."""
        energy = self.energy_gbp()
        jobs_kw = self.book.drawn()[0]
        jobs_energy = float((self.cost / self.market.pue * jobs_kw).sum())
        other = self.book.objective_gbp() - jobs_energy + sum(schedule.own_gbp for schedule in self.schedules)
        return self.risk.total_gbp(energy) + other + self.settled.other_gbp

    def _over(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What is drawn beyond the rooms, (S, T) headroom, (P, T) hardware and (C,) carbon; below nought: free."""
        load, hardware, kg = self.book.drawn()
        market = self.market
        limits = np.minimum(market.hardware_kw, BOUNDLESS)
        return load + self.terms_kw() - market.headroom_kw, hardware - limits, kg - market.cap_kg

    def fits(self) -> bool:
        """Whether nothing is drawn beyond the rooms."""
        headroom, hardware, carbon = self._over()
        return bool((headroom <= TOLERANCE_KW).all() and (hardware <= TOLERANCE_KW).all() and (carbon <= 0).all())

    def _boards(self, progress: float) -> list[Board]:
        """A board for each shard: what is beyond the rooms is shared among them, and each counts for all of them."""
        shards = self.book.shards
        over, slopes, count = self._over(), self.announced.slopes(progress), len(shards)
        board = self.book.board(self.cost, self.announced.prices)
        return [
            board._replace(
                headroom_slope=count * slopes[0],
                headroom_room=shard.courses.load_kw - over[0] / count,
                hardware_slope=count * slopes[1],
                hardware_room=shard.courses.hardware_kw - over[1] / count,
                carbon_slope=count * slopes[2],
                carbon_room=shard.courses.kg - over[2] / count,
            )
            for shard in shards
        ]

    def _answers_of_terms(self, progress: float) -> None:
        """The terms move towards their best answers to the prices at these loads, by ever smaller steps."""
        if self.terms:
            slope = self.announced.slopes(progress)[0]
            rates = self.rates(np.maximum(0.0, self.announced.prices.headroom + slope * self._over()[0]))
            self._answered += 1
            share = max(LEAST_SHARE, 2 / (self._answered + 2))
            self.schedules = [
                schedule.towards(term.respond(rates[term.site]), share)
                for term, schedule in zip(self.terms, self.schedules, strict=True)
            ]

    def at(self, prices: Prices) -> None:
        """Announce given prices."""
        self.announced.prices = prices

    def hard_board(self, shard: Shard, prices: Prices) -> Board:
        """A board for one shard at fixed prices on which jobs must fit into what the others leave."""
        load, hardware, kg = self.book.drawn()
        own = shard.courses
        return self.book.board(self.cost, prices)._replace(
            hard=True,
            headroom_room=self.market.headroom_kw - self.terms_kw() - (load - own.load_kw),
            hardware_room=self.market.hardware_kw - (hardware - own.hardware_kw),
            carbon_room=self.market.cap_kg - (kg - own.kg),
        )


def shard_dearest(shard: Shard) -> float:
    """GBP per kW and slot at the meter at which none of the jobs would run."""
    least_kw = np.where(np.isfinite(shard.orders.level_kw), shard.orders.level_kw, np.inf).min(axis=1)
    return float((shard.orders.row["penalty_gbp"] / np.maximum(least_kw, 1e-6)).max(initial=1e-6))


def scarce(prices: Prices, factor: float) -> Prices:
    """The same carbon prices, with those of headroom and hardware scaled."""
    return replace(prices, headroom=factor * prices.headroom, hardware=factor * prices.hardware)
