"""uvicorn, with what it lacks: streams end before the server does, a header has to come and to end, and a connection can be cut.

Bodies have their own rule, in wire.read_body.
"""

import json
import logging
import secrets
import socket
import struct
from asyncio import TimerHandle

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from lanterne.service.errors import APIError

HEADER_SECONDS = 20  # from the first byte (or the connection) to the end of a request's header
HEADER_BYTES = 64 * 1024
LINGER_SECONDS = 5  # for which the rest of a refused body is still read, so that the refusal is not lost on its way
CUT = "lanterne.cut"  # the name of this extension in a request's scope
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
_log = logging.getLogger("lanterne.web")


def new_request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


class Web(uvicorn.Server):
    """config.app: an app.Application."""

    async def shutdown(self, sockets=None) -> None:
        self.config.app.leave()
        await super().shutdown(sockets)


class Protocol(HttpToolsProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._timer: TimerHandle | None = None
        self._heading = 0  # bytes of a header that has not ended, by what was read: of a field that has not ended, no more is known
        self._fields = 0  # bytes of a request's address and header, by the fields that were read
        self._in_body = False

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._limit(HEADER_SECONDS, self._too_slow)

    def connection_lost(self, exc) -> None:
        self._limit(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        fresh = not self._in_body
        if fresh and self._timer is None:
            self._limit(HEADER_SECONDS, self._too_slow)
        super().data_received(data)
        if self._timer is not None and fresh and not self._in_body:
            self._heading += len(data)
            if self._heading > HEADER_BYTES:
                self._refuse_long_header()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._fields = 0
        self.scope["extensions"] = {CUT: self._cut}

    def _cut(self) -> None:
        """End the connection now. What the system holds for it is not sent any more, which may be megabytes and take a slow client long."""
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self.transport.abort()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)  # a colon, a space, the end of the line

    def _count(self, size: int) -> None:
        """A header may come whole in one read, however long it is; the parser stops at what is raised here."""
        self._fields += size
        if self._fields > HEADER_BYTES:
            raise ValueError("the header is too long")

    def on_headers_complete(self) -> None:
        self._limit(None)
        self._heading, self._in_body = 0, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._limit(None)
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body:  # answered before the body was read: too large, or not for this client
            self._limit(LINGER_SECONDS, self.transport.close)

    def _limit(self, seconds: float | None, then=None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, then) if seconds is not None else None

    def _too_slow(self) -> None:
        if self._heading:
            self._refuse(408, "too_slow", f"The header did not end within {HEADER_SECONDS} seconds; send it at once.")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """The parser has stopped."""
        if self._fields > HEADER_BYTES:
            self._refuse_long_header()
        else:
            said = "This cannot be read as a request of HTTP/1.1; send it with an HTTP client, by http:// to this port."
            self._refuse(400, "malformed_request", said)

    def _refuse_long_header(self) -> None:
        self._refuse(431, "header_too_long", f"The header is over the {HEADER_BYTES} bytes that it may have; leave out or shorten fields.")

    def _refuse(self, status: int, code: str, said: str) -> None:
        """An answer of the application's kind to what did not come as far as the application."""
        self._limit(None)
        name, error = new_request_id(), APIError(status, code, said)
        body = json.dumps(error.body).encode()
        headers = error.headers | {
            "content-type": "application/json", "content-length": str(len(body)), "connection": "close", "x-request-id": name,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line = {"request": name, "status": status}
        _log.info(json.dumps(line), extra={"fields": line})
        self.transport.write(STATUS_LINE[status] + f"{head}\r\n".encode() + body)
        self.transport.close()
