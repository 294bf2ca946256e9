"""A mixed-integer programme put together column by column and row by row, and solved by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Term = tuple[ArrayLike, ArrayLike, ArrayLike]
"""numbers of rows, of columns, and what the columns are multiplied with there: arrays of one shape, or one figure"""
TIGHT = 1e-9
OPTIONS = {
    "output_flag": False,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": TIGHT,
    "mip_feasibility_tolerance": TIGHT,
    "primal_feasibility_tolerance": TIGHT,
    "dual_feasibility_tolerance": TIGHT,
}
STATUS = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnboundedOrInfeasible: "infeasible",
    highspy.HighsModelStatus.kTimeLimit: "stopped",
}
KINDS = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)


@dataclass(frozen=True)
class Solution:
    """What HiGHS found.

    :ivar status: ``optimal``, ``infeasible``, or ``stopped`` at the time limit.
    :ivar value: objective of the best solution found, infinity for none; no solution is below ``bound``.
    :ivar columns: the solution; ``duals`` those of the rows, where nothing had to be whole.
    """

    status: str
    value: float
    bound: float
    columns: Array
    duals: Array


@dataclass
class Program:
    """Minimise cost over columns within bounds and rows within limits."""

    constant: float = 0.0
    width: int = 0
    height: int = 0
    _columns: list[Array] = field(default_factory=list)
    _limits: list[Array] = field(default_factory=list)
    _terms: list[Array] = field(default_factory=list)

    def columns(
        self, count: int, cost: ArrayLike = 0.0, *, lower: ArrayLike = 0.0, upper: ArrayLike = 1.0, whole: bool = True
    ) -> Ints:
        """Add columns, binary unless said otherwise; returns their numbers."""
        self._columns.append(_table(count, cost, lower, upper, whole))
        self.width += count
        return np.arange(self.width - count, self.width)

    def rows(self, count: int, *terms: Term, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf) -> slice:
        """Add rows; a term numbers them from 0. Returns where they are."""
        self._limits.append(_table(count, lower, upper))
        for term in terms:
            row, column, weight = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in term))
            self._terms.append(np.stack([row.ravel() + self.height, column.ravel(), weight.ravel()]))
        self.height += count
        return slice(self.height - count, self.height)

    def charge(self, cost: Array) -> None:
        """Add to the cost of all columns so far (width,)."""
        self._columns = [np.concatenate([np.zeros((4, 0)), *self._columns], axis=1)]
        self._columns[0][0] += cost

    def solve(self, *, relaxed: bool, time_limit_s: float, height: int | None = None) -> Solution:
        """The best solution under the first ``height`` rows (all), columns whole where they must be unless relaxed."""
        if not self.width:
            feasible = all(np.all((limits[0] <= 0) & (limits[1] >= 0)) for limits in self._limits)
            value = self.constant if feasible else np.inf
            return Solution("optimal" if feasible else "infeasible", value, value, np.zeros(0), np.zeros(self.height))
        solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, option in OPTIONS.items():
            solver.setOptionValue(name, option)
        solver.setOptionValue("time_limit", time_limit_s)
        solver.passModel(self._model(relaxed, self.height if height is None else height))
        solver.run()
        info, solution = solver.getInfo(), solver.getSolution()
        status = STATUS.get(solver.getModelStatus())
        if status is None:
            raise RuntimeError(f"HiGHS: {solver.modelStatusToString(solver.getModelStatus())}")
        found = solution.value_valid and status != "infeasible"
        value = float(info.objective_function_value) if found else np.inf
        return Solution(
            status=status,
            value=value,
            bound=value if status == "optimal" else np.inf if status == "infeasible" else float(info.mip_dual_bound),
            columns=np.array(solution.col_value if found else []),
            duals=np.array(solution.row_dual),
        )

    def _model(self, relaxed: bool, height: int) -> highspy.HighsLp:
        cost, lower, upper, whole = np.concatenate(self._columns, axis=1)
        row_lower, row_upper = np.concatenate([np.zeros((2, 0)), *self._limits], axis=1)[:, :height]
        row, column, weight = np.concatenate([np.zeros((3, 0)), *self._terms], axis=1)
        kept = row < height
        place = (row[kept].astype(np.int32), column[kept].astype(np.int32))
        matrix = sparse.coo_array((weight[kept], place), shape=(height, self.width)).tocsr()
        model = highspy.HighsLp()
        model.num_col_, model.num_row_, model.offset_ = self.width, height, self.constant
        model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
        model.row_lower_, model.row_upper_ = row_lower, row_upper
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
        model.a_matrix_.value_ = matrix.data
        if not relaxed:
            model.integrality_ = [KINDS[int(number)] for number in whole.tolist()]
        return model


def _table(count: int, *figures: ArrayLike) -> Array:
    """(figures, count) each as a row."""
    return np.array([np.broadcast_to(np.asarray(figure, dtype=float), (count,)) for figure in figures])
