"""Requests from this server to addresses that clients name. None reaches a private network unless a setting allows it.

The name is resolved once and the connection goes to the address that was looked at, so that a name cannot change in between.
"""

import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from lanterne.errors import LanterneError
from lanterne.service.errors import invalid
from lanterne.service.settings import Settings

TIMEOUT = 20  # seconds
MAX_PICTURE = 32 * 2**20
_REDIRECTS = 3


class OutsideError(LanterneError):
    """An address that may not or cannot be reached, in one sentence."""


@dataclass(frozen=True)
class Place:
    scheme: str
    host: str
    address: str
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
    addresses = [entry[4][0] for entry in found]
    if not settings.webhooks_to_private and not all(_public(address) for address in addresses):
        raise OutsideError(f"The host {parts.hostname[:80]!r} is in a private network, which this server does not ask.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in target):
        raise OutsideError(f"The address {url[:80]!r} has letters that must be percent-encoded.")
    return Place(parts.scheme, parts.hostname, addresses[0], port, target)


def _public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return _public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # IPv4 behind a translator
            return _public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


def ask(where: Place, method: str, body: bytes | None = None, headers: dict | None = None, limit: int = 2**16) -> tuple[int, dict, bytes]:
    """(status, headers, at most `limit` + 1 bytes of the body). Raises OSError or http.client.HTTPException."""
    sock = socket.create_connection((where.address, where.port), TIMEOUT)
    try:
        if where.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=where.host)
        connection = http.client.HTTPConnection(where.host, where.port, timeout=TIMEOUT)
        connection.sock = sock
        connection.request(method, where.target, body, {"user-agent": "lanterne", "connection": "close", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read(limit + 1)
    finally:
        sock.close()


def fetch(url: str, settings: Settings, param: str) -> bytes:
    """A picture from an address. Raises APIError 400."""
    for _ in range(_REDIRECTS + 1):
        try:
            status, headers, body = ask(place(url, settings), "GET", limit=MAX_PICTURE)
        except OutsideError as error:
            raise invalid(str(error), param) from None
        except (OSError, http.client.HTTPException):
            raise invalid(f"The address {url[:80]!r} does not answer; check it, or send the picture itself.", param) from None
        if status in (301, 302, 303, 307, 308):
            url = {name.lower(): value for name, value in headers.items()}.get("location", "")
            continue
        if status != 200:
            raise invalid(f"The address {url[:80]!r} answers with {status}; check it, or send the picture itself.", param)
        if len(body) > MAX_PICTURE:
            raise invalid(f"The picture at {url[:80]!r} is over {MAX_PICTURE} bytes; give a smaller one.", param)
        return body
    raise invalid("The address leads on to others too often; give the picture's own.", param)
