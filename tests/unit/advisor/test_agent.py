"""The advisor under many readers: a bounded number of questions, a bounded memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.advisor import agent
from agents.advisor.agent import QUESTIONS_AT_ONCE, Advisor
from tests.unit.advisor.decisions import award


class Echo:
    """Says the text again."""

    def __init__(self) -> None:
        self.asked = 0

    def reword(self, text: str) -> str:
        self.asked += 1
        return text


class Slow:
    """Answers only when it is let go."""

    def __init__(self) -> None:
        self.waiting = threading.Semaphore(0)
        self.go = threading.Event()

    def reword(self, text: str) -> str:
        self.waiting.release()
        assert self.go.wait(10)
        return text


def test_a_slow_model_holds_only_a_few_readers_and_the_others_get_the_rules_at_once() -> None:
    wording = Slow()
    advisor = Advisor(wording)
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as readers:
        held = [readers.submit(advisor.explain, award(decision_id=f"dec-{n}")) for n in range(QUESTIONS_AT_ONCE)]
        for _ in held:
            assert wording.waiting.acquire(timeout=10)
        assert advisor.explain(award(decision_id="one-more")).source == "rules"
        wording.go.set()
        assert {reader.result().source for reader in held} == {"model"}
    assert advisor.explain(award(decision_id="one-more")).source == "model"


def test_the_oldest_words_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "MOST_KEPT", 2)
    wording = Echo()
    advisor = Advisor(wording)
    for name in ("a", "b", "c", "c", "b", "a"):
        advisor.explain(award(decision_id=name))
    assert wording.asked == 4


def test_a_fault_of_the_wording_itself_frees_its_place() -> None:
    class Broken:
        def reword(self, text: str) -> str:
            raise RuntimeError("a defect")

    advisor = Advisor(Broken())
    for _ in range(QUESTIONS_AT_ONCE + 1):
        with pytest.raises(RuntimeError):
            advisor.explain(award())
