"""Signals, on the page and over the API: how feeds stand, what they answered, how right forecasts were."""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from agents.energy.calibration import LEAD_EDGES, Errors
from agents.energy.feed import Finding, Flag
from agents.messages import Notice
from core.errors import FeedUnreachable
from core.score import Score
from core.series import Kind, Series, Unit
from core.slots import SLOT, slot_floor
from core.vintage import Fetch, RawAnswer
from tests.unit.web.fakes import NOW
from tests.unit.web.live import LiveHouse, live_house
from web.application import create_app
from web.metrics import Metrics
from web.pages.curves import Curves, Panel, chart_data, scale, stretches
from web.pages.drawing import drawing
from web.pages.frame import banners

SLOT_NOW = slot_floor(NOW)
FEEDS = " Feeds Zone All"
"""Where the list of sources begins."""
FOUND = Finding(Flag.OUTLIER, "price", SLOT_NOW, SLOT_NOW + SLOT, "20 p/kWh is 9 times its usual spread off.")


@pytest.fixture
def live(tmp_path: Path) -> LiveHouse:
    return live_house(tmp_path)


def client_of(live: LiveHouse) -> FlaskClient:
    return create_app(live.house.services).test_client()


def page(live: LiveHouse, address: str = "/signals") -> str:
    answer = client_of(live).get(address, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return words(answer.text)


def words(markup: str) -> str:
    """What a reader sees, with single spaces."""
    body = re.sub(r"<(script|svg).*?</\1>|data-chart=\"[^\"]*\"", "", markup, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def source(text: str, title: str) -> str:
    """The part of the page's words about one source."""
    start = text.index(title, text.index(FEEDS))
    end = text.find("About this source", start)
    return text[start : end if end > 0 else None]


def score_of(**changes: Any) -> Score:
    plain: dict[str, Any] = {
        "model": "asinh-ridge-1", "zone": "GB-C", "quantity": "price", "day_ahead": 1, "scored_at": NOW, "slots": 384,
        "mae": 0.03, "naive_mae": 0.06, "slot_mean_mae": 0.04, "coverage": 0.91, "level": 0.9,
    }  # fmt: skip
    return Score(**plain | changes)


# -- the page -------------------------------------------------------------------------------------------------------


def test_a_live_feed_shows_its_vintage_its_age_and_how_far_it_knows(live: LiveHouse) -> None:
    live.house.clock.advance(timedelta(minutes=12))
    shown = source(page(live), "Octopus-Agile")
    assert "GB-C London live Fri 20 Nov 14:10 UTC 12 min ago" in shown
    assert "Sat 21 Nov 14:00 UTC" in shown
    assert live.house.vintages.kept[0].fetch_id[6:14] in shown


def test_a_stale_feed_says_why_and_when_it_is_asked_again_and_comes_first(live: LiveHouse) -> None:
    live.carbon.fault = FeedUnreachable("feed.example did not answer in 20 s.")
    live.at(NOW + timedelta(hours=1))
    shown = page(live)
    assert shown.index("Carbon-Intensity Carbon intensity stale") < shown.index("Octopus-Agile Price live")
    assert "stale feed.example did not answer in 20 s. The last good figures stay in use" in source(
        shown, "Carbon-Intensity"
    )
    assert "Fri 20 Nov 15:11 UTC" in source(shown, "Carbon-Intensity")
    assert "Stale figures from Carbon-Intensity for GB-C since Fri 20 Nov 15:10 UTC" in shown


def test_findings_stand_beside_the_feed_and_the_curve(live: LiveHouse) -> None:
    live.price.findings = (FOUND,)
    live.at(NOW + timedelta(minutes=5))
    shown = page(live)
    assert "outlier 20 p/kWh is 9 times its usual spread off." in source(shown, "Octopus-Agile")
    assert "outlier Fri 20 Nov 14:00–14:30 UTC: 20 p/kWh" in shown[: shown.index(FEEDS)]
    assert "1 noted" in shown


def test_a_feed_without_its_key_says_which_setting_to_fill(live: LiveHouse) -> None:
    shown = source(page(live), "Electricity-Maps")
    assert "no key" in shown
    assert "ELECTRICITY_MAPS_KEY is not set" in shown


def test_each_source_says_under_which_licence_and_what_is_left_out(live: LiveHouse) -> None:
    shown = page(live)
    assert "Licence none Figures by figures of octopus-agile Units As they are." in shown
    assert "Limits 100 requests in 60 s Used Everything." in shown


def test_filters_of_zone_and_state_leave_the_others_out(live: LiveHouse) -> None:
    live.carbon.fault = FeedUnreachable("down")
    live.at(NOW + timedelta(hours=1))
    stale = page(live, "/signals?state=stale")
    assert "Carbon-Intensity Carbon intensity stale" in stale
    assert "Octopus-Agile Price" not in stale
    assert "Octopus-Agile Price" not in page(live, "/signals?feeds=NO-NO2")
    assert "No feed matches. Show all feeds" in page(live, "/signals?state=stale&feeds=NO-NO2")


@pytest.mark.parametrize("query", ["zone=XX", "state=fine", "days=99", "zone=GB-C%00"])
def test_what_there_is_not_is_a_404_that_says_what_there_is(live: LiveHouse, query: str) -> None:
    answer = client_of(live).get(f"/signals?{query}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Use one of" in answer.text


def test_the_curves_show_the_interval_and_where_publication_ends(live: LiveHouse) -> None:
    markup = client_of(live).get("/signals?quantity=price").text
    assert markup.count('class="band band-price"') >= 1
    assert "Price is published until Sat 21 Nov 14:00 UTC" in words(markup)
    assert '<text class="mark-label"' in markup
    assert markup.count("published until</text>") == 1


def test_the_curves_go_back_a_day_and_as_far_ahead_as_asked(live: LiveHouse) -> None:
    table = client_of(live).get("/signals?days=2").text
    assert table.count('<tr><th scope="row">') == 3 * 48
    assert "Thu 19 Nov 14:00 UTC" in table
    assert "Sun 22 Nov 13:30 UTC" in table


def test_other_quantities_of_the_zone_can_be_chosen(live: LiveHouse) -> None:
    shown = page(live, "/signals?quantity=share_gas")
    assert "Gas share now 40.0 %" in shown


def test_the_generation_mix_is_shown_where_it_is_known(live: LiveHouse) -> None:
    assert "Generation mix Fri 20 Nov 14:00 UTC, forecast. carbon-mix. Gas 40.0" in page(live)
    assert "Generation mix Fri" not in page(live, "/signals?zone=NO-NO2")


def test_forecasts_are_laid_beside_what_happened(tmp_path: Path) -> None:
    live = live_house(tmp_path, weeks=True)
    shown = page(live, "/signals?quantity=carbon")
    assert "Carbon intensity in GB-C: as its source had forecast it a day ahead" in shown
    assert "Half-hours compared 252" in shown
    assert "it came without one" in shown
    assert "Nothing to compare yet" not in shown


def test_our_own_forecast_is_judged_with_its_interval(tmp_path: Path) -> None:
    live = live_house(tmp_path, weeks=True)
    for hours in range(8 * 24, 0, -24):
        at = SLOT_NOW - timedelta(hours=hours)
        told = Series.of(at, np.full(8 * 48, 107.0), Kind.FORECAST, Unit.G_PER_KWH, "ours", at)
        told = told.with_interval(told.values - 8, told.values + 8)
        body = RawAnswer.of("slackwater:forecast", "application/json", b"{}")
        live.house.vintages.add(
            Fetch("slackwater-forecast", "GB-C", at, told.start, told.end, (body,), {"carbon": told})
        )
    shown = page(live, "/signals?quantity=carbon")
    ours = shown[shown.index("as Slackwater had forecast it a day ahead") :]
    happened = live.energy.known("GB-C", "carbon", SLOT_NOW - timedelta(days=7), 336).values
    off = 107.0 - happened
    assert abs(off.mean()) < np.abs(off).mean() - 1
    inside = round(100 * float((np.abs(off) <= 8).mean()))
    assert inside < 100
    assert (
        f"Mean error {np.abs(off).mean():.0f} g/kWh Bias {off.mean():.0f} g/kWh Within its 90 % interval {inside} %"
    ).replace("-", "−") in ours.replace("\u202f", " ")


def test_scores_say_by_how_much_the_model_beats_the_simple_forecasts(live: LiveHouse) -> None:
    live.house.scores.add([score_of(), score_of(zone="IS", mae=9.0)])
    shown = page(live).replace("\u202f", " ")
    assert "Price 1 asinh ridge 1 3.0 p/kWh 6.0 4.0 25 % 91 % 384" in shown
    assert "900.0" not in shown


def test_published_errors_are_shown_by_lead(live: LiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(LEAD_EDGES)
    errors = Errors(np.full(count, 50.0), np.full(count, 24.0), np.full(count, 100))
    monkeypatch.setattr(live.energy, "errors", lambda: {("GB", "carbon"): errors})
    shown = page(live)
    assert "0 to 3 h Carbon intensity, GB 24 g/kWh 50 g/kWh 100" in shown
    assert "from 48 h Carbon intensity, GB" in shown


def test_hosts_show_their_breaker_and_their_clock(live: LiveHouse) -> None:
    shown = page(live)
    assert "api.octopus.energy live 12" in shown
    assert "feed.example left alone for 4 min feed.example did not answer in 20 s." in shown
    assert "61 min ahead" in shown


def test_simulated_signals_say_that_nobody_is_asked(client: FlaskClient) -> None:
    shown = words(client.get("/signals").text)
    assert "SIGNALS is simulated : no feed is asked" in shown
    assert "Slackwater's simulation" in shown
    assert "Nothing is published and nothing is forecast" in shown


def test_before_the_first_forecast_the_page_says_what_it_takes(live: LiveHouse) -> None:
    assert "a model needs 14 days of figures" in page(live)


def test_the_live_part_comes_alone_for_htmx(live: LiveHouse) -> None:
    part = client_of(live).get("/signals", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert part.headers["Vary"] == "HX-Request"


def test_the_dashboard_counts_feeds_and_names_those_that_need_a_look(live: LiveHouse) -> None:
    live.carbon.fault = FeedUnreachable("feed.example did not answer in 20 s.")
    live.at(NOW + timedelta(hours=1))
    shown = page(live, "/dashboard")
    feeds = shown[shown.index("Feeds All signals") :]
    assert feeds.startswith("Feeds All signals 1 stale 2 simulated 1 no key 2 live")
    assert "Carbon-Intensity GB-C Carbon intensity stale" in feeds
    assert "Octopus-Agile GB-C" not in feeds


# -- the answers ----------------------------------------------------------------------------------------------------


def test_a_fetch_names_every_body_and_lets_it_be_saved(live: LiveHouse) -> None:
    kept = live.house.vintages.kept[0]
    shown = page(live, f"/signals/fetches/{kept.fetch_id}")
    assert kept.answers[0].sha256 in shown
    assert kept.answers[0].url in shown
    assert page(live, "/signals/fetches?zone=GB-C&feed=octopus-agile").count("Octopus-Agile") == 2


def test_bytes_are_saved_and_never_shown(live: LiveHouse) -> None:
    body = b"<script>alert(1)</script>"
    answers = tuple(RawAnswer.of("https://feed.example/", "text/html", each) for each in (body, b"second"))
    fetch_id = live.house.vintages.add(Fetch("f", "GB-C", NOW, SLOT_NOW, SLOT_NOW + SLOT, answers, {}, "HTML came."))
    answer = client_of(live).get(f"/api/signals/fetches/{fetch_id}/answers/1")
    assert (answer.data, answer.mimetype) == (body, "application/octet-stream")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{fetch_id}-1.bin"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client_of(live).get(f"/api/signals/fetches/{fetch_id}/answers/2").data == b"second"


@pytest.mark.parametrize(
    "path", ["fetches/fetch-0000000000000000", "fetches/fetch-0000000000000000/answers/1", "{kept}/answers/2"]
)
def test_a_fetch_or_answer_that_is_not_there_is_not_found(live: LiveHouse, path: str) -> None:
    path = path.replace("{kept}", f"fetches/{live.house.vintages.kept[0].fetch_id}")
    answer = client_of(live).get(f"/api/signals/{path}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_a_page_of_a_fetch_with_an_odd_name_is_not_found(live: LiveHouse) -> None:
    answer = client_of(live).get("/signals/fetches/../etc", headers={"Accept": "text/html"})
    assert answer.status_code == 404


# -- the API --------------------------------------------------------------------------------------------------------


def test_the_api_tells_the_same_story(live: LiveHouse) -> None:
    live.house.scores.add([score_of(coverage=float("nan"))])
    told = client_of(live).get("/api/signals").get_json()
    assert told["mode"] == "auto"
    feed = next(each for each in told["feeds"] if each["feed"] == "octopus-agile")
    assert (feed["zone"], feed["state"], feed["age_s"], feed["findings"]) == ("GB-C", "live", 0.0, [])
    assert feed["known_until"] == "2026-11-21T14:00:00Z"
    declared = {each["name"]: each for each in told["declarations"]}
    assert declared["electricity-maps"]["ready"] is False
    assert (declared["octopus-agile"]["limit_requests"], declared["octopus-agile"]["limit_per_s"]) == (100, 60.0)
    assert [host["state"] for host in told["hosts"]] == ["closed", "open"]
    assert (told["scores"][0]["mae"], told["scores"][0]["coverage"]) == (0.03, None)


def test_fetches_are_listed_and_each_is_told_whole(live: LiveHouse) -> None:
    listed = client_of(live).get("/api/signals/fetches?feed=octopus-agile&limit=1").get_json()["fetches"]
    assert [(row["feed"], row["zone"], row["quantities"]) for row in listed] == [("octopus-agile", "GB-C", ["price"])]
    told = client_of(live).get(f"/api/signals/fetches/{listed[0]['fetch_id']}").get_json()
    body = live.house.vintages.get(listed[0]["fetch_id"]).answers[0].body
    assert told["answers"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    assert told["answers"][0]["size"] == len(body)
    assert told["series"][0]["kinds"][-1] == "forecast"
    assert told["series"][0]["values"][-1] == pytest.approx(0.202)


def test_each_figure_has_its_interval_age_and_flags(live: LiveHouse) -> None:
    live.price.findings = (FOUND,)
    live.at(NOW + timedelta(minutes=5))
    live.house.clock.advance(timedelta(minutes=1))
    told = client_of(live).get("/api/energy/forecast/GB-C?hours=2").get_json()
    assert told["interval_level"] == 0.9
    first, second = told["values"][:2]
    assert (first["price"]["flags"], second["price"]["flags"]) == (["outlier"], [])
    assert first["price"]["age_s"] == 60.0
    carbon = second["carbon"]
    assert carbon["low"] < carbon["value"] == 101.0 < carbon["high"]


def test_the_present_half_hour_tells_of_mix_and_index_and_leaves_out_what_is_not_known(live: LiveHouse) -> None:
    told = client_of(live).get("/api/energy/current/GB-C").get_json()
    assert told["generation_mix"]["percent"] == {"gas": 40.0}
    assert told["carbon_index"] == "moderate"
    assert told["marginal_carbon"] is None
    assert told["grid_stress"] is None
    abroad = client_of(live).get("/api/energy/current/NO-NO2").get_json()
    assert (abroad["carbon_index"], abroad["generation_mix"]) == (None, None)
    assert abroad["price"]["kind"] == "simulated"


def test_an_unknown_region_is_a_problem_with_a_remedy(live: LiveHouse) -> None:
    answer = client_of(live).get("/api/energy/current/XX")
    assert answer.status_code == 404
    assert "Use one of" in answer.get_json()["remedy"]


# -- health and metrics ---------------------------------------------------------------------------------------------


def test_health_is_degraded_by_a_planning_feed_that_is_stale(live: LiveHouse) -> None:
    assert client_of(live).get("/health").get_json()["status"] == "healthy"
    live.gas.fault = FeedUnreachable("down")
    live.at(NOW + timedelta(minutes=40))
    assert client_of(live).get("/health").get_json()["status"] == "healthy"
    live.carbon.fault = FeedUnreachable("down")
    live.at(NOW + timedelta(minutes=80))
    told = client_of(live).get("/health").get_json()
    assert told["status"] == "degraded"
    assert next(f for f in told["feeds"] if f["feed"] == "carbon-intensity")["error"].startswith("down")


@pytest.mark.parametrize(
    ("flag", "status"), [(Flag.CLOCK_SKEW, "degraded"), (Flag.RETIRED, "degraded"), (Flag.GAP, "healthy")]
)
def test_health_is_degraded_by_what_makes_every_figure_doubtful(live: LiveHouse, flag: Flag, status: str) -> None:
    live.gas.findings = (replace(FOUND, flag=flag, quantity="share_gas"),)
    live.at(NOW + timedelta(minutes=5))
    told = client_of(live).get("/health").get_json()
    assert told["status"] == status
    assert [f["flag"] for feed in told["feeds"] for f in feed["findings"]] == [str(flag)]


def test_metrics_tell_of_feeds_hosts_and_forecasts(live: LiveHouse) -> None:
    live.house.scores.add([score_of()])
    live.price.findings = (FOUND,)
    live.at(NOW + timedelta(minutes=5))
    text = Metrics(live.house.services).exposition().get_data(as_text=True)
    key = 'feed="octopus-agile",quantity="price",zone="GB-C"'
    for line in (
        f"slackwater_feed_up{{{key}}} 1.0",
        f"slackwater_feed_age_seconds{{{key}}} 0.0",
        f"slackwater_feed_known_ahead_seconds{{{key}}} {23 * 3600 + 45 * 60:.1f}",
        f"slackwater_feed_failing{{{key}}} 0.0",
        'slackwater_feed_findings{feed="octopus-agile",flag="outlier",quantity="price",zone="GB-C"} 1.0',
        'slackwater_host_requests_total{host="feed.example"} 20.0',
        'slackwater_host_breaker{host="feed.example",state="open"} 1.0',
        'slackwater_host_breaker{host="feed.example",state="closed"} 0.0',
        'slackwater_forecast_mae{day="1",model="asinh-ridge-1",quantity="price",zone="GB-C"} 0.03',
        'slackwater_forecast_coverage_ratio{day="1",model="asinh-ridge-1",quantity="price",zone="GB-C"} 0.91',
        'slackwater_plan_inputs{kind="forecast",quantity="price"} 16.0',
    ):
        assert line in text


# -- banners and curves ---------------------------------------------------------------------------------------------


def test_a_banner_names_each_feed_with_its_own_zones() -> None:
    notices = (
        Notice("ercot-mix", ("US-TEX-ERCO",), "simulated", NOW, "It is down."),
        Notice("simulated", ("IS", "SG", "IE", "CA-ON"), "simulated", NOW - SLOT, "There is no live feed."),
        Notice("octopus-agile", ("GB-C", "GB-G"), "never", NOW, "It is down."),
    )
    never, simulated = banners(notices, {"ercot-mix": "ERCOT fuel mix", "octopus-agile": "Octopus Agile"})
    assert (never.heading, never.about) == ("No figures", "from Octopus Agile for GB-C and GB-G")
    assert simulated.about == "in place of ERCOT fuel mix for US-TEX-ERCO; for 4 grid zones"
    assert simulated.since == NOW - SLOT
    assert simulated.notices[0].feed == "ERCOT fuel mix"


def series_of(values: list[float], kind: Kind = Kind.FORECAST) -> Series:
    return Series.of(SLOT_NOW, values, kind, Unit.GBP_PER_KWH, "test", NOW)


def test_a_band_follows_the_interval_and_stops_at_gaps() -> None:
    told = series_of([0.1, 0.2, float("nan"), 0.3])
    told = told.with_interval(told.values - 0.05, told.values + 0.05)
    runs = chart_data(Curves("test", (Panel("price", (told,)),)))["panels"][0]["runs"]
    assert [(run["from"], run["low"], run["high"]) for run in runs] == [(0, [5, 15], [15, 25]), (3, [25], [35])]
    shapes = drawing(Curves("test", (Panel("price", (told,)),))).panels[0]
    assert len(shapes.bands) == len(shapes.paths) == 2
    assert all(band.endswith("Z") for band in shapes.bands)


def test_what_is_known_has_no_band() -> None:
    panel = Panel("price", (series_of([0.1, 0.2], Kind.SETTLED),))
    assert [run.low for run in stretches(panel)] == [None]
    assert drawing(Curves("test", (panel,))).panels[0].bands == ()


def test_the_scale_holds_the_interval_and_need_not_show_zero() -> None:
    told = series_of([0.1])
    assert Panel("price", (told.with_interval(told.values - 0.3, told.values + 0.1),)).scale == (-20.0, 20.0, 10.0)
    assert scale(np.array([49.9, 50.1]), zero=False)[0] > 49


def test_many_feeds_in_one_state_are_counted_until_the_notice_is_opened() -> None:
    notices = [
        Notice("simulated", ("IS", "SG"), "simulated", NOW, "There is no live feed for these zones."),
        *(Notice(feed, ("GB-C", "GB-J"), "simulated", NOW, "It cannot be reached.") for feed in ("a", "b", "c")),
    ]
    (banner,) = banners(notices, {})
    assert banner.about == "for 4 grid zones, in place of 3 feeds,"
    assert len(banner.notices) == 4
