from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import responses

from agents.energy.client import Client, StoredAnswers
from agents.energy.feed import Ask
from agents.energy.feeds import elexon
from core.vintage import UNITS
from tests.unit.energy.feeds.elexon_answers import FEEDS, SETTINGS, rows_each, samples, utc

START = utc(2026, 11, 20, 10)
NOW = START + timedelta(hours=2, minutes=7)
ELEXON = [name for name in FEEDS if name.startswith("elexon-")]


@pytest.mark.parametrize("name", FEEDS)
def test_every_feed_declares_whose_figures_it_gives_and_serves_great_britain_alone(name):
    feed = FEEDS[name]
    declared = feed.declaration
    assert (feed.serves("GB"), feed.serves("GB-C"), feed.serves("DE-LU")) == (True, False, False)
    assert declared.host in {"elexon.example", "neso.example"}
    assert declared.ready
    assert declared.licence
    assert declared.attribution
    assert declared.least_period >= timedelta(minutes=10)
    assert set(declared.quantities) <= set(UNITS)


def test_no_two_feeds_have_one_name_and_a_base_url_needs_no_slash():
    assert len({feed.declaration.name for feed in elexon.feeds(SETTINGS)}) == len(ELEXON) == 6


@pytest.mark.parametrize("name", ["elexon-frequency", "elexon-demand"])
@responses.activate
def test_the_stored_bytes_give_the_same_series_again(name):
    base = SETTINGS.elexon_url.rstrip("/")
    responses.get(f"{base}/datasets/FREQ", json={"data": samples(START, 500, lambda i: 50 + i % 7 / 100)})
    responses.get(f"{base}/demand/outturn", json={"data": rows_each(START, 4, initialDemandOutturn=30_000)})
    forecast = rows_each(START, 40, nationalDemand=lambda i: 20_000 + i, boundary="N")
    responses.get(f"{base}/forecast/demand/day-ahead/latest", json={"data": forecast})
    client = Client()
    recorder = client.recording(NOW)
    end = START + timedelta(days=2)
    live = FEEDS[name].fetch(Ask("GB", START, end, NOW, recorder))
    client.close()
    again = FEEDS[name].fetch(Ask("GB", START, end, NOW, StoredAnswers(recorder.answers)))
    assert live.series.keys() == again.series.keys()
    for quantity, series in live.series.items():
        assert series.values.tolist() == again.series[quantity].values.tolist()
        assert series.kinds.tolist() == again.series[quantity].kinds.tolist()
    assert {urlsplit(answer.url).netloc for answer in recorder.answers} == {"elexon.example"}
