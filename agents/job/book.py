"""The job agent's order book: all open jobs as arrays, answering announced prices with their best bids.

A bid is restricted by the job's window, sites and limits, and, when ``residual_kw`` is given, by what is still free at
the meters. Jobs answer all at once, or in turn: each for what those before it have left.
"""

from __future__ import annotations

import numpy as np

from agents.job.orders import Orders, Standing, Terms
from agents.job.trading import Trading
from core.bid import BidBatch, Market, Prices
from core.instance import Instance
from core.series import BoolArray, FloatArray, IntArray


class JobBook:
    """Bids for every job of an instance."""

    def __init__(self, instance: Instance, market: Market) -> None:
        self.market = market
        self.count = len(instance.jobs)
        self.penalty_gbp = np.array([job.unserved_penalty_gbp for job in instance.jobs], dtype=np.float64)
        self._orders = Orders.of(instance)
        self._unlimited = np.full(market.pue.shape, np.inf)
        self._heard: tuple[Prices, Terms] | None = None

    @property
    def bend(self) -> IntArray:
        """(J,) how much each job can bend to fit in: 0 not at all (block), 1 pausable, 2 elastic."""
        return self._orders.kind

    def bids(
        self,
        prices: Prices,
        jobs: IntArray | None = None,
        residual_kw: FloatArray | None = None,
        sites: BoolArray | None = None,
    ) -> BidBatch:
        """The best bid of each of ``jobs`` (default: all), in that order, for what it costs at ``prices``.

        :param residual_kw: (S, T) kW still free at the meter; None means capacity does not restrict.
        :param sites: (S,) restricts all jobs to these sites.
        :returns: bids whose cost leaves scarcity out and whose value has it in.
        """
        asked = np.arange(self.count) if jobs is None else np.asarray(jobs, dtype=np.int64)
        terms = self._terms(prices) if sites is None else Terms.of(self.market, prices, sites)
        free_kw = self._unlimited if residual_kw is None else residual_kw
        return self._answered(asked, terms, free_kw)

    def bids_in_turn(
        self, prices: Prices, jobs: IntArray, residual_kw: FloatArray, carbon_left_kg: float, ceiling_gbp: FloatArray
    ) -> BidBatch:
        """Bids that fit together: each job takes its best out of ``residual_kw`` (S, T; not changed) before the next.

        :param ceiling_gbp: (n,) a job whose value at ``prices`` is not below this stays out.
        :param carbon_left_kg: a job that would emit more than the ones before it have left stays out.
        """
        return self._answered(jobs, self._terms(prices), residual_kw.copy(), (carbon_left_kg, ceiling_gbp))

    def trading(self, jobs: IntArray, plan: Standing, guides: list[Prices], scarcity: FloatArray) -> Trading:
        """Trials in which some of ``jobs`` trade places in ``plan``; see :class:`Trading`."""
        return Trading(self._orders, self.market, self.penalty_gbp, jobs, plan, guides, scarcity)

    def _terms(self, prices: Prices) -> Terms:
        """The terms at ``prices``; the last ones are kept, because jobs are often asked again at the same."""
        if self._heard is None or self._heard[0] is not prices:
            self._heard = (prices, Terms.of(self.market, prices))
        return self._heard[1]

    def _answered(
        self, jobs: IntArray, terms: Terms, free_kw: FloatArray, in_turn: tuple[float, FloatArray] | None = None
    ) -> BidBatch:
        from agents.job.kernels.course import Answers, Turn, answer  # brings the compiler: only negotiations need it

        turn = Turn(False, np.inf, np.zeros(0)) if in_turn is None else Turn(True, *in_turn)
        power_kw = np.zeros((len(jobs), terms.pue.shape[1]))
        answers = Answers(np.empty(len(jobs), dtype=np.int64), power_kw, np.empty((len(jobs), 3)))
        answer(self._orders, jobs, terms, free_kw, turn, answers)
        return BidBatch(jobs, answers.site, power_kw, *answers.figures.T)
