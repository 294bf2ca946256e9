"""Connections that go to the address that was checked, under the name of the host."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import Request, Response

from agents.energy.transport.wire import trusting
from beckn.protocol.faults import Fault
from beckn.trust.addresses import Addresses, embedded, guarded_session, near, public, same_endpoint, target_of
from tests.beckn.registries import serving

HOST = "peer.example"


def echo(environ: Any, start: Any) -> Any:
    request = Request(environ)
    return Response(f"{request.method} {request.host} {request.path}")(environ, start)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate of the host's name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "host.pem"
    kept = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*kept))
    return path


@pytest.fixture
def secure(pem: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving(echo, tls=context) as port:
        yield port


def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def test_the_host_proves_its_name_at_the_address_that_was_checked(secure: int, pem: Path) -> None:
    with guarded_session(Addresses(True, here), time.monotonic, trusting(str(pem))) as session:
        answer = session.post(f"https://{HOST}:{secure}/beckn/select", data=b"{}")
        assert answer.text == f"POST {HOST}:{secure} /beckn/select"
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://other.example:{secure}/")


def test_a_host_without_a_trusted_certificate_is_not_spoken_to(secure: int) -> None:
    session = guarded_session(Addresses(True, here), time.monotonic)
    with session, pytest.raises(requests.exceptions.SSLError):
        session.get(f"https://{HOST}:{secure}/", verify=False)


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with serving(echo) as port:
        addresses = Addresses(True, lambda _host, _port: ["::1", "127.0.0.1"])
        with guarded_session(addresses, time.monotonic, timeout_s=1.0) as session:
            assert session.get(f"http://{HOST}:{port}/x").text == f"GET {HOST}:{port} /x"


def test_an_ipv6_address_is_called_by_its_number() -> None:
    with serving(echo, "::1") as port, guarded_session(Addresses(True), time.monotonic) as session:
        assert session.get(f"http://[::1]:{port}/x").text == f"GET [::1]:{port} /x"


def test_a_host_that_does_not_answer_is_a_fault_of_the_network() -> None:
    session = guarded_session(Addresses(True), time.monotonic, timeout_s=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with session, pytest.raises(requests.RequestException):
            session.get(url)
    with session, pytest.raises(requests.ConnectionError):
        session.get(url)


def test_the_whole_answer_has_one_time_limit() -> None:
    def dripping(environ: Any, start: Any) -> Any:
        start("200 OK", [("Content-Type", "text/plain")])
        for _ in range(20):
            time.sleep(0.05)
            yield b"x"

    with serving(dripping) as port, guarded_session(Addresses(True), time.monotonic, timeout_s=0.3) as session:
        began = time.monotonic()
        with pytest.raises(requests.RequestException):
            session.get(f"http://127.0.0.1:{port}/")
        assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://user@8.8.8.8/x", "https://127.0.0.1:9/x"])
def test_a_session_refuses_what_must_not_be_called(url: str) -> None:
    with guarded_session(Addresses(False), time.monotonic) as session, pytest.raises(Fault) as refused:
        session.post(url, data=b"{}", proxies={"https": "http://127.0.0.1:9", "http": "http://127.0.0.1:9"})
    assert (refused.value.code, refused.value.path) == ("CTX_INVALID_FIELD", "$.url")


@given(st.ip_addresses(v=4))
def test_an_inner_address_stays_inner_however_it_is_dressed(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for dressed in ((0xFFFF << 32) | number, (0x64FF9B << 96) | number, (0x2002 << 112) | (number << 80)):
        assert embedded(ipaddress.IPv6Address(dressed)) == address
    assert not (public(address) and near(address))
    if not address.is_global:
        assert not public(address)


@given(st.text(max_size=40))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    for url in (text, f"https://{text}", f"https://peer.example/{text}"):
        try:
            target = target_of(url)
        except ValueError:
            assert not same_endpoint(url, url)
        else:
            assert target.host
            assert same_endpoint(url, url)
