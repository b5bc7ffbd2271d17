"""What is on its way to a client for long: files, and streams of events. Ended when nobody takes it, files also when their key is (events
see to that themselves)."""

import asyncio
import logging
from pathlib import Path

from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, StreamingResponse

from lanterne.service.errors import APIError
from lanterne.service.keys import Caller, Keyring

STALL_SECONDS = 60  # for which a client may take nothing
_log = logging.getLogger("lanterne.web")


class _Ended(Exception):
    """Why what was on its way is left unfinished; the server then closes the connection."""


async def _hand(send, message) -> None:
    try:
        async with asyncio.timeout(STALL_SECONDS):
            await send(message)
    except TimeoutError:
        raise _Ended("its client took nothing for too long") from None


class Stream(StreamingResponse):
    """Text as it comes."""

    async def __call__(self, scope, receive, send) -> None:
        try:
            await super().__call__(scope, receive, lambda message: _hand(send, message))
        except _Ended as reason:
            _log.info("the stream of %s was ended: %s", scope["path"], reason)


class Download(FileResponse):
    """A file, its ranges too. Raises APIError for a range that it does not have, and 404 where the file has just left."""

    def __init__(self, path: Path, caller: Caller, keyring: Keyring, **options):
        super().__init__(path, **options)
        self._caller, self._keyring = caller, keyring

    async def __call__(self, scope, receive, send) -> None:
        started = False

        async def send_if_open(message):
            nonlocal started
            if message.get("more_body") and not await self._keyring.still_opens(self._caller):
                raise _Ended("its key was revoked or has expired")
            started = True
            await _hand(send, message)

        try:
            await super().__call__(scope, receive, send_if_open)
        except _Ended as reason:
            _log.info("the download of %s was ended: %s", scope["path"], reason)
        except (RuntimeError, FileNotFoundError):
            if started or await asyncio.to_thread(Path(self.path).exists):
                raise
            raise APIError(404, "file_gone", "This file is not kept any more.") from None

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            raise APIError(400, "invalid_value", f"The range {http_range[:80]!r} cannot be read; give one such as bytes=0-999.") from None
        except RangeNotSatisfiable:
            raise APIError(
                416, "range_not_satisfiable", f"The file has {file_size} bytes; ask for a part of them.",
                headers={"content-range": f"bytes */{file_size}"},
            ) from None
