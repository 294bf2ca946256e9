from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from agents.energy.client import (
    Bounds,
    Client,
    HostBusy,
    HostUnreachable,
    Refused,
    ServerFault,
    StoredAnswers,
    address,
)
from agents.energy.feed import Authorisation, Limits
from agents.energy.transport.hosts import Circuit, Window
from agents.energy.transport.secrets import Secrets
from core.errors import FeedInvalid, FeedUnreachable
from core.vintage import RawAnswer

HOST = "feed.example"
URL = f"https://{HOST}/figures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Seconds:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def client(seconds):
    made = Client(monotonic=seconds.monotonic, sleep=seconds.sleep, uniform=lambda low, high: high)
    yield made
    made.close()


@pytest.fixture
def get(client):
    return client.recording(NOW)


def state(client: Client):
    (only,) = client.hosts()
    return only


def times_out(count: int) -> None:
    for _ in range(count):
        responses.get(URL, body=requests.ConnectTimeout("slow"))


# What is asked


def test_a_plus_and_a_space_are_encoded_and_a_time_stays_readable():
    asked = address(URL, {"from": "2026-11-21T12:00+01:00", "a": "b c&d=é/"})
    assert asked == f"{URL}?from=2026-11-21T12:00%2B01:00&a=b%20c%26d%3D%C3%A9%2F"
    assert address(asked) == asked
    assert address(asked, {"page": "2"}) == f"{asked}&page=2"


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1))
def test_parameters_come_back_as_they_were_given(parameters):
    query = urlsplit(address(URL, parameters)).query
    assert dict(parse_qsl(query, strict_parsing=True)) == parameters


@responses.activate
def test_what_is_asked_is_what_is_recorded(get):
    responses.get(URL, body=b"[]", content_type="application/json; charset=utf-8")
    got = get(URL, {"a": "1 +"})
    assert responses.calls[0].request.url == got.url == f"{URL}?a=1%20%2B"
    assert got == RawAnswer.of(got.url, "application/json; charset=utf-8", b"[]")


@responses.activate
def test_a_page_given_by_its_address_is_asked_for_as_it_is(get):
    page = f"{URL}?page=2&from=2026-11-21T12%3A00%3A00Z"
    responses.get(page, body=b"[]")
    assert get(page).url == responses.calls[0].request.url == page


@pytest.mark.parametrize("url", ["file:///etc/passwd", "figures", "", "https://", "ftp://feed.example/", "http://[::"])
def test_what_is_no_address_of_http_is_not_asked(client, get, url):
    with pytest.raises(FeedInvalid, match="no address of HTTP"):
        get(url)
    assert client.hosts() == ()


def test_an_address_with_a_password_is_not_asked_or_shown(client, get):
    with pytest.raises(FeedInvalid, match="user name") as raised:
        get(f"https://me:p4ssword@{HOST}/")
    assert "p4ssword" not in repr(raised.value)
    assert client.hosts() == ()


# Answers and refusals


@responses.activate
@pytest.mark.parametrize("status", [400, 404, 308])
def test_a_refusal_carries_its_status_and_what_was_said(client, get, status):
    responses.get(URL, status=status, json={"error": {"message": "no such postcode"}})
    with pytest.raises(Refused, match=f"{status} .*no such postcode") as raised:
        get(URL)
    assert raised.value.status == status
    assert raised.value.body == b'{"error": {"message": "no such postcode"}}'
    assert len(responses.calls) == 1
    assert (state(client).state, state(client).failures) == ("closed", 0)
    assert "no such postcode" in state(client).last_error


@responses.activate
def test_a_server_error_is_tried_again_after_a_growing_pause(seconds, get):
    responses.get(URL, status=503)
    responses.get(URL, status=500)
    responses.get(URL, json={"ok": True})
    assert get(URL).body == b'{"ok": true}'
    assert seconds.slept == [0.5, 1.0]
    assert len(get.answers) == 1


@responses.activate
def test_a_server_error_that_stays_quotes_what_was_said(client, get):
    responses.get(URL, status=500, json={"error": {"message": "Requested resource not found."}})
    with pytest.raises(ServerFault, match=r"answered 500 .*Requested resource not found") as raised:
        get(URL)
    assert isinstance(raised.value, FeedUnreachable)
    assert not isinstance(raised.value, HostUnreachable)
    assert (raised.value.status, b"Requested" in raised.value.body) == (500, True)
    assert "signals check" in raised.value.diagnostics()
    assert len(responses.calls) == 3
    assert state(client).state == "closed"


@responses.activate
def test_a_part_of_what_was_asked_is_no_answer(get):
    responses.get(URL, status=206, json=[1])
    with pytest.raises(FeedInvalid, match="a part"):
        get(URL)
    assert get.answers == ()


@responses.activate
@pytest.mark.parametrize("fault", [requests.ConnectTimeout("slow"), requests.ConnectionError(ProtocolError("cut"))])
def test_no_answer_is_an_unreachable_host(get, fault):
    responses.get(URL, body=fault)
    with pytest.raises(HostUnreachable, match=r"feed\.example cannot be reached"):
        get(URL)
    assert len(responses.calls) == 3


@responses.activate
def test_no_attempt_starts_later_than_fifteen_seconds_after_the_first(seconds, get):
    def slow(_):
        seconds.now += 8
        raise requests.ReadTimeout

    responses.add_callback(responses.GET, URL, slow)
    with pytest.raises(HostUnreachable):
        get(URL)
    assert len(responses.calls) == 2


@responses.activate
@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        ("120", 120),
        ("0", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        ("9" * 5000, 86_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("-5", 0),
        ("nan", 0),
        ("², soon", 0),
    ],
)
def test_the_time_that_a_busy_host_asks_for_is_read_within_a_day(get, asked, wait_s):
    responses.get(URL, status=429, headers={"Retry-After": asked})
    with pytest.raises(HostBusy) as raised:
        get(URL)
    assert raised.value.retry_after_s == pytest.approx(wait_s, abs=2)


@responses.activate
def test_the_time_of_a_fetch_goes_on_while_it_lasts(seconds, get):
    seconds.now += 600
    responses.get(URL, headers={"Date": format_datetime(NOW + timedelta(minutes=10), usegmt=True)})
    get(URL)
    assert get.skew_s == 0


# How often a host is asked


@responses.activate
def test_the_next_request_waits_for_its_turn_and_one_too_late_is_not_made(client, seconds, get):
    responses.get(URL)
    client.limit(HOST, Limits(2, timedelta(seconds=15)))
    client.limit(HOST, Limits(2, timedelta(seconds=15)))
    client.limit(HOST, Limits(4, MINUTE))
    for _ in range(4):
        get(URL)
    assert seconds.slept == [15]
    with pytest.raises(HostBusy, match="no further request for 45 s") as raised:
        get(URL)
    assert raised.value.retry_after_s == 45
    assert state(client).state == "closed"
    seconds.now += 45
    get(URL)
    assert (len(responses.calls), state(client).requests) == (5, 5)


@responses.activate
def test_another_attempt_takes_a_turn_of_its_own(client, seconds, get):
    client.limit(HOST, Limits(1, timedelta(seconds=10)))
    responses.get(URL, status=500)
    responses.get(URL, json=[])
    get(URL)
    assert seconds.slept == [10]


@responses.activate
def test_a_failure_is_told_at_once_where_another_attempt_would_have_to_wait(client, seconds, get):
    client.limit(HOST, Limits(1, MINUTE))
    responses.get(URL, status=500)
    with pytest.raises(ServerFault):
        get(URL)
    assert seconds.slept == []


@responses.activate
def test_hosts_are_limited_apart_and_told_by_name(seconds):
    client = Client({HOST: Limits(1, MINUTE)}, monotonic=seconds.monotonic, sleep=seconds.sleep)
    responses.get(URL, body=b"12345")
    responses.get("https://other.example:8443/", body=b"1")
    get = client.recording(NOW)
    get(URL)
    get("https://OTHER.example:8443/")
    assert [(each.host, each.bytes) for each in client.hosts()] == [(HOST, 5), ("other.example:8443", 1)]


@pytest.mark.parametrize("limits", [Limits(0, MINUTE), Limits(1, timedelta(0))])
def test_limits_that_allow_nothing_are_refused(client, limits):
    with pytest.raises(ValueError, match="cannot be asked"):
        client.limit(HOST, limits)


@given(
    st.integers(1, 5),
    st.integers(1, 20),
    st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=60),
)
def test_no_stretch_of_time_holds_more_requests_than_allowed(most, per_s, gaps):
    window, starts = Window(Limits(most, timedelta(seconds=per_s))), []
    for now in itertools.accumulate(gaps):
        at = window.earliest(now)
        window.take(at)
        starts.append(at)
        assert at >= now
    assert starts == sorted(starts)
    assert all(later - earlier >= per_s - 1e-9 for earlier, later in zip(starts, starts[most:], strict=False))


# A host that does not answer


def test_a_circuit_opens_for_a_time_that_doubles_to_a_cap_and_starts_anew_after_an_answer():
    circuit = Circuit(Bounds(open_after=2, open_s=10, longest_open_s=35))
    circuit.failed(0, probe=circuit.enter())
    assert circuit.state(0) == "closed"
    circuit.failed(0, probe=circuit.enter())
    now, waits = 0.0, []
    for _ in range(4):
        assert (circuit.state(now), circuit.admits(now)) == ("open", False)
        waits.append(circuit.retry_in_s(now))
        now += waits[-1]
        assert (circuit.state(now), circuit.admits(now)) == ("half_open", True)
        probe = circuit.enter()
        assert probe
        assert not circuit.admits(now)
        circuit.failed(now, probe=probe)
    assert waits == [10, 20, 35, 35]
    circuit.answered()
    assert (circuit.state(now), circuit.failures, circuit.enter()) == ("closed", 0, False)
    circuit.failed(now, probe=False)
    circuit.failed(now, probe=False)
    assert circuit.retry_in_s(now) == 10


def test_a_late_failure_of_an_earlier_request_ends_no_probe():
    circuit = Circuit(Bounds(open_after=1, open_s=10))
    circuit.failed(0, probe=circuit.enter())
    assert circuit.enter()
    circuit.failed(10, probe=False)
    assert not circuit.admits(10)
    circuit.abandoned(probe=True)
    assert circuit.admits(10)


@responses.activate
def test_a_host_that_asks_to_be_left_alone_is_left_alone_for_that_long(client, seconds, get):
    responses.get(URL, status=429, headers={"Retry-After": "90"})
    responses.get(URL, json=[])
    for wait_s in (90, 30):
        with pytest.raises(HostBusy) as raised:
            get(URL)
        assert raised.value.retry_after_s == wait_s
        seconds.now += 60 if wait_s == 90 else 30
    assert len(responses.calls) == 1
    assert get(URL).body == b"[]"
    assert (state(client).state, state(client).last_error) == ("closed", None)


@responses.activate
def test_a_host_that_is_tried_again_may_ask_for_longer(client, seconds, get):
    for wait_s in ("60", "500"):
        responses.get(URL, status=429, headers={"Retry-After": wait_s})
    for wait_s in (60, 500):
        with pytest.raises(HostBusy):
            get(URL)
        assert state(client).retry_in_s == wait_s
        seconds.now += wait_s


@responses.activate
def test_a_host_left_alone_is_told_with_its_reason(client, seconds, get):
    times_out(9)
    for _ in range(3):
        with pytest.raises(HostUnreachable):
            get(URL)
    with pytest.raises(HostUnreachable, match=r"after 3 failures in a row; the last: feed\.example cannot") as raised:
        get(URL)
    assert not isinstance(raised.value, HostBusy)
    told = state(client)
    assert (told.state, told.failures, told.retry_in_s, told.requests) == ("open", 3, 30, 9)
    assert "cannot be reached" in told.last_error
    assert len(responses.calls) == 9


@responses.activate
def test_an_answer_in_between_begins_the_count_anew(client, get):
    for _ in range(2):
        times_out(6)
        responses.get(URL, json=[])
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(HostUnreachable):
                get(URL)
        get(URL)
    assert (state(client).state, state(client).failures) == ("closed", 0)


@responses.activate
def test_the_request_that_tries_a_host_again_is_made_once(client, seconds, get):
    times_out(10)
    for _ in range(3):
        with pytest.raises(HostUnreachable):
            get(URL)
    seconds.now += 30
    with pytest.raises(HostUnreachable, match="cannot be reached"):
        get(URL)
    assert len(responses.calls) == 10
    assert state(client).retry_in_s == 60


def interrupted(_):
    raise KeyboardInterrupt


@responses.activate
def test_a_request_that_is_broken_off_leaves_the_next_one_free_to_try(client, seconds, get):
    times_out(9)
    responses.add_callback(responses.GET, URL, interrupted)
    responses.get(URL, json=[])
    for _ in range(3):
        with pytest.raises(HostUnreachable):
            get(URL)
    seconds.now += 30
    with pytest.raises(KeyboardInterrupt):
        get(URL)
    assert get(URL).body == b"[]"


@responses.activate
def test_many_threads_count_every_request_and_byte(client):
    responses.get(URL, body=b"123")
    get = client.recording(NOW)
    threads = [threading.Thread(target=lambda: [get(URL) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (state(client).requests, state(client).bytes, len(get.answers)) == (80, 240, 80)


# Keys


def test_every_form_of_a_key_is_hidden():
    secrets = Secrets(Authorisation({"Authorization": "Basic bWU6cDRzc3dvcmQ="}, {"token": "a/b+c", "v": "v3"}))
    text = "Basic bWU6cDRzc3dvcmQ= bWU6cDRzc3dvcmQ= p4ssword a/b+c a%2Fb%2Bc v3"
    assert secrets.hidden(text) == "[key] [key] [key] [key] [key] v3"
    assert secrets.hidden_bytes(text.encode()).decode() == secrets.hidden(text)
    assert secrets.told_by(b"... p4ssword ...")
    assert not secrets.told_by(b"v3")


def test_words_that_are_no_base64_hide_themselves_alone():
    assert Secrets(Authorisation({"Authorization": "Basic abcde"})).hidden("abcde") == "[key]"


@pytest.mark.parametrize("word", ["two\nlines", "κλειδί"])
def test_a_key_that_cannot_stand_in_a_header_is_not_shown(get, word):
    with pytest.raises(FeedInvalid, match="header is malformed") as raised:
        get("http://127.0.0.1:9/", authorise=lambda: Authorisation({"auth-token": word}))
    assert word not in repr(raised.value)
    assert raised.value.__context__ is None


# Stored answers


def stored(url: str, body: bytes) -> RawAnswer:
    return RawAnswer.of(url, "application/json", body)


def test_stored_answers_come_by_address_and_in_their_order():
    get = StoredAnswers([stored(URL, b"1"), stored(f"{URL}?a=1%20%2B", b"2"), stored(URL, b"3")])
    assert get(URL, {"a": "1 +"}).body == b"2"
    assert [get(URL).body, get(URL).body] == [b"1", b"3"]
    with pytest.raises(FeedInvalid, match="not among the stored answers, or not so many times"):
        get(URL)


def test_stored_answers_need_no_key():
    def no_key() -> Authorisation:
        raise AssertionError("stored bytes need no key")

    assert StoredAnswers([stored(URL, b"1")])(URL, authorise=no_key).body == b"1"


@responses.activate
def test_a_fetch_reads_the_same_from_its_stored_answers(get):
    responses.get(URL, json={"next": f"{URL}/2"})
    responses.get(f"{URL}/2", json={"next": None})

    def fetch(ask):
        first = ask(URL, {"from": "2026-11-21T12:00Z"})
        return [first.body, ask(f"{URL}/2").body]

    live = fetch(get)
    assert fetch(StoredAnswers(get.answers)) == live
