"""Bitcoin from mempool.space."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agents.energy.feed import Ask
from agents.energy.feeds.mempool import feeds, hashprice_gbp_per_ph_day
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.settings import Settings
from core.vintage import RawAnswer

NOW = datetime(2026, 11, 20, 12, 10, tzinfo=UTC)
SLOT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
(FEED,) = feeds(Settings(_env_file=None))


def bodies(difficulty=1e14, gbp=100_000, quoted_s=NOW_S - 300, retarget_ms=(NOW_S + 4 * 3600) * 1000):
    return {
        "mining/hashrate/3d": {"currentHashrate": 7e20, "currentDifficulty": difficulty},
        "prices": {"time": quoted_s, "USD": 131_000, "EUR": 116_000, "GBP": gbp},
        "difficulty-adjustment": {"remainingBlocks": 24, "estimatedRetargetDate": retarget_ms},
    }


def fetch(given, start=SLOT - timedelta(days=1), end=SLOT + timedelta(days=7), now=NOW):
    def get(url, parameters=None, *, authorise=None):
        body = given[url.removeprefix("https://mempool.space/api/v1/")]
        return RawAnswer.of(url, "application/json", json.dumps(body).encode())

    return FEED.fetch(Ask("BTC", start, end, now, get)).series


def test_hashprice_follows_difficulty_subsidy_and_price():
    assert hashprice_gbp_per_ph_day(1e14, 100_000) == pytest.approx(62.86, abs=0.005)
    assert hashprice_gbp_per_ph_day(126.41e12, 103_000) * 3.155 / 3.125 == pytest.approx(51.7, abs=0.05)


def test_the_present_slot_is_an_estimate_in_pounds():
    series = fetch(bodies())
    assert (series["hashprice"].unit, series["bitcoin_price"].unit) == (Unit.GBP_PER_PH_DAY, Unit.GBP)
    assert series["hashprice"].values.tolist() == pytest.approx([62.86], abs=0.005)
    assert series["bitcoin_price"].values.tolist() == [100_000]
    assert {one.kinds[0] for one in series.values()} == {Kind.ESTIMATE}
    assert {one.start for one in series.values()} == {SLOT}
    assert "without fees" in series["hashprice"].source


def test_difficulty_is_known_until_the_retarget_and_no_further():
    difficulty = fetch(bodies())["difficulty"]
    assert difficulty.kinds.tolist() == [Kind.ESTIMATE] + [Kind.FORECAST] * 7
    assert difficulty.end == SLOT + timedelta(hours=4)
    assert set(difficulty.values.tolist()) == {1e14}


def test_difficulty_ends_with_the_ask():
    assert len(fetch(bodies(), end=SLOT + timedelta(hours=1))["difficulty"]) == 2


def test_a_retarget_within_the_slot_leaves_the_present_alone():
    assert len(fetch(bodies(retarget_ms=(NOW_S - 60) * 1000))["difficulty"]) == 1


def test_seconds_are_never_taken_for_milliseconds():
    with pytest.raises(FeedInvalid, match="retarget"):
        fetch(bodies(retarget_ms=NOW_S + 4 * 3600))


def test_an_old_price_is_no_price():
    with pytest.raises(FeedInvalid, match="the price is of 2026-11-13"):
        fetch(bodies(quoted_s=NOW_S - 7 * 86_400))


@pytest.mark.parametrize(
    "given",
    [
        bodies(gbp=-1),
        bodies(gbp=None),
        bodies(gbp=True),
        bodies(difficulty=0),
        bodies(difficulty="1e14"),
        bodies() | {"prices": {}},
        bodies() | {"difficulty-adjustment": []},
        bodies() | {"mining/hashrate/3d": {"difficulty": [1]}},
    ],
)
def test_a_broken_answer_gives_no_figure(given):
    with pytest.raises(FeedInvalid):
        fetch(given)


@pytest.mark.parametrize("days", [-3, 3])
def test_neither_the_past_nor_the_future_alone_is_answered(days):
    with pytest.raises(FeedInvalid, match="the present alone"):
        fetch(bodies(), SLOT + timedelta(days=days), SLOT + timedelta(days=days + 1))


def test_bitcoin_is_its_one_zone():
    assert FEED.serves("BTC")
    assert not FEED.serves("GB")
    assert set(FEED.declaration.quantities) == set(fetch(bodies()))
