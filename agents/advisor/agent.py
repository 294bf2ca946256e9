"""The advisor: explains a decision from its record. It words; it never sets a figure."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from loguru import logger

from agents.advisor.figures import faults
from agents.advisor.rules import rule_text
from agents.advisor.wording import Wording, WordingFailed

QUESTIONS_AT_ONCE = 4
REST_S = 60.0
"""real seconds for which nothing is asked after a failure"""
MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision explained, and by whom it was worded."""

    text: str
    source: Literal["rules", "model"]


class Advisor:
    """Explains decisions by rules; where it has a ``wording``, in its words.

    What is worded is accepted only when each of its figures is in the rule-based text and no label is lost. A decision
    is worded once, kept in memory by its id; what was declined or not accepted is not asked again. A failure is logged
    once for each cause, and for :data:`REST_S` nothing is asked. Safe for threads.
    """

    def __init__(self, wording: Wording | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wording = wording
        self._monotonic = monotonic
        self._worded: OrderedDict[str, str | None] = OrderedDict()
        self._lock = threading.Lock()
        self._asking = threading.BoundedSemaphore(QUESTIONS_AT_ONCE)
        self._resting_until = float("-inf")
        self._logged: set[str] = set()

    def explain(self, decision: Mapping[str, Any]) -> Explanation:
        """The best text there is for the body of a ``decision`` record; may wait for the wording."""
        wording = self._wording
        if wording and self.may_reword(decision) and self._asking.acquire(blocking=False):
            try:
                self._ask(wording, decision["decision_id"], rule_text(decision))
            finally:
                self._asking.release()
        return self.at_hand(decision)

    def at_hand(self, decision: Mapping[str, Any]) -> Explanation:
        """The text that is ready now, without waiting."""
        with self._lock:
            worded = self._worded.get(decision["decision_id"])
        return Explanation(worded, "model") if worded else Explanation(rule_text(decision), "rules")

    def may_reword(self, decision: Mapping[str, Any]) -> bool:
        """True when :meth:`explain` would ask for a wording just now."""
        with self._lock:
            fresh = decision["decision_id"] not in self._worded
            return self._wording is not None and fresh and self._monotonic() >= self._resting_until

    def _ask(self, wording: Wording, decision_id: str, text: str) -> None:
        try:
            answer = wording.reword(text)
        except WordingFailed as failure:
            with self._lock:
                self._resting_until = self._monotonic() + REST_S
            self._log_once(f"{failure}.", failure.remedy)
            return
        found = faults(answer, text) if answer else ("it declined or was cut off",)
        if found:
            self._log_once("A wording of the advisor's model was not used, the rule-based text is.", found[0])
        self._keep(decision_id, None if found else answer)

    def _keep(self, decision_id: str, worded: str | None) -> None:
        with self._lock:
            self._worded[decision_id] = worded
            while len(self._worded) > MOST_KEPT:
                self._worded.popitem(last=False)

    def _log_once(self, cause: str, detail: str = "") -> None:
        with self._lock:
            known = cause in self._logged
            self._logged.add(cause)
        if not known:
            logger.warning("{} {}", cause, detail)
