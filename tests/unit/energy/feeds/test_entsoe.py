"""Day-ahead prices from ENTSO-E."""

import gzip
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.entsoe import DOMAINS, feeds, repeated
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.settings import Settings
from core.vintage import RawAnswer

START = datetime(2024, 3, 21, 23, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = START + timedelta(hours=2)
KEY = "a-secret-token"
(FEED,) = feeds(Settings(_env_file=None, entsoe_key=KEY, eur_gbp=0.8))
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"


class Upstream:
    """Answers with its bodies in turn and remembers what was asked."""

    def __init__(self, *bodies):
        self.bodies = bodies
        self.asked = []
        self.secret = {}

    def __call__(self, url, parameters=None, *, authorise=None):
        body = self.bodies[min(len(self.asked), len(self.bodies) - 1)]
        self.asked.append((url, dict(parameters)))
        self.secret = dict(authorise().parameters)
        return RawAnswer.of(url, "text/xml", body.encode() if isinstance(body, str) else body)


def series_xml(points, resolution="PT60M", curve="A01", start=START, span=DAY, **changed):
    fields = {
        "in_Domain.mRID": DOMAINS["FR"],
        "currency_Unit.name": "EUR",
        "price_Measure_Unit.name": "MWH",
        "curveType": curve,
    } | changed
    tags = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value is not None)
    prices = "".join(
        f"<Point><position>{position}</position><price.amount>{price}</price.amount></Point>"
        for position, price in points.items()
    )
    ends = f"<start>{start:%Y-%m-%dT%H:%MZ}</start><end>{start + span:%Y-%m-%dT%H:%MZ}</end>"
    period = f"<timeInterval>{ends}</timeInterval><resolution>{resolution}</resolution>{prices}"
    return f"<TimeSeries>{tags}<Period>{period}</Period></TimeSeries>"


def document(*series, root="Publication_MarketDocument"):
    return f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="urn:x">{"".join(series)}</{root}>'


def hourly(values):
    return {i + 1: value for i, value in enumerate(values)}


def fetch(*bodies, zone="FR", start=START, end=START + DAY, now=NOW):
    return FEED.fetch(Ask(zone, start, end, now, Upstream(*bodies)))


def test_euros_become_pounds_at_the_rate_of_the_settings():
    series = fetch(document(series_xml(hourly([100.0, -20.0] * 12)))).series["price"]
    assert series.unit is Unit.GBP_PER_KWH
    assert series.values[:4].tolist() == pytest.approx([0.08, 0.08, -0.016, -0.016])
    assert series.kinds_used() == (Kind.ESTIMATE,)
    assert "at 0.8 GBP/EUR" in series.source
    assert (series.start, len(series)) == (START, 48)


@pytest.mark.parametrize(
    ("resolution", "values", "first"),
    [("PT15M", [10.0, 30.0] * 48, 20), ("PT30M", [10.0, 30.0] * 24, 10), ("PT60M", [10.0, 30.0] * 12, 10)],
)
def test_every_resolution_makes_half_hours(resolution, values, first):
    series = fetch(document(series_xml(hourly(values), resolution))).series["price"]
    assert series.values[0] == pytest.approx(first * 0.0008)
    assert len(series) == 48


def test_positions_left_out_repeat_the_one_before_with_curve_type_a03():
    series = fetch(document(series_xml({1: 10.0, 3: 30.0, 24: 5.0}, curve="A03"))).series["price"]
    assert (series.values / 0.0008).tolist() == pytest.approx([10] * 4 + [30] * 42 + [5] * 2)


def test_positions_left_out_at_the_end_repeat_to_the_end_of_the_period():
    assert len(fetch(document(series_xml({1: 10.0}, curve="A03"))).series["price"]) == 48


def test_positions_left_out_are_a_gap_with_curve_type_a01():
    series = fetch(document(series_xml({1: 10.0, 3: 30.0, 24: 5.0}))).series["price"]
    assert np.flatnonzero(series.kinds != Kind.MISSING).tolist() == [0, 1, 4, 5, 46, 47]


def test_nothing_before_the_first_position_is_made_up():
    assert np.isnan(repeated(np.array([np.nan, 1.0, np.nan]))).tolist() == [True, False, False]


def test_the_coupled_market_counts_and_no_other_auction():
    other = series_xml(hourly([999.0] * 96), "PT15M", **{SEQUENCE: 2})
    coupled = series_xml(hourly([100.0] * 96), "PT15M", **{SEQUENCE: 1})
    assert fetch(document(other, coupled)).series["price"].values.tolist() == pytest.approx([0.08] * 48)
    with pytest.raises(FeedInvalid, match="no prices"):
        fetch(document(other))


@pytest.mark.parametrize("quarters_first", [True, False])
def test_one_time_in_two_resolutions_is_refused(quarters_first):
    both = [series_xml(hourly([1.0] * 24)), series_xml(hourly([1.0] * 96), "PT15M")]
    with pytest.raises(FeedInvalid, match="two resolutions"):
        fetch(document(*(reversed(both) if quarters_first else both)))


def test_a_price_that_comes_twice_is_told():
    fetched = fetch(document(series_xml(hourly([1.0] * 24)), series_xml(hourly([2.0] * 24))))
    assert fetched.series["price"].values[0] == pytest.approx(0.0016)
    assert [f.flag for f in fetched.findings] == [Flag.DUPLICATE]


def test_an_acknowledgement_is_no_data_and_says_why():
    reason = "<Reason><code>999</code><text>No matching data found</text></Reason>"
    with pytest.raises(FeedInvalid, match="No matching data found"):
        fetch(document(reason, root="Acknowledgement_MarketDocument"))


def test_the_token_is_no_part_of_the_question():
    upstream = Upstream(document(series_xml(hourly([1.0] * 24))))
    FEED.fetch(Ask("FR", START, START + DAY, NOW, upstream))
    assert upstream.secret == {"securityToken": KEY}
    assert KEY not in str(upstream.asked)
    assert upstream.asked == [
        (
            "https://web-api.tp.entsoe.eu/api",
            {
                "documentType": "A44",
                "in_Domain": DOMAINS["FR"],
                "out_Domain": DOMAINS["FR"],
                "periodStart": "202403212300",
                "periodEnd": "202403222300",
            },
        )
    ]


def test_several_years_are_asked_for_a_year_at_a_time():
    upstream = Upstream(document(series_xml(hourly([1.0] * 24))))
    FEED.fetch(Ask("FR", START, START + 500 * DAY, START + 900 * DAY, upstream))
    assert [(p["periodStart"], p["periodEnd"]) for _, p in upstream.asked] == [
        ("202403212300", "202503202300"),
        ("202503202300", "202508032300"),
    ]


def test_last_weeks_dates_are_no_answer():
    with pytest.raises(FeedInvalid, match="no figures after 2024-03-22 23:00"):
        fetch(document(series_xml(hourly([1.0] * 24))), end=START + 9 * DAY, now=START + 7 * DAY)


ENTITIES = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "body",
    [
        ENTITIES,
        ENTITIES.encode("utf-16"),
        "<!DOCTYPE html><html><body>down</body></html>",
        "<html><body>down</body></html>",
        "",
        "{}",
        document(series_xml(hourly([1.0] * 24)))[:-40],
        document(),
        document(series_xml(hourly([1.0] * 24), **{"in_Domain.mRID": DOMAINS["BE"]})),
        document(series_xml(hourly([1.0] * 24), **{"currency_Unit.name": "NOK"})),
        document(series_xml(hourly([1.0] * 24), **{"price_Measure_Unit.name": "KWH"})),
        document(series_xml(hourly([1.0] * 24), curve="A99")),
        document(series_xml(hourly([1.0] * 24), "P1D")),
        document(series_xml({25: 1.0})),
        document(series_xml({0: 1.0})),
        document(series_xml({1: "cheap"})),
        document(series_xml({1: "nan"})),
        document(series_xml({1: 99_999})),
        document(series_xml({1: 1.0}, span=timedelta(minutes=50))),
        document(series_xml({1: 1.0}, span=timedelta(days=4000))),
        document(series_xml({1: 1.0}, span=-DAY)),
    ],
)
def test_a_broken_answer_gives_no_price(body):
    with pytest.raises(FeedInvalid):
        fetch(body)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_prices_behind_an_entity_are_not_read(encoding):
    plain = document(series_xml(hourly(["&price;"] * 24))).partition("?>")[2]
    body = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY price "1.0">]>{plain}'
    with pytest.raises(FeedInvalid, match="document type"):
        fetch(body.encode(encoding))


def test_ireland_and_norway_are_served_and_britain_is_not():
    assert FEED.serves("IE")
    assert FEED.serves("NO-NO2")
    assert not FEED.serves("GB")


def test_without_a_key_the_feed_is_not_ready():
    (keyless,) = feeds(Settings(_env_file=None, entsoe_key=None))
    assert not keyless.declaration.ready
    assert FEED.declaration.ready


@pytest.mark.shared
def test_the_recorded_french_prices_are_read_by_the_hour(shared_data):
    body = gzip.decompress((shared_data / "responses" / "entsoe" / "FR_prices.xml.gz").read_bytes())
    start = datetime(2023, 5, 6, 22, tzinfo=UTC)
    series = fetch(body, start=start, end=start + 2 * DAY, now=start + 12 * DAY).series["price"]
    assert len(series) == 96
    eur = series.values / 0.0008
    assert eur[[0, 1, 2, 47, 48, 95]].tolist() == pytest.approx([106.78, 106.78, 95.02, 97.99, 98.24, 104.04])
