"""The advisor: explains decisions from their records and drafts jobs from sentences. It words; it sets no figure."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from loguru import logger

from agents.advisor.drafts import Draft, model_draft, rule_draft, sentence_of
from agents.advisor.figures import faults
from agents.advisor.rules import rule_text
from agents.advisor.sentence import Sentence
from agents.advisor.wording import Drafting, ModelFailed, Wording
from core.errors import InputError

QUESTIONS_AT_ONCE = 4
REST_S = 60.0
"""real seconds for which nothing is asked after a failure that does not say how long"""
MOST_KEPT = 2000
BUSY = "the advisor's model is busy with other questions"
RESTING = "the advisor's model did not answer lately and is left in peace for a while"
DECLINED = "the advisor's model declined, or its answer was cut off"
UNUSABLE = "the draft of the advisor's model could not be used"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision explained, and by whom it was worded; ``note`` says why the rules did where a model was to."""

    text: str
    source: Literal["rules", "model"]
    note: str = ""


class Advisor:
    """Explains decisions by rules; where it has a ``wording``, in its words. Drafts jobs likewise.

    What is worded is accepted only when each of its figures is in the rule-based text and no label is lost. A decision
    is worded once, kept in memory by its id; what was declined or not accepted is not asked again. A failure is logged
    once for each cause, and for a while nothing is asked. Safe for threads.
    """

    def __init__(
        self,
        wording: Wording | None,
        monotonic: Callable[[], float] = time.monotonic,
        drafting: Drafting | None = None,
    ) -> None:
        self._wording = wording
        self._drafting = drafting
        self._monotonic = monotonic
        self._worded: OrderedDict[str, tuple[str | None, str]] = OrderedDict()
        self._lock = threading.Lock()
        self._asking = threading.BoundedSemaphore(QUESTIONS_AT_ONCE)
        self._resting_until = float("-inf")
        self._logged: set[str] = set()
        self._note = ""

    def explain(self, decision: Mapping[str, Any]) -> Explanation:
        """The best text there is for the body of a ``decision`` record; may wait for the wording."""
        wording = self._wording
        if wording and self.may_reword(decision):
            with self._a_question() as free:
                if free:
                    self._ask(wording, decision["decision_id"], rule_text(decision))
        return self.at_hand(decision)

    def at_hand(self, decision: Mapping[str, Any]) -> Explanation:
        """The text that is ready now, without waiting."""
        with self._lock:
            worded, note = self._worded.get(decision["decision_id"], (None, self._note))
        return Explanation(worded, "model") if worded else Explanation(rule_text(decision), "rules", note)

    def may_reword(self, decision: Mapping[str, Any]) -> bool:
        """True when :meth:`explain` would ask for a wording just now."""
        with self._lock:
            fresh = decision["decision_id"] not in self._worded
            return self._wording is not None and fresh and self._monotonic() >= self._resting_until

    def draft(self, text: str, now: datetime, places: Mapping[str, str]) -> Draft:
        """A job drafted from a sentence; may wait for the model.

        :param places: names of regions, with the region of each.
        :raises InputError: the sentence is empty or too long, or no job can be made of it.
        """
        sentence = sentence_of(text, now, places)
        if self._drafting is None:
            return rule_draft(sentence)
        with self._lock:
            resting = self._monotonic() < self._resting_until
        if resting:
            return rule_draft(sentence, RESTING)
        with self._a_question() as free:
            return self._drafted(self._drafting, sentence) if free else rule_draft(sentence, BUSY)

    def _drafted(self, drafting: Drafting, sentence: Sentence) -> Draft:
        """The model's draft, or that of the rules with a note of why."""
        try:
            proposed = drafting.propose(sentence)
        except ModelFailed as failure:
            self._rest(failure)
            return rule_draft(sentence, str(failure))
        if proposed is None:
            return rule_draft(sentence, DECLINED)
        try:
            return model_draft(sentence, proposed)
        except InputError:
            return rule_draft(sentence, UNUSABLE)

    @contextmanager
    def _a_question(self) -> Iterator[bool]:
        """One of the questions that may be asked at once; False when there is none left."""
        free = self._asking.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._asking.release()

    def _ask(self, wording: Wording, decision_id: str, text: str) -> None:
        try:
            answer = wording.reword(text)
        except ModelFailed as failure:
            self._rest(failure)
            return
        found = faults(answer, text) if answer else (DECLINED,)
        if found:
            self._log_once("A wording of the advisor's model was not used, the rule-based text is.", found[0])
        self._keep(decision_id, None if found else answer, found[0] if found else "")

    def _rest(self, failure: ModelFailed) -> None:
        """Ask nothing for as long as the failure says."""
        with self._lock:
            self._resting_until = self._monotonic() + (failure.rest_s or REST_S)
            self._note = str(failure)
        self._log_once(f"{failure}.", failure.remedy)

    def _keep(self, decision_id: str, worded: str | None, note: str) -> None:
        with self._lock:
            self._worded[decision_id] = (worded, note)
            self._note = ""
            while len(self._worded) > MOST_KEPT:
                self._worded.popitem(last=False)

    def _log_once(self, cause: str, detail: str = "") -> None:
        with self._lock:
            known = cause in self._logged
            self._logged.add(cause)
        if not known:
            logger.warning("{} {}", cause, detail)
