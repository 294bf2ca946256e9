"""HiGHS without a modelling layer: rows and columns in, values and bound out."""

from __future__ import annotations

from dataclasses import dataclass, field

import highspy
import numpy as np
from scipy import sparse

from benchmarks.peers.forms import NoAnswer
from benchmarks.peers.problem import Array, Ints, Mask

INFINITY = highspy.kHighsInf


@dataclass
class Model:
    """Minimise ``cost @ x`` with ``0 <= x <= 1`` and rows between ``low`` and ``high``; entries gather in triplets."""

    cost: Array
    entries: list[tuple[Ints, Ints, Array]] = field(default_factory=list)
    low: list[Array] = field(default_factory=list)
    high: list[Array] = field(default_factory=list)
    height: int = 0

    def add_rows(self, row: Ints, column: Ints, value: Array, low: Array, high: Array) -> None:
        """Rows ``0 .. low.size`` of their own: ``row`` counts from the first of them."""
        self.entries.append((row + self.height, column, value))
        self.low.append(low)
        self.high.append(high)
        self.height += low.size

    def solve(self, integer: Mask | None, time_limit_s: float, gap: float = 1e-4) -> tuple[Array, float, float, bool]:
        """Values, objective, proven bound, and whether it was solved to the end; raises :class:`NoAnswer`."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its constructor is not annotated
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("time_limit", time_limit_s)
        solver.setOptionValue("mip_rel_gap", gap)
        solver.passModel(self._program(integer))
        solver.run()
        status, info = solver.getModelStatus(), solver.getInfo()
        values = np.array(solver.getSolution().col_value)
        solved = status == highspy.HighsModelStatus.kOptimal
        if not values.size or info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            raise NoAnswer(f"no solution in {time_limit_s:g} s: {solver.modelStatusToString(status)}")
        objective = info.objective_function_value
        bound = info.mip_dual_bound if integer is not None else objective if solved else -np.inf
        return values, objective, bound, solved

    def _program(self, integer: Mask | None) -> highspy.HighsLp:
        row, column, value = (np.concatenate(parts) for parts in zip(*self.entries, strict=True))
        matrix = sparse.csc_matrix((value, (row, column)), shape=(self.height, self.cost.size))
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = self.cost.size, self.height
        program.col_cost_ = self.cost
        program.col_lower_, program.col_upper_ = np.zeros(self.cost.size), np.ones(self.cost.size)
        program.row_lower_, program.row_upper_ = np.concatenate(self.low), np.concatenate(self.high)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
        program.a_matrix_.value_ = matrix.data
        if integer is not None:
            kinds = np.array([highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger])
            program.integrality_ = kinds[integer.astype(int)].tolist()
        return program
