from __future__ import annotations

import socket
import threading
import time

import pytest
import requests
import responses
from urllib3.exceptions import ProtocolError

from agents.energy import client as client_module
from agents.energy.client import HostBusy, HostUnreachable, JsonClient, Refused
from core.errors import FeedInvalid, FeedUnreachable

URL = "https://feed.example/figures"


@pytest.fixture
def client():
    made = JsonClient(backoff_seconds=0, body_bytes=1_000)
    yield made
    made.close()


@responses.activate
def test_json_is_parsed_and_its_bytes_are_kept(client):
    responses.get(URL, body=b'{"data": [1]}', content_type="application/json; charset=utf-8")
    assert client.get(URL, {"a": "1 +"}) == ({"data": [1]}, b'{"data": [1]}')
    assert responses.calls[0].request.url == f"{URL}?a=1+%2B"


@responses.activate
def test_a_server_error_is_tried_once_more(client):
    responses.get(URL, status=503)
    responses.get(URL, json={"ok": True})
    assert client.get(URL)[0] == {"ok": True}


@responses.activate
def test_a_server_error_that_stays_is_unreachable_and_quotes_what_was_said(client):
    body = {"error": {"code": "500 Internal Server Error", "message": "Requested resource not found."}}
    responses.get(URL, status=500, json=body)
    with pytest.raises(FeedUnreachable, match=r"answered 500 .*Requested resource not found") as raised:
        client.get(URL)
    assert not isinstance(raised.value, HostUnreachable)
    assert "signals check" in raised.value.diagnostics()


@responses.activate
def test_a_busy_host_says_for_how_long(client):
    responses.get(URL, status=429, headers={"Retry-After": "0"})
    responses.get(URL, status=429, headers={"Retry-After": "120"})
    with pytest.raises(HostBusy) as raised:
        client.get(URL)
    assert raised.value.retry_after_s == 120


@responses.activate
def test_a_busy_host_without_a_number_of_seconds_names_no_pause(client):
    responses.get(URL, status=429)
    with pytest.raises(HostBusy) as raised:
        client.get(URL)
    assert raised.value.retry_after_s == 0


def test_no_pause_that_a_host_asks_for_is_longer_than_two_seconds():
    retry = client_module._retry(0.5)
    assert retry.retry_after_max == 2
    assert retry.backoff_max == 2


@responses.activate
@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_refusal_carries_its_status(client, status):
    responses.get(URL, status=status, json={"detail": "no"}, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(Refused, match=str(status)) as raised:
        client.get(URL)
    assert raised.value.status == status
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (b"<html>", "text/html", "instead of JSON"),
        (b"", "application/json", "broken JSON"),
        (b'{"data": NaN}', "application/json", "NaN is not JSON"),
        (b"\xff\xfe{", "application/json", "broken JSON"),
        (b"[" * 990, "application/json", "broken JSON"),
        (b"1" * 1_001, "application/json", "more than 1000 bytes"),
    ],
)
def test_what_is_not_bounded_json_is_invalid(client, body, content_type, said):
    responses.get(URL, body=body, content_type=content_type)
    with pytest.raises(FeedInvalid, match=said):
        client.get(URL)


@responses.activate
@pytest.mark.parametrize("fault", [requests.ConnectTimeout("slow"), requests.ConnectionError(ProtocolError("cut"))])
def test_no_answer_is_an_unreachable_host(client, fault):
    responses.get(URL, body=fault)
    with pytest.raises(HostUnreachable, match=r"feed\.example cannot be reached"):
        client.get(URL)


def test_a_closed_port_is_an_unreachable_host_named_without_object_addresses(client):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HostUnreachable, match="refused") as raised:
        client.get(f"http://127.0.0.1:{port}/")
    assert "0x" not in str(raised.value)


def trickling_server(listener):
    connection, _ = listener.accept()
    with connection:
        connection.recv(1_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n")
        try:
            while True:
                connection.sendall(b" ")
                time.sleep(0.005)
        except OSError:
            return


def test_a_body_that_trickles_in_is_given_up(client, monkeypatch):
    monkeypatch.setattr(client_module, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(client_module, "CHUNK_BYTES", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=trickling_server, args=(listener,), daemon=True)
        server.start()
        with pytest.raises(HostUnreachable, match="took longer"):
            client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        server.join(5)
