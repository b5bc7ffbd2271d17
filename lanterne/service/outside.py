"""Requests from this server to addresses that clients name. None reaches a private network unless a setting allows it.

The name is resolved once and the connection goes to an address that was looked at, so that a name cannot change in between; where an
answer leads on to another address, that is looked at just the same. A request has one deadline for all of it, however slowly bytes come.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lanterne.errors import LanterneError
from lanterne.service.errors import APIError, invalid
from lanterne.service.settings import Settings

TIMEOUT = 20  # seconds for a message to be taken, or for a picture to be there, however many addresses lead to it
MAX_PICTURE = 32 * 2**20
_REDIRECTS = 3
_fetches = threading.BoundedSemaphore(8)  # of the threads that answer requests, so many may wait for other servers


class OutsideError(LanterneError):
    """An address that may not or cannot be reached, in one sentence."""


@dataclass(frozen=True)
class Place:
    scheme: str
    host: str
    addresses: tuple[str, ...]
    port: int
    target: str


def place(url: str, settings: Settings) -> Place:
    """Where a URL leads. Raises OutsideError for what may not be asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutsideError(f"The address {url[:80]!r} cannot be read; give one such as https://example.org/path.") from None
    allowed = ("https", "http") if settings.webhooks_to_private else ("https",)
    if parts.scheme not in allowed or not parts.hostname or parts.username is not None:
        raise OutsideError(f"The address {url[:80]!r} cannot be used; give an https address without a user name.")
    port = port or {"https": 443, "http": 80}[parts.scheme]
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutsideError(f"The host {parts.hostname[:80]!r} cannot be found; check the address.") from None
    addresses = tuple(dict.fromkeys(entry[4][0] for entry in found))
    if not settings.webhooks_to_private and not all(_public(address) for address in addresses):
        raise OutsideError(f"The host {parts.hostname[:80]!r} is in a private network, which this server asks only "
                           "with the setting webhooks_to_private.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in target):
        raise OutsideError(f"The address {url[:80]!r} has letters that must be percent-encoded.")
    return Place(parts.scheme, parts.hostname, addresses, port, target)


def _public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return _public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # IPv4 behind a translator
            return _public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.is_site_local or ip in ipaddress.ip_network("::/96"):  # IPv4 as it was once written in IPv6
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def ask(
    where: Place, method: str, body: bytes | None = None, headers: dict | None = None, limit: int = 2**16, seconds: float = TIMEOUT
) -> tuple[int, dict, bytes]:
    """(status, headers by their names in small letters, at most `limit` + 1 bytes of the body). Raises OSError, TimeoutError when it
    takes longer than `seconds`, or http.client.HTTPException."""
    ends = time.monotonic() + seconds
    sock = _connect(where, ends)
    try:
        if where.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=where.host, do_handshake_on_connect=False)
        with _Deadline(sock, ends):
            if where.scheme == "https":
                sock.do_handshake()
            connection = http.client.HTTPConnection(where.host, where.port)
            connection.sock = sock
            connection.request(method, where.target, body, {"user-agent": "lanterne", "connection": "close", **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            length = found.get("content-length", "")
            if length.isdecimal() and int(length) > limit:
                return answer.status, found, bytes(limit + 1)  # it is too large, and is not fetched to be told so
            return answer.status, found, answer.read(limit + 1)
    finally:
        sock.close()


def _connect(where: Place, ends: float) -> socket.socket:
    """To the first of the addresses that answers. Raises OSError."""
    error = TimeoutError("it takes too long")
    for address in where.addresses:
        if (left := ends - time.monotonic()) <= 0:
            break
        try:
            return socket.create_connection((address, where.port), left)
        except OSError as failed:
            error = failed
    raise error


class _Deadline:
    """Shuts a socket down when time is up, which ends whatever waits for it, and raises TimeoutError in its place. A socket's own timeout
    would start anew with each byte."""

    def __init__(self, sock: socket.socket, ends: float):
        self._sock, self._passed = sock, False
        self._timer = threading.Timer(max(0, ends - time.monotonic()), self._pass)
        self._timer.daemon = True

    def _pass(self) -> None:
        self._passed = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_) -> None:
        self._timer.cancel()
        if self._passed:
            raise TimeoutError("it takes too long")


def fetch(url: str, settings: Settings, param: str) -> bytes:
    """A picture from an address. Raises APIError: 400, or 429 where so many are being fetched that more would hold up other requests."""
    if not _fetches.acquire(blocking=False):
        raise APIError(429, "too_many_fetches", "Too many pictures are being fetched; try again, or send the picture itself.", retry=True)
    try:
        return _fetch(url, settings, param)
    finally:
        _fetches.release()


def _fetch(url: str, settings: Settings, param: str) -> bytes:
    ends = time.monotonic() + TIMEOUT
    for _ in range(_REDIRECTS + 1):
        try:
            status, headers, body = ask(place(url, settings), "GET", limit=MAX_PICTURE, seconds=ends - time.monotonic())
        except OutsideError as error:
            raise invalid(str(error), param) from None
        except TimeoutError:
            raise invalid(f"The address {url[:80]!r} takes longer than {TIMEOUT} seconds; send the picture itself.", param) from None
        except (OSError, ValueError, http.client.HTTPException):
            raise invalid(f"The address {url[:80]!r} does not answer; check it, or send the picture itself.", param) from None
        if status in (301, 302, 303, 307, 308):
            url = urljoin(url, headers.get("location", ""))
            continue
        if status != 200:
            raise invalid(f"The address {url[:80]!r} answers with {status}; check it, or send the picture itself.", param)
        if len(body) > MAX_PICTURE:
            raise invalid(f"The picture at {url[:80]!r} is over {MAX_PICTURE} bytes; give a smaller one.", param)
        return body
    raise invalid("The address leads on to others too often; give the picture's own.", param)
