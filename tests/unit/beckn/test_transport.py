"""One attempt over a real socket: what is sent, and what each kind of answer comes to."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest

from beckn.protocol.acknowledgement import Acknowledged, Malformed, Refused
from beckn.signing import BadSignature, Signature
from beckn.transport import MOST_BYTES, Unreached
from core.clock import ManualClock
from core.trade import Delivery
from tests.beckn.peers import KEY, Came, Say, a_delivery, nacked, peer_saying, transport

PUBLIC = KEY.public_key().public_bytes_raw()
NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)


def answer_to(say: Say, **changes: object) -> object:
    with peer_saying(lambda came, times: say) as peer, transport(ManualClock(NOW), timeouts_s=(0.5, 0.5)) as post:
        return post.post(a_delivery(peer.url, **changes))


@pytest.mark.parametrize(("request_signature", "answers"), [(None, False), ("cmVxdWVzdA==", True)])
def test_the_bytes_travel_as_stored_and_signed(request_signature: str | None, answers: bool) -> None:
    clock = ManualClock(NOW)
    with peer_saying(lambda came, times: Say()) as peer, transport(clock) as post:
        delivery = a_delivery(peer.url, request_signature=request_signature)
        answer = post.post(delivery)
        (came,) = peer.came
    assert (came.path, came.body) == ("/beckn/on_confirm", delivery.body)
    assert came.headers["Content-Type"] == "application/json"
    signature = Signature.parse(came.headers["Authorization"])
    assert answer == Acknowledged(signature=signature.value)
    assert signature.answers is answers
    signature.require(came.body, PUBLIC, NOW, request_signature)
    with pytest.raises(BadSignature):
        signature.require(came.body + b" ", PUBLIC, NOW, request_signature)


def test_each_attempt_is_signed_anew_and_told_before_it_is_made() -> None:
    clock, signed = ManualClock(NOW), []

    def note(delivery: Delivery, header: str) -> None:
        signed.append((len(peer.came), header))

    with peer_saying(lambda came, times: Say()) as peer, transport(clock, on_signed=note) as post:
        delivery = a_delivery(peer.url)
        post.post(delivery)
        clock.advance(timedelta(seconds=400))
        post.post(delivery)
    sent = [came.headers["Authorization"] for came in peer.came]
    assert signed == [(0, sent[0]), (1, sent[1])]
    assert Signature.parse(sent[1]).created == Signature.parse(sent[0]).created + 400


def test_a_netrc_file_does_not_replace_the_signature(tmp_path, monkeypatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password x\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with peer_saying(lambda came, times: Say()) as peer, transport() as post:
        post._session.trust_env = True
        post.post(a_delivery(peer.url))
    assert peer.came[0].headers["Authorization"].startswith("Signature ")


def test_a_refusal_carries_its_code_and_the_wait_that_is_asked_for() -> None:
    body = nacked("m", "NET_OVERLOADED")
    found = answer_to(Say(429, body, headers={"Retry-After": "17"}), message_id="m")
    assert found == Refused("NET_OVERLOADED", "no", retry=True, retry_after=17.0)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("0", 0.0),
        ("Wed, 01 Apr 2026 08:30:09 GMT", 9.0),
        ("Wed, 01 Apr 2026 08:00:00 GMT", 0.0),
        ("99999999999999", 86_400.0),
        ("soon", None),
        ("-3", None),
        ("²", None),
    ],
)
def test_retry_after_is_a_count_or_a_date(header: str, wait_s: float | None) -> None:
    found = answer_to(Say(503, b"", headers={"Retry-After": header.encode("utf-8").decode("latin-1")}))
    assert isinstance(found, Malformed)
    assert found.retry_after == wait_s


@pytest.mark.parametrize(
    "say",
    [
        Say(body=b""),
        Say(body=b"<html>welcome</html>", kind="text/html"),
        Say(500, b"oops", "text/plain"),
        Say(302, b"", headers={"Location": "/elsewhere"}),
        Say(body=b"x" * (MOST_BYTES + 1)),
        Say(body=b'{"message": {"status": "ACK", "messageId": "6ef3c1ae-4d0b-4a5c-8f6a-0a4c8f9b1d11"}}'),
    ],
)
def test_what_is_no_acknowledgement_is_malformed(say: Say) -> None:
    assert isinstance(answer_to(say), Malformed)


def test_a_redirect_is_not_followed() -> None:
    def answer(came: Came, times: int) -> Say:
        return Say(307, b"", headers={"Location": "/other"}) if came.path.endswith("on_confirm") else Say()

    with peer_saying(answer) as peer, transport() as post:
        assert isinstance(post.post(a_delivery(peer.url)), Malformed)
        assert [came.path for came in peer.came] == ["/beckn/on_confirm"]


def test_a_flood_is_cut_off() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (4 * MOST_BYTES)
    found = answer_to(Say(raw=endless))
    assert isinstance(found, Malformed)
    assert "more than" in found.reason


@pytest.mark.parametrize(
    "say", [Say(cut=True), Say(raw=b""), Say(raw=b"SSH-2.0-x\r\n"), Say(raw=b"HTTP/1.1 200 OK\r\n")]
)
def test_a_line_that_is_cut_leaves_it_open_whether_the_message_arrived(say: Say) -> None:
    found = answer_to(say)
    assert isinstance(found, Unreached | Malformed)
    assert getattr(found, "sent", True)


def test_a_slow_peer_is_given_up_in_time() -> None:
    held = threading.Event()
    try:
        with peer_saying(lambda came, times: Say(held=held)) as peer, transport(timeouts_s=(0.2, 0.2)) as post:
            assert post.post(a_delivery(peer.url)) == Unreached("no answer in time", sent=True)
            held.set()
    finally:
        held.set()


def test_a_drip_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beckn.transport.WHOLE_S", 0.3)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                for _ in range(200):
                    if stop.wait(0.02):
                        return
                    try:
                        line.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        with transport() as post:
            found = post.post(a_delivery(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        stop.set()
        thread.join()
    assert isinstance(found, Malformed)
    assert "not whole" in found.reason


def test_a_refused_connection_brought_nothing_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with transport() as post:
        assert post.post(a_delivery(f"http://127.0.0.1:{port}")) == Unreached(
            "no answer: Connection refused", sent=False
        )


def test_the_signature_of_an_acknowledgement_is_checked_and_never_fatal() -> None:
    asked = []

    def check(header: str | None, body: bytes, request_signature: str, peer_id: str) -> str | None:
        asked.append((header, body, request_signature, peer_id))
        return None if header == "good" else "it is missing"

    says = iter([Say(headers={"Signature": "good"}), Say()])
    with peer_saying(lambda came, times: next(says)) as peer, transport(check_answer=check) as post:
        delivery = a_delivery(peer.url)
        answers = [post.post(delivery), post.post(delivery)]
    values = [Signature.parse(came.headers["Authorization"]).value for came in peer.came]
    assert answers == [
        Acknowledged(signature=values[0]),
        Acknowledged(remark="it is missing", signature=values[1]),
    ]
    assert [(header, value, who) for header, _, value, who in asked] == [
        ("good", values[0], "grid.example.org"),
        (None, values[1], "grid.example.org"),
    ]
    assert b'"ACK"' in asked[0][1]
