"""Lookups in the registry of participants: what is asked, what is kept, and answers that are none."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug import Request, Response

from beckn.protocol.faults import Fault
from beckn.signing import KeyId
from beckn.trust import lookups
from beckn.trust.lookups import Lookups
from beckn.trust.participants import Participant, participant_of
from beckn.trust.registry import MOST_BYTES, Registry
from core.clock import ManualClock
from tests.beckn.registries import KEY, NAME, NETWORK, NOW, URL, FakeRegistry, public, record, serving, told

SPKI = bytes.fromhex("302a300506032b6570032100")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake() -> FakeRegistry:
    fake = FakeRegistry()
    fake.put(record())
    return fake


@pytest.fixture
def registry(fake: FakeRegistry, clock: ManualClock) -> Iterator[Registry]:
    with serving(fake) as port:
        made = Registry(f"http://127.0.0.1:{port}", 300, clock, time.monotonic, NETWORK, timeout_s=0.5)
        yield made
        made.close()


def code_of(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(Fault) as refused:
        call(*arguments, **options)
    return refused.value.code


def test_a_participant_is_looked_up_by_the_path_of_its_record(registry: Registry, fake: FakeRegistry) -> None:
    found = registry.participant(NAME, KEY)
    assert found == Participant(NAME, KEY, URL, public(1), (NETWORK,))
    assert fake.asked == [f"/lookup/{NAME}/subscribers.beckn.one/{KEY}"]
    registry.require_member(found, NETWORK)
    assert code_of(registry.require_member, found, "acmenet.org") == "AUT_DOMAIN_NOT_ALLOWED"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "a?b", "a%2fb", "x" * 300, "ä"])
def test_a_name_that_is_none_is_not_asked_for(registry: Registry, fake: FakeRegistry, name: str) -> None:
    assert code_of(registry.participant, name, KEY) == "AUT_KEY_NOT_FOUND"
    assert code_of(registry.participant, NAME, name) == "AUT_KEY_NOT_FOUND"
    assert code_of(registry.address, name) == "AUT_SUBSCRIBER_NOT_FOUND"
    assert fake.asked == []


def big(_: Request) -> Response:
    return told(b'{"data": {"details": {"pad": "' + b"x" * MOST_BYTES + b'"}}}')


def redirect(request: Request) -> Response:
    return Response("", 302, headers={"Location": f"http://{request.host}/lookup/elsewhere"})


def slow(_: Request) -> Response:
    time.sleep(0.7)
    return told({"data": record()})


@pytest.mark.parametrize(
    "answer",
    [
        big,
        redirect,
        slow,
        lambda _: told(b"<html>Welcome</html>", kind="text/html"),
        lambda _: told(b""),
        lambda _: told(b"\xff\xfe{"),
        lambda _: told(b"[" * 60_000),
        lambda _: told([]),
        lambda _: told("text"),
        lambda _: told({"message": "ok"}),
        lambda _: told({"data": []}),
        lambda _: told({"data": "live"}),
        lambda _: told({}, 500),
        lambda _: told({"data": record()}, 201),
        lambda _: told({}, 401),
    ],
)
def test_an_answer_that_is_none_is_no_answer(registry: Registry, fake: FakeRegistry, answer: Any) -> None:
    fake.before = answer
    assert code_of(registry.participant, NAME, KEY) == "NET_DOWNSTREAM_UNAVAILABLE"
    assert code_of(registry.address, NAME) == "NET_DOWNSTREAM_UNAVAILABLE"


@pytest.mark.parametrize(
    "details",
    [
        {"signing_public_key": None},
        {"signing_public_key": 7},
        {"signing_public_key": "no key"},
        {"signing_public_key": base64.b64encode(b"short").decode()},
        {"signing_public_key": base64.b64encode(bytes(44)).decode()},
        {"subscriber_id": "other.example.org"},
        {"subscriber_id": 7},
        {"subscriber_id": None},
    ],
)
def test_a_record_without_a_key_of_the_subscriber_is_no_key(
    registry: Registry, fake: FakeRegistry, details: dict[str, Any]
) -> None:
    fake.put(record(details=details))
    assert code_of(registry.participant, NAME, KEY) == "AUT_KEY_NOT_FOUND"


def test_a_key_may_be_written_with_its_algorithm_and_an_address_by_its_other_name(
    registry: Registry, fake: FakeRegistry
) -> None:
    key = base64.b64encode(SPKI + public(1)).decode()
    fake.put(record(details={"signing_public_key": key, "url": None, "subscriber_url": "https://other.example"}))
    found = registry.participant(NAME, KEY)
    assert (found.public_key, found.url) == (public(1), "https://other.example")


def test_memberships_are_the_registrys_word(registry: Registry, fake: FakeRegistry) -> None:
    fake.put(record(network_memberships="all", details={"network_memberships": [NETWORK]}))
    assert registry.participant(NAME, KEY).networks == ()


def test_what_is_not_there_is_asked_for_again_after_a_while(
    registry: Registry, fake: FakeRegistry, clock: ManualClock
) -> None:
    for _ in range(3):
        assert code_of(registry.participant, NAME, "key-2") == "AUT_KEY_NOT_FOUND"
    assert fake.lookups() == 1
    fake.put(record(seed=2), key="key-2")
    clock.advance(timedelta(seconds=6))
    assert code_of(registry.participant, NAME, "key-2") == "AUT_KEY_NOT_FOUND"
    assert registry.participant(NAME, "key-2", anew=True).public_key == public(2)


def test_a_registry_that_does_not_answer_is_left_alone_for_a_moment(
    registry: Registry, fake: FakeRegistry, clock: ManualClock
) -> None:
    fake.before = lambda _: told({}, 503)
    for _ in range(5):
        assert code_of(registry.participant, NAME, KEY) == "NET_DOWNSTREAM_UNAVAILABLE"
    assert len(fake.asked) == 1
    fake.before = lambda _: None
    clock.advance(timedelta(seconds=2))
    registry.participant(NAME, KEY)


def test_no_registry_at_all_is_said(clock: ManualClock) -> None:
    gone = Registry("http://127.0.0.1:9", 300, clock, time.monotonic, timeout_s=0.5)
    with pytest.raises(Fault, match="connection was refused") as refused:
        gone.participant(NAME, KEY)
    assert (refused.value.code, refused.value.status) == ("NET_DOWNSTREAM_UNAVAILABLE", 500)
    gone.close()


def test_many_who_ask_for_one_key_at_once_ask_the_registry_once(registry: Registry, fake: FakeRegistry) -> None:
    many, here, go = 8, threading.Barrier(9), threading.Event()

    def wait(_: Request) -> None:
        go.wait(5)

    def ask() -> Participant:
        here.wait(5)
        return registry.participant(NAME, KEY)

    fake.before = wait
    with ThreadPoolExecutor(many) as pool:
        asked = [pool.submit(ask) for _ in range(many)]
        here.wait(5)
        go.set()
        assert {each.result().public_key for each in asked} == {public(1)}
    assert fake.lookups() == 1


def test_an_address_is_that_of_the_newest_record_in_force(registry: Registry, fake: FakeRegistry) -> None:
    def put(key: str, url: str, **changes: Any) -> None:
        fake.put(record(details={"url": url}, **changes), key=key)

    put(KEY, "https://a.example", updated_at="2026-01-01T00:00:00Z")
    put("key-2", "https://b.example", updated_at="2026-02-01T00:00:00Z")
    put("key-3", "https://c.example", updated_at="2026-03-01T00:00:00Z", is_revoked=True)
    put("key-4", "https://d.example", updated_at="2026-03-01T00:00:00Z", valid_until="2026-03-02T00:00:00Z")
    fake.put(record(name="evil.org", updated_at="2026-03-01T00:00:00Z", details={"url": "https://e"}), key="key-5")
    assert registry.address(NAME) == "https://b.example"
    assert registry.address(NAME) == "https://b.example"
    assert fake.asked == [f"/query/{NAME}/subscribers.beckn.one"]
    assert code_of(registry.address, "nobody.example.org") == "AUT_SUBSCRIBER_NOT_FOUND"


@pytest.mark.parametrize("records", [None, "x", {}, [], [7, None, {"details": 7}, {}]])
def test_a_list_without_a_record_in_force_has_no_address(registry: Registry, fake: FakeRegistry, records: Any) -> None:
    fake.before = lambda _: told({"data": {"records": records}})
    assert code_of(registry.address, NAME) in {"AUT_SUBSCRIBER_NOT_FOUND", "NET_DOWNSTREAM_UNAVAILABLE"}


def test_kept_answers_are_bounded_and_strangers_do_not_drive_out_friends(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    monkeypatch.setattr(lookups, "MOST_KEPT", 3)
    asked: list[str] = []

    def fetch(key: str) -> tuple[str, timedelta]:
        asked.append(key)
        if key.startswith("bad"):
            raise Fault("AUT_KEY_NOT_FOUND", "none")
        return key.upper(), timedelta(seconds=60)

    kept = Lookups[str, str](fetch, lambda _value, _now: True, clock)
    assert kept.get("a") == "A"
    for number in range(10):
        assert code_of(kept.get, f"bad{number}") == "AUT_KEY_NOT_FOUND"
    kept.get("a")
    assert asked.count("a") == 1
    for key in "bcadbe":
        kept.get(key)
    assert [asked.count(key) for key in "abcde"] == [1, 2, 1, 1, 1]
    assert asked.count("bad0") == 1
    assert code_of(kept.get, "bad0") == "AUT_KEY_NOT_FOUND"
    assert asked.count("bad0") == 2


def test_too_many_questions_at_once_are_refused(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    monkeypatch.setattr(lookups, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(lookups, "_TURN_S", 0.05)
    started, go = threading.Event(), threading.Event()

    def fetch(key: str) -> tuple[str, timedelta]:
        started.set()
        go.wait(5)
        return key, timedelta(seconds=60)

    kept = Lookups[str, str](fetch, lambda _value, _now: True, clock)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.get, "a")
        started.wait(5)
        with pytest.raises(Fault) as refused:
            kept.get("b")
        go.set()
        assert first.result() == "a"
    assert (refused.value.code, refused.value.status) == ("NET_OVERLOADED", 429)
    assert kept.get("b") == "b"


def test_a_question_that_breaks_is_not_waited_for_for_ever(clock: ManualClock) -> None:
    broken = iter([ZeroDivisionError("broken")])

    def fetch(key: str) -> tuple[str, timedelta]:
        for error in broken:
            raise error
        return key, timedelta(seconds=60)

    kept = Lookups[str, str](fetch, lambda _value, _now: True, clock)
    with pytest.raises(ZeroDivisionError):
        kept.get("a")
    assert kept.get("a") == "a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["subscriber_id", "url", "signing_public_key", "state", "status", "valid_from", "valid_till", "ttl", "revoked"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(st.sampled_from([*FIELDS, "network_memberships"]), JSON, max_size=3),
    inner=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
)
def test_no_record_makes_the_reader_fail(changes: dict[str, Any], inner: dict[str, Any]) -> None:
    data = json.loads(json.dumps({**record(details=inner), **changes}))
    with contextlib.suppress(Fault):
        found = participant_of(data, KeyId(NAME, KEY), NETWORK)
        assert (found.subscriber_id, len(found.public_key)) == (NAME, 32)
        found.current(NOW)
