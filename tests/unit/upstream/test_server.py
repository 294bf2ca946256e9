from __future__ import annotations

import threading
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from core.clock import ManualClock
from core.settings import FEEDS_WITH_A_URL, Settings
from tests.upstream import Fault, Upstream, World
from tests.upstream.__main__ import obey
from tests.upstream.desk import utc
from tests.upstream.world import slots

NOW = utc(2026, 11, 20, 13, 47)
PATH = "/intensity/2026-11-20T10:00Z/2026-11-20T13:30Z"


@pytest.fixture
def upstream():
    with Upstream(clock=ManualClock(NOW), drip_s=0.05) as running:
        yield running


@pytest.fixture
def session():
    with requests.Session() as made:
        made.trust_env = False
        yield made


def get(session, upstream, path=PATH, api="carbon", **options):
    return session.get(upstream.url(api) + path, **{"timeout": 5, "allow_redirects": False, **options})


def rows(session, upstream):
    return get(session, upstream).json()["data"]


def test_every_base_url_is_a_setting_that_it_takes_over(upstream):
    overrides = upstream.settings_overrides()
    urls = {f"{name}_url" for name in FEEDS_WITH_A_URL}
    assert {name for name in overrides if name.endswith("_url")} == urls
    assert set(overrides) <= set(Settings.model_fields)


def test_no_two_apis_share_a_host_and_port(upstream):
    hosts = [upstream.url(api).rpartition("/")[0] for api in upstream.apis]
    assert len(set(hosts)) == len(hosts)


def test_the_date_of_an_answer_is_that_of_its_clock(upstream, session):
    assert parsedate_to_datetime(get(session, upstream).headers["Date"]) == NOW
    with upstream.broken(Fault.SKEW):
        assert parsedate_to_datetime(get(session, upstream).headers["Date"]) == NOW + timedelta(hours=1)


def test_it_logs_who_asked_for_what(upstream, session):
    get(session, upstream, f"{PATH}?a=b%20c", headers={"User-Agent": "somebody"})
    (received,) = upstream.requests("carbon")
    assert (received.path, received.query, received.user_agent) == (PATH, "a=b%20c", "somebody")
    assert upstream.counts() == {"carbon": 1}
    upstream.forget()
    assert upstream.requests("carbon") == []


def test_a_fault_is_of_one_api_and_ends_when_it_is_mended(upstream, session):
    upstream.break_(Fault.HTML, "carbon")
    assert "html" in get(session, upstream).headers["Content-Type"]
    assert get(session, upstream, "/api/v1/prices", "mempool").json()["GBP"] > 0
    upstream.mend("carbon")
    assert len(rows(session, upstream)) == 8


def test_a_fault_may_last_for_some_requests_only(upstream, session):
    upstream.break_(Fault.SERVER_ERROR, "carbon", times=2)
    assert [get(session, upstream).status_code for _ in range(3)] == [500, 500, 200]


def test_an_unknown_api_cannot_be_broken(upstream):
    with pytest.raises(ValueError, match="no API 'carbn'"):
        upstream.break_(Fault.HTML, "carbn")


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault.EMPTY_OBJECT, 200, b"{}"),
        (Fault.EMPTY_BODY, 200, b""),
        (Fault.NOT_A_NUMBER, 200, b"NaN"),
        (Fault.BUSY, 429, None),
        (Fault.BAD_REQUEST, 400, None),
        (Fault.SERVER_ERROR_HTML, 502, None),
    ],
)
def test_an_answer_is_replaced_by_another(upstream, session, fault, status, body):
    upstream.break_(fault)
    answer = get(session, upstream)
    assert answer.status_code == status
    assert body is None or answer.content == body


def test_retry_after_is_given_in_seconds_or_as_a_date(upstream, session):
    with upstream.broken(Fault.BUSY_RETRY_AFTER):
        assert get(session, upstream).headers["Retry-After"] == "120"
    with upstream.broken(Fault.BUSY_UNTIL):
        until = parsedate_to_datetime(get(session, upstream).headers["Retry-After"])
        assert until == NOW + timedelta(seconds=120)


def test_a_redirect_leads_to_itself(upstream, session):
    upstream.break_(Fault.REDIRECT_LOOP)
    with pytest.raises(requests.TooManyRedirects):
        get(session, upstream, allow_redirects=True)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.RESET, Fault.TLS])
def test_a_broken_exchange_is_no_answer(upstream, session, fault):
    upstream.break_(fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(session, upstream)


def test_a_body_that_is_cut_is_not_json(upstream, session):
    upstream.break_(Fault.CUT_JSON)
    with pytest.raises(requests.JSONDecodeError):
        rows(session, upstream)


def test_the_huge_body_has_100_megabytes(upstream, session):
    upstream.break_(Fault.HUGE)
    with get(session, upstream, stream=True) as answer:
        assert sum(len(part) for part in answer.iter_content(1 << 20)) == 100 * 1024 * 1024


def test_the_bomb_is_small_on_the_wire(upstream, session):
    upstream.break_(Fault.BOMB)
    with get(session, upstream, stream=True) as answer:
        assert int(answer.headers["Content-Length"]) < 1_000_000


def test_a_handshake_without_tls_fails(upstream, session):
    address = upstream.settings_overrides(without_tls=["carbon"])["carbon_intensity_url"]
    with pytest.raises(requests.exceptions.SSLError):
        session.get(address + PATH, timeout=5)


def test_bytes_drip(upstream, session):
    upstream.break_(Fault.DRIP)
    began = time.monotonic()
    with get(session, upstream, stream=True) as answer:
        assert answer.raw.read(4) == b'{"da'
    assert time.monotonic() - began > 0.15


@pytest.mark.parametrize("fault", [Fault.DRIP, Fault.SILENT, Fault.HUGE])
def test_stopping_ends_answers_that_are_under_way(fault):
    upstream = Upstream(clock=ManualClock(NOW), drip_s=5.0).start()
    upstream.break_(fault)
    ended = threading.Event()

    def ask():
        try:
            with requests.get(upstream.url("carbon") + PATH, stream=True, timeout=30) as answer:
                time.sleep(0.1)
                answer.content  # noqa: B018  reads the body to its end
        except requests.RequestException:
            pass
        ended.set()

    asking = threading.Thread(target=ask)
    asking.start()
    while not upstream.requests("carbon"):
        time.sleep(0.01)
    began = time.monotonic()
    upstream.stop()
    assert ended.wait(5)
    asking.join()
    assert time.monotonic() - began < 3


def test_last_week_is_answered_with_last_weeks_dates_whatever_was_asked_for(upstream, session):
    upstream.break_(Fault.LAST_WEEK)
    first = rows(session, upstream)[0]
    assert first["to"] == "2026-11-13T10:00Z"


def test_two_revisions_disagree_and_each_is_the_same_again(upstream, session):
    before = rows(session, upstream)
    with upstream.broken(Fault.DISAGREE):
        between = rows(session, upstream)
    assert rows(session, upstream) == before != between
    assert [row["from"] for row in between] == [row["from"] for row in before]


def test_the_same_seed_makes_the_same_world_and_another_one_another():
    asked = slots(NOW, NOW + timedelta(days=1))
    assert World(3).wholesale_p(asked).tolist() == World(3).wholesale_p(asked).tolist()
    assert World(3).wholesale_p(asked).tolist() != World(4).wholesale_p(asked).tolist()


def test_it_obeys_a_developer(upstream):
    assert obey(upstream, "break carbon HTML\n") == "carbon is broken: HTML"
    assert obey(upstream, "mend carbon\n") == "carbon is mended"
    assert "faults: HTML" in obey(upstream, "help\n")
