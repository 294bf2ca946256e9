"""Who may speak, from where and in which words: signatures, keys, addresses, contexts."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug import Request, Response

from beckn.protocol.faults import Fault
from beckn.signing import SUBSCRIBERS, KeyId, Signer
from beckn.trust.addresses import Addresses, guarded_session, require_same_endpoint
from beckn.trust.contexts import require_contexts
from beckn.trust.registry import Registry
from beckn.trust.verification import Verifier, challenge, require_caller
from core.clock import ManualClock
from tests.beckn.registries import KEY, NAME, NETWORK, NOW, URL, FakeRegistry, private, record, serving, signer, told

BODY = b'{"context": {"action":"select"}}'
SECONDS = 300


@dataclass
class World:
    fake: FakeRegistry
    clock: ManualClock
    registry: Registry
    verifier: Verifier

    def require(self, signed: Signer, body: bytes = BODY, **options: Any) -> Any:
        header = signed.sign(BODY, self.clock.now()).header()
        return self.verifier.require(header, body, **options)

    def later(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def world() -> Iterator[World]:
    fake, clock = FakeRegistry(), ManualClock(NOW)
    fake.put(record())
    with serving(fake) as port:
        registry = Registry(f"http://127.0.0.1:{port}/", SECONDS, clock, time.monotonic, NETWORK, timeout_s=1.0)
        yield World(fake, clock, registry, Verifier(registry, clock, NETWORK))
        registry.close()


def code_of(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(Fault) as refused:
        call(*arguments, **options)
    return refused.value.code


def test_point_07_the_bytes_that_came_are_checked_with_the_key_in_the_registry(world: World) -> None:
    signature, participant = world.require(signer())
    assert signature.key_id == KeyId(NAME, KEY)
    assert (participant.subscriber_id, participant.url, participant.networks) == (NAME, URL, (NETWORK,))


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], json.dumps(json.loads(BODY), indent=1).encode(), b""])
def test_point_07_other_bytes_are_refused(world: World, body: bytes) -> None:
    assert code_of(world.require, signer(), body) == "AUT_SIGNATURE_INVALID"


def test_point_07_an_expired_a_future_and_a_missing_signature_are_refused_without_a_lookup(world: World) -> None:
    for seconds in (-300, 6):
        header = signer().sign(BODY, NOW + timedelta(seconds=seconds)).header()
        assert code_of(world.verifier.require, header, BODY) == "AUT_SIGNATURE_INVALID"
    for header in (None, ""):
        assert code_of(world.verifier.require, header, BODY) == "AUT_SIGNATURE_MISSING"
    assert world.fake.asked == []
    world.verifier.require(signer().sign(BODY, NOW + timedelta(seconds=5)).header(), BODY)


def test_point_07_another_key_and_an_unknown_one_are_refused(world: World) -> None:
    assert code_of(world.require, signer(seed=2)) == "AUT_SIGNATURE_INVALID"
    assert code_of(world.require, signer(key="key-2")) == "AUT_KEY_NOT_FOUND"
    assert code_of(world.require, signer(name="nobody.example.org")) == "AUT_SUBSCRIBER_NOT_FOUND"


def test_point_07_the_signer_is_who_the_context_says(world: World) -> None:
    _, participant = world.require(signer())
    require_caller(participant, NAME)
    for claimed in ("other.example.org", None, ""):
        assert code_of(require_caller, participant, claimed) == "AUT_UNAUTHORIZED_ACTION"


def test_point_07_a_stranger_to_the_network_is_refused(world: World) -> None:
    world.fake.put(record(network_memberships=["other.org/net"], details={"network_memberships": [NETWORK]}))
    assert code_of(world.require, signer()) == "AUT_DOMAIN_NOT_ALLOWED"


@pytest.mark.parametrize("label", ["BLAKE-512", "BLAKE2b-512"])
def test_point_07_both_names_of_the_digest_are_understood(world: World, label: str) -> None:
    world.require(signer(label=label))
    assert code_of(world.require, signer(label=label), BODY + b" ") == "AUT_SIGNATURE_INVALID"
    assert code_of(world.require, signer(label="SHA-512")) == "AUT_SIGNATURE_INVALID"


@pytest.mark.parametrize("registry", [SUBSCRIBERS, "keys"])
def test_point_07_a_key_id_may_be_the_path_of_a_record(world: World, registry: str) -> None:
    world.fake.put(record(), registry=registry)
    key_id = KeyId(NAME, KEY, registry)
    signature, participant = world.require(Signer(key_id, private(1)))
    assert (signature.key_id, participant.subscriber_id) == (key_id, NAME)


def test_point_07_the_registry_of_our_network_speaks_for_its_members_and_no_other_does(world: World) -> None:
    ours = signer().key_id.written("record", NETWORK)
    world.fake.put(record(network_memberships=[]), "acmenet.org", KEY, "charge-net")
    world.fake.put(record(), "evil.org", KEY, "charge-net")
    _, participant = world.require(Signer(ours, private(1)))
    assert (str(ours), participant.subscriber_id) == (f"{NETWORK}/{KEY}|ed25519", NAME)
    assert code_of(world.require, Signer(KeyId("evil.org", KEY, "charge-net"), private(1))) == "AUT_KEY_NOT_FOUND"


def test_point_07_an_answer_is_tied_to_the_request_that_we_made(world: World) -> None:
    request = signer(seed=3).sign(b"{}", NOW).value
    header = signer().sign(BODY, NOW, request).header()
    world.verifier.require(header, BODY, request_signature=request)
    for other in (None, signer(seed=3).sign(b"{ }", NOW).value):
        assert code_of(world.verifier.require, header, BODY, request_signature=other) == "AUT_SIGNATURE_INVALID"


def test_point_07_a_refusal_says_how_to_sign() -> None:
    assert challenge("us.example.org") == 'Signature realm="us.example.org",headers="(created) (expires) digest"'
    assert Fault("AUT_SIGNATURE_INVALID", "").status == 401


def test_point_09_a_key_is_kept_until_it_is_old(world: World) -> None:
    for _ in range(3):
        world.require(signer())
    world.later(SECONDS - 1)
    world.require(signer())
    assert world.fake.lookups() == 1
    world.later(1)
    world.require(signer())
    assert world.fake.lookups() == 2


def test_point_09_the_registry_may_ask_for_less_time_and_not_for_more(world: World) -> None:
    world.fake.put(record(ttl=20))
    world.require(signer())
    world.later(20)
    world.fake.put(record(ttl=86_400))
    world.require(signer())
    world.later(SECONDS)
    world.require(signer())
    assert world.fake.lookups() == 3


def test_point_09_a_changed_key_is_found_by_one_lookup_more(world: World) -> None:
    world.require(signer())
    world.later(10)
    world.fake.put(record(seed=2))
    world.require(signer(seed=2))
    assert world.fake.lookups() == 2
    assert code_of(world.require, signer(seed=1)) == "AUT_SIGNATURE_INVALID"


def test_point_09_bad_signatures_do_not_flood_the_registry(world: World) -> None:
    world.require(signer())
    for _ in range(50):
        assert code_of(world.require, signer(seed=2)) == "AUT_SIGNATURE_INVALID"
    assert world.fake.lookups() == 1
    world.later(5)
    for _ in range(50):
        assert code_of(world.require, signer(seed=2)) == "AUT_SIGNATURE_INVALID"
    assert world.fake.lookups() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"is_revoked": True},
        {"state": "revoked"},
        {"status": "INACTIVE"},
        {"state": "draft"},
        {"details": {"status": "suspended"}},
        {"revoked_at": "2026-03-31T00:00:00Z"},
        {"valid_till": "2026-04-01T08:30:00Z"},
        {"valid_until": "2026-04-01"},
        {"valid_from": "2026-04-01T08:30:01Z"},
        {"details": {"valid_until": "2026-03-01T00:00:00Z"}, "valid_until": "2027-03-01T00:00:00Z"},
        {"valid_until": "soon"},
        {"valid_until": 17},
    ],
)
def test_point_09_a_key_out_of_force_is_refused(world: World, change: dict[str, Any]) -> None:
    world.fake.put(record(**change))
    assert code_of(world.require, signer()) == "AUT_KEY_EXPIRED_OR_REVOKED"


def test_point_09_a_key_that_expires_while_it_is_kept_is_refused(world: World) -> None:
    world.fake.put(record(valid_until="2026-04-01T08:30:30Z"))
    world.require(signer())
    world.later(30)
    assert code_of(world.require, signer()) == "AUT_KEY_EXPIRED_OR_REVOKED"
    world.fake.put(record())
    world.later(5)
    world.require(signer())


def test_point_09_a_revocation_is_seen_when_the_key_is_old_and_when_it_does_not_fit(world: World) -> None:
    world.require(signer())
    world.fake.put(record(is_revoked=True))
    world.later(10)
    assert code_of(world.require, signer(seed=2)) == "AUT_KEY_EXPIRED_OR_REVOKED"
    assert code_of(world.require, signer()) == "AUT_KEY_EXPIRED_OR_REVOKED"
    world.fake.put(record())
    world.later(SECONDS)
    world.require(signer())


def test_point_09_without_the_registry_a_kept_key_does_until_it_is_old(world: World) -> None:
    world.require(signer())
    world.fake.before = lambda _: told({}, 503)
    world.later(SECONDS - 1)
    world.require(signer())
    assert code_of(world.require, signer(seed=2)) == "AUT_SIGNATURE_INVALID"
    world.require(signer())
    world.later(1)
    assert code_of(world.require, signer()) == "NET_DOWNSTREAM_UNAVAILABLE"
    world.fake.before = lambda _: None
    world.later(2)
    world.require(signer())


def test_point_14_a_callback_goes_only_where_the_registry_says() -> None:
    for same in ("HTTPS://BAP.example.org/beckn", "https://bap.example.org:443/beckn/", URL):
        require_same_endpoint(same, URL)
    for other in (
        "http://bap.example.org/beckn",
        "https://bap.example.org:8443/beckn",
        "https://bap.example.org/beckn/v2",
        "https://bap.example.org/Beckn",
        "https://bap.example.org.evil.org/beckn",
        "https://bap.example.org@evil.org/beckn",
        "https://bap.example.org/beckn?to=evil.org",
        "https://bap.example.org/beckn#",
    ):
        assert code_of(require_same_endpoint, other, URL) == "CTX_INVALID_FIELD"
        assert code_of(require_same_endpoint, other, URL, "$.context.bppUri") == "CTX_INVALID_BPP_URI"
    assert code_of(require_same_endpoint, URL, None) == "CTX_INVALID_FIELD"
    assert code_of(require_same_endpoint, None, URL) == "CTX_CALLBACK_URL_MISSING"


INNER = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "::7f00:1", "fe80::1%eth0",
]  # fmt: skip


@pytest.mark.parametrize("inner", INNER)
def test_point_14_no_address_of_an_inner_network_is_called(inner: str) -> None:
    literal = f"[{inner}]" if ":" in inner else inner
    assert code_of(Addresses(False).require, f"https://{literal}/x") == "CTX_INVALID_FIELD"
    for found in ([inner], ["8.8.8.8", inner]):
        by_name = Addresses(False, lambda _host, _port, found=found: found)
        assert code_of(by_name.require, "https://peer.example/x", "$.context.bppUri") == "CTX_INVALID_BPP_URI"


@pytest.mark.parametrize("outer", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "193.0.0.1"])
def test_point_14_a_public_address_is_called(outer: str) -> None:
    target = Addresses(False, lambda _host, _port: [outer]).require("https://Peer.example:8443/beckn/")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "peer.example", 8443, "/beckn")


@pytest.mark.parametrize(
    "url",
    [
        "http://peer.example/x", "ftp://peer.example/x", "file:///etc/passwd", "//peer.example/x", "peer.example",
        "https://", "https:///x", "https://user@peer.example/x", "https://u:p@peer.example/x", "https://@peer.example/",
        "https://peer.example:0/x", "https://peer.example:99999/x", "https://peer.example:x/", "https://[::1/x",
        "https://peer.example/x?y", "https://peer.example/x#y", "https://peer.example/\r\nX: y", "https://p .example",
        "https://peer.example\\@evil.org/", "https://pe%65r.example/", "https://péer.example/", "h" * 3000,
    ],
)  # fmt: skip
def test_point_14_an_address_of_another_form_is_refused(url: str) -> None:
    outer = Addresses(False, lambda _host, _port: ["8.8.8.8"])
    assert code_of(outer.require, url) == "CTX_INVALID_FIELD"


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1", "017700000001"])
def test_point_14_names_and_numbers_of_this_machine_are_seen_through(name: str) -> None:
    assert code_of(Addresses(False).require, f"https://{name}/x") == "CTX_INVALID_FIELD"


def test_point_14_development_may_call_this_machine_and_still_no_metadata() -> None:
    Addresses(True).require("http://127.0.0.1:5000/beckn")
    for never in ("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "224.0.0.1"):
        assert code_of(Addresses(True).require, f"http://{never}/x") == "CTX_INVALID_FIELD"


def test_point_14_a_name_that_changes_its_address_gains_nothing() -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    reached: list[str] = []

    def inner(environ: Any, start: Any) -> Any:
        reached.append(environ["PATH_INFO"])
        return Response("inner")(environ, start)

    addresses = Addresses(False, rebinding)
    with serving(inner) as port, guarded_session(addresses, time.monotonic) as session:
        url = f"https://peer.example:{port}/x"
        addresses.require(url)
        assert code_of(session.post, url, data=b"{}") == "CTX_INVALID_FIELD"
    assert (len(asked), reached) == (2, [])


def test_point_14_an_answer_sends_us_nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reached: list[str] = []

    def peer(environ: Any, start: Any) -> Any:
        request = Request(environ)
        reached.append(request.path)
        answer = Response("", 307, headers={"Location": f"http://{request.host}/inner", "Set-Cookie": "a=b; Path=/"})
        return answer(environ, start)

    with serving(peer) as port, guarded_session(Addresses(True), time.monotonic) as session:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "")
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        for proxies in ({}, {"http": "http://127.0.0.1:9"}):
            answer = session.post(f"http://127.0.0.1:{port}/x", data=b"{}", proxies=proxies)
            assert answer.status_code == 307
            assert not {"Cookie", "Authorization"} & answer.request.headers.keys()
    assert reached == ["/x", "/x"]


def test_point_14_a_name_that_cannot_be_resolved_is_told_apart() -> None:
    def failing(errno: int) -> Addresses:
        def resolve(_host: str, _port: int) -> list[str]:
            raise socket.gaierror(errno, "no")

        return Addresses(False, resolve)

    assert code_of(failing(socket.EAI_NONAME).require, "https://peer.example/") == "CTX_INVALID_FIELD"
    assert code_of(failing(socket.EAI_AGAIN).require, "https://peer.example/") == "NET_DOWNSTREAM_UNAVAILABLE"
    session = guarded_session(failing(socket.EAI_AGAIN), time.monotonic)
    with session, pytest.raises(requests.ConnectionError):
        session.get("https://peer.example/")


HOSTS = ("schema.nfh.global", "schema.beckn.io")
OWN = "https://flex.example.org/beckn/v2"
GOOD = "https://schema.nfh.global/DemandFlexNeed/v2.0/context.jsonld"


def bag(context: Any) -> dict[str, Any]:
    return {"message": {"contract": {"commitments": [{"commitmentAttributes": {"@context": context, "@type": "X"}}]}}}


@pytest.mark.parametrize("context", [GOOD, f"{OWN}/schemas/x.jsonld", [GOOD, "https://schema.beckn.io/a"]])
def test_point_27_contexts_of_known_hosts_and_our_own_are_taken(context: Any) -> None:
    require_contexts(bag(context), HOSTS, (OWN,))
    require_contexts({"context": {"schemaContext": context if isinstance(context, list) else [context]}}, HOSTS, (OWN,))


LOOKALIKES = [
    "http://schema.nfh.global/x", "https://schema.nfh.global.evil.org/x", "https://evil.org/schema.nfh.global/x",
    "https://evil.org/?https://schema.nfh.global/x", "https://schema.nfh.global@evil.org/x",
    "https://evil.org#schema.nfh.global/x", "https://schema.nfh.global:443/x", "https://schema.nfh.global:8443/x",
    "https://schema.nfh.global./x", "https://SCHEMA.nfh.global/x", "https://xschema.nfh.global/x",
    "https://xn--schema.nfh.global/x", "https://schеma.nfh.global/x", "https://schema.nfh.global/a/../b",
    "https://schema.nfh.global/%2e%2e/b", "https://schema.nfh.global\\@evil.org/x", "//schema.nfh.global/x",
    "schema.nfh.global/x", "https://schema.nfh.global", "https://schema.nfh.global/x?y", "https://schema.nfh.global/x#y",
    " https://schema.nfh.global/x", "https://schema.nfh.global/x\n", "https://schema.nfh.global//evil.org/x", "",
    f"{OWN}.evil.org/x", f"{OWN}x/y", f"{OWN}/../x", "https://flex.example.org/other/x", "file:///etc/passwd", OWN,
    GOOD + "x" * 2048,
]  # fmt: skip


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_point_27_lookalikes_are_refused_and_named(lookalike: str) -> None:
    path = "$.message.contract.commitments[0].commitmentAttributes['@context']"
    for context, where in ((lookalike, path), ([GOOD, lookalike], f"{path}[1]")):
        with pytest.raises(Fault) as refused:
            require_contexts(bag(context), HOSTS, (OWN,))
        expected = "SCH_INVALID_JSONLD_CONTEXT" if context else "SCH_REQUIRED_FIELD_MISSING"
        assert (refused.value.code, refused.value.path) == (expected, where)
    with pytest.raises(Fault) as refused:
        require_contexts({"context": {"schemaContext": [GOOD, lookalike]}}, HOSTS, (OWN,))
    assert (refused.value.code, refused.value.path) == ("SCH_INVALID_JSONLD_CONTEXT", "$.context.schemaContext[1]")


@pytest.mark.parametrize("context", [{"@vocab": GOOD}, {"@import": GOOD}, [{"a": "b"}], 7, True, [[GOOD]]])
def test_point_27_a_context_written_out_is_refused(context: Any) -> None:
    assert code_of(require_contexts, bag(context), HOSTS, (OWN,)) == "SCH_INVALID_JSONLD_CONTEXT"
    assert code_of(require_contexts, {"message": {"@context": context}}, HOSTS, (OWN,)) == "SCH_INVALID_JSONLD_CONTEXT"


@pytest.mark.parametrize(
    "name",
    ["resource", "offer", "commitment", "performance", "contract", "consideration", "participant", "settlement"],
)
def test_point_27_attributes_say_what_they_are(name: str) -> None:
    field = f"{name}Attributes"
    for missing in ("@context", "@type"):
        whole = {"@context": GOOD, "@type": "X", "capacity": 7}
        del whole[missing]
        for found, where in ((whole, ""), ([whole], "[0]")):
            with pytest.raises(Fault) as refused:
                require_contexts({"message": {field: found}}, HOSTS, ())
            assert refused.value.code == "SCH_REQUIRED_FIELD_MISSING"
            assert refused.value.path == f"$.message.{field}{where}['{missing}']"
    assert code_of(require_contexts, {"message": {field: "text"}}, HOSTS, ()) == "SCH_SCHEMA_VALIDATION_FAILED"


def test_point_27_a_message_of_many_levels_is_refused_by_its_depth_and_does_not_fell_the_reader() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = [{"a": deep}]
    assert code_of(require_contexts, {"message": deep}, HOSTS, ()) == "SCH_SCHEMA_VALIDATION_FAILED"
