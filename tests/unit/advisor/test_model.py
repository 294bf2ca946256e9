"""The model's wording, over a transport that answers as the Messages API does."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from loguru import logger

from agents.advisor.agent import REST_S
from agents.advisor.build import build_advisor
from agents.advisor.rules import rule_text
from core.settings import Settings
from tests.unit.advisor.api import KEY, Api, Hand, advisor_over, budget, failing, saying
from tests.unit.advisor.decisions import HASH, award, refusal

GOOD = (
    "By forecast, with simulated figures in it, this runs at iceland for £2.04, which is £1.60 less than the baseline."
)


@pytest.fixture
def logged() -> Any:
    lines: list[str] = []
    handler = logger.add(lines.append, level="DEBUG", format="{message}")
    yield lines
    logger.remove(handler)


def test_a_good_answer_is_shown_as_the_models() -> None:
    found = advisor_over(Api(saying(f" {GOOD}\n"))).explain(award())
    assert (found.text, found.source) == (GOOD, "model")


def test_only_the_rule_based_text_is_sent_with_few_tokens_allowed() -> None:
    api = Api(saying(GOOD))
    advisor_over(api).explain(award())
    (request,) = api.asked
    sent = json.loads(request.content)
    assert sent["messages"] == [{"role": "user", "content": rule_text(award())}]
    assert sent["model"] == "small"
    assert sent["max_tokens"] <= 500
    assert request.extensions["timeout"]["read"] <= 10
    assert HASH not in request.content.decode()


def test_a_decision_is_asked_about_once() -> None:
    api = Api(saying(GOOD))
    advisor = advisor_over(api)
    assert advisor.may_reword(award())
    assert advisor.explain(award()) == advisor.explain(award()) == advisor.at_hand(award())
    assert not advisor.may_reword(award())
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        saying(GOOD.replace("£1.60", "£1.99")),
        saying(GOOD.replace("By forecast, with", "With")),
        saying("I would rather not.", "refusal"),
        saying(None, "refusal"),
        saying(GOOD, "max_tokens"),
        saying(""),
        saying(None),
    ],
    ids=["invented number", "lost label", "refusal", "silent refusal", "cut off", "empty", "no block"],
)
def test_an_answer_that_cannot_be_used_leaves_the_rules_and_is_not_asked_for_again(
    answer: httpx2.Response, logged: list[str]
) -> None:
    api = Api(answer)
    advisor = advisor_over(api)
    for _ in range(2):
        found = advisor.explain(award())
        assert (found.text, found.source) == (rule_text(award()), "rules")
    assert len(api.asked) == 1
    assert len(logged) == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (httpx2.ReadTimeout("slow"), "APITimeoutError"),
        (httpx2.ConnectError("no route"), "APIConnectionError"),
        (failing(401, "authentication_error"), "status 401"),
        (failing(529, "overloaded_error"), "status 529"),
        (
            httpx2.Response(200, text="<html>Sign in to the network", headers={"content-type": "text/html"}),
            "no message",
        ),
        (httpx2.Response(200, text="{", headers={"content-type": "application/json"}), "did not answer"),
        (httpx2.Response(200, json={}), "cut off"),
    ],
    ids=["timeout", "no connection", "401", "529", "captive portal", "broken JSON", "empty object"],
)
def test_a_failure_leaves_the_rules_and_is_logged_once_without_the_key(
    answer: httpx2.Response | Exception, cause: str, logged: list[str]
) -> None:
    hand = Hand()
    advisor = advisor_over(Api(answer), hand)
    for _ in range(3):
        assert advisor.explain(award()).source == "rules"
        hand.seconds += REST_S
    assert len(logged) == 1
    assert cause in logged[0]
    assert KEY not in logged[0]


def test_after_a_failure_nothing_is_asked_for_a_while_then_again() -> None:
    api, hand = Api(failing(529, "overloaded_error")), Hand()
    advisor = advisor_over(api, hand)
    advisor.explain(award())
    assert not advisor.may_reword(refusal())
    advisor.explain(refusal())
    assert len(api.asked) == 1
    api.answer = saying(GOOD)
    hand.seconds = REST_S
    assert advisor.explain(award()).source == "model"


def test_without_a_key_the_rules_speak_and_nobody_is_asked() -> None:
    advisor = build_advisor(Settings(_env_file=None, anthropic_api_key=None))
    assert not advisor.may_reword(award())
    assert advisor.explain(award()).source == "rules"


def test_with_a_key_a_model_may_be_asked() -> None:
    assert build_advisor(Settings(_env_file=None, anthropic_api_key=KEY)).may_reword(award())


def test_what_the_rules_wrote_says_why_the_model_did_not() -> None:
    api, hand = Api(failing(529, "overloaded_error")), Hand()
    advisor = advisor_over(api, hand)
    assert advisor.explain(award()).note == "the advisor's model answered with status 529"
    hand.seconds = REST_S
    api.answer = saying(GOOD.replace("£1.60", "£1.99"))
    assert "1.99 is not in the text" in advisor.explain(award()).note
    api.answer = saying("I would rather not.", "refusal")
    assert "declined" in advisor.explain(refusal()).note


@pytest.mark.parametrize(
    ("headers", "rest_s"),
    [
        ({"retry-after": "300"}, 300.0),
        ({"retry-after": "1e9"}, 3600.0),
        ({"retry-after": "soon"}, REST_S),
        ({}, REST_S),
    ],
)
def test_where_it_is_asked_too_often_it_rests_as_long_as_it_is_told_within_reason(
    headers: dict[str, str], rest_s: float
) -> None:
    api, hand = Api(failing(429, "rate_limit_error", **headers)), Hand()
    advisor = advisor_over(api, hand)
    assert "asked too often just now (status 429)" in advisor.explain(award()).note
    hand.seconds = rest_s - 1
    assert not advisor.may_reword(award())
    hand.seconds = rest_s
    assert advisor.may_reword(award())


def test_beyond_the_tokens_of_a_day_nobody_is_asked() -> None:
    api = Api(saying(GOOD))
    found = advisor_over(api, tokens=budget(600)).explain(award())
    assert (found.source, found.note) == ("rules", "the advisor has used its tokens for today")
    assert api.asked == []


def test_a_request_counts_what_it_used_not_what_it_reserved() -> None:
    api, hand, tokens = Api(saying(GOOD)), Hand(), budget(2_000)
    advisor = advisor_over(api, hand, tokens)
    for number in range(3):
        advisor.explain(award(decision_id=f"dec-{number}"))
    assert len(api.asked) == 3
    assert tokens.reserve(2_000 - 3 * 400)
    assert not tokens.reserve(1)
