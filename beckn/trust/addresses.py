"""Addresses that may be called: a peer's word must not send us to machines of our own network.

A host is resolved when a connection to it is made, what comes out is checked, and the connection goes to that very
address: a name that resolves to something else a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from agents.energy.transport.wire import TimedAdapter
from beckn.protocol.faults import Fault

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
TIMEOUT_S = 10.0
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2048
_PRINTABLE = re.compile(r"[!-~]+")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_NEVER = tuple(
    ipaddress.ip_network(each)
    for each in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b:1::/48",  # translation within a network
        "2001::/32",  # Teredo
        "3fff::/20",  # documentation
        "fec0::/10",  # site-local, as it was
        "fd00:ec2::/32",  # metadata of a cloud
    )
)
_PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_MOST_ADDRESSES = 4
"""of a host, to which a connection is tried"""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: scheme and host in lower case, the port that is meant, the path without a last slash."""

    scheme: str
    host: str
    port: int
    path: str


class Addresses:
    """Which addresses may be called.

    :param private_allowed: loopback and private addresses too, and http: for development.
    :param resolve: the addresses of a host, as text; by default the system's.
    """

    def __init__(self, private_allowed: bool, resolve: Resolve | None = None) -> None:
        self._private_allowed = private_allowed
        self._resolve = resolve or system_addresses

    def read(self, url: str | None, path: str = "$.context.bapUri") -> Target:
        """Take a URL apart; nothing is resolved. :param path: JSONPath of the field that holds it.

        :raises Fault: ``CTX_CALLBACK_URL_MISSING``; or ``CTX_INVALID_BPP_URI`` for a bppUri and ``CTX_INVALID_FIELD``
            for others, where it may not be called by its form.
        """
        if not url:
            raise Fault("CTX_CALLBACK_URL_MISSING", "there is no address to call", path)
        try:
            target = target_of(url)
        except ValueError as error:
            raise _refused(path, str(error)) from error
        if target.scheme == "http" and not self._private_allowed:
            raise _refused(path, "it is not https")
        return target

    def require(self, url: str | None, path: str = "$.context.bapUri") -> Target:
        """Return the URL taken apart if it may be called: by its form, and by every address of its host.

        :raises Fault: as :meth:`read`; ``NET_DOWNSTREAM_UNAVAILABLE`` where names cannot be resolved just now.
        """
        target = self.read(url, path)
        try:
            self.resolved(target.host, target.port, path)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise Fault("NET_DOWNSTREAM_UNAVAILABLE", f"{target.host} cannot be resolved now", path) from error
            raise _refused(path, f"{target.host} cannot be resolved") from error
        return target

    def resolved(self, host: str, port: int, path: str = "$.context.bapUri") -> list[str]:
        """The addresses of a host, all of which may be called.

        :raises Fault: one of them may not. :raises socket.gaierror: there are none.
        """
        found = list(dict.fromkeys(self._resolve(host, port)))
        for each in found:
            if not self._allowed(each):
                raise _refused(path, f"{host} is at an address that must not be called from here")
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return found

    def _allowed(self, text: str) -> bool:
        try:
            address = embedded(ipaddress.ip_address(text))
        except ValueError:
            return False
        return public(address) or (self._private_allowed and near(address))


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver; :class:`socket.gaierror` where there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


def target_of(url: str) -> Target:
    """Take a URL apart; :class:`ValueError` for one with a user, a query, a fragment, or that is none of http."""
    if len(url) > _LONGEST or _PRINTABLE.fullmatch(url) is None or "\\" in url:
        raise ValueError("it is no address of printable ASCII signs")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("it is no address") from error
    if parts.scheme not in _PORTS or not parts.hostname or "%" in parts.netloc:
        raise ValueError("it is no http or https address with a host")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("it has a user, a query or a fragment")
    if port == 0:
        raise ValueError("it names port 0")
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, translated, 6to4), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def public(address: Address) -> bool:
    """Whether it is an address of one machine in the public network."""
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in each for each in _NEVER)
    )


def near(address: Address) -> bool:
    """Whether it is this machine or one in a private network: loopback, RFC 1918, unique local IPv6."""
    return any(address in each for each in _PRIVATE) and not any(address in each for each in _NEVER)


def same_endpoint(claimed: str, registered: str) -> bool:
    """Whether two URLs mean the same: scheme and host in any case, default ports, a last slash."""
    try:
        return target_of(claimed) == target_of(registered)
    except ValueError:
        return False


def require_same_endpoint(claimed: str | None, registered: str | None, path: str = "$.context.bapUri") -> None:
    """Return if a peer names the address that the registry has of it.

    :raises Fault: ``CTX_INVALID_BPP_URI`` for a bppUri, ``CTX_INVALID_FIELD`` for others; ``CTX_CALLBACK_URL_MISSING``
        where it names none.
    """
    if not claimed:
        raise Fault("CTX_CALLBACK_URL_MISSING", "there is no address to call", path)
    if registered is None or not same_endpoint(claimed, registered):
        raise _refused(path, "it is not the address that the registry has of the sender")


class GuardedAdapter(TimedAdapter):
    """Connections that go to checked addresses only; for sessions without proxies."""

    def __init__(
        self,
        addresses: Addresses,
        monotonic: Callable[[], float],
        trusted: ssl.SSLContext | None = None,
        whole_s: float = TIMEOUT_S,
    ) -> None:
        self._addresses = addresses
        kinds = (
            type("GuardedHTTPConnection", (_Plain,), {"addresses": addresses}),
            type("GuardedHTTPSConnection", (_Secure,), {"addresses": addresses}),
        )
        super().__init__(whole_s, monotonic, trusted, kinds)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send it, if the form of its URL allows that; no proxy is used whatever is asked."""
        self._addresses.read(request.url, "$.url")
        return super().send(request, *args, **{**kwargs, "proxies": {}})


class GuardedSession(requests.Session):
    """A session for peers: nothing from the environment, no redirects, no cookies, always a time limit."""

    def __init__(self, adapter: GuardedAdapter, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self.trust_env = False
        self.headers = requests.structures.CaseInsensitiveDict(
            {"Accept": "application/json", "User-Agent": "slackwater"}
        )
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send it. :raises Fault: it must not be called. :raises requests.RequestException: no answer came."""
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout_s
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - none, whatever it says
        """Nowhere: an answer that sends elsewhere is an answer."""
        return None


def guarded_session(
    addresses: Addresses,
    monotonic: Callable[[], float],
    trusted: ssl.SSLContext | None = None,
    timeout_s: float = TIMEOUT_S,
) -> GuardedSession:
    """A session that calls only what may be called.

    :param monotonic: seconds of a clock that never goes back. :param trusted: whom TLS trusts; by default the usual
        public authorities. :param timeout_s: for a connection, for silence, and for the whole answer.
    """
    return GuardedSession(GuardedAdapter(addresses, monotonic, trusted, timeout_s), timeout_s)


class _Plain(HTTPConnection):
    """A connection to a checked address of its host."""

    addresses: Addresses

    def _new_conn(self) -> socket.socket:
        return _connected(self, self.addresses)


class _Secure(HTTPSConnection):
    """The same with TLS, in which the host proves its name."""

    addresses: Addresses

    def _new_conn(self) -> socket.socket:
        return _connected(self, self.addresses)


def _connected(connection: HTTPConnection, addresses: Addresses) -> socket.socket:
    """A socket to the first address that answers."""
    try:
        found = addresses.resolved(connection.host, connection.port, "$.url")
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    reach = partial(socket.create_connection, timeout=_seconds(connection.timeout))
    last: OSError = OSError("no address")
    for each in found[:_MOST_ADDRESSES]:
        try:
            made = reach((each, connection.port))
        except OSError as error:
            last = error
            continue
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    if isinstance(last, TimeoutError):
        raise ConnectTimeoutError(connection, f"no connection to {connection.host} in time") from last
    raise NewConnectionError(connection, f"no connection to {connection.host}: {last.strerror}") from last


def _seconds(timeout: Any) -> float:
    return float(timeout) if isinstance(timeout, int | float) else TIMEOUT_S


def _refused(path: str, why: str) -> Fault:
    field = path.rpartition(".")[2]
    return Fault("CTX_INVALID_BPP_URI" if field == "bppUri" else "CTX_INVALID_FIELD", f"{field}: {why}", path)
