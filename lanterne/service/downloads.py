"""What is on its way to a client for long: files, and streams of events. Ended when nobody takes it, files also when their key is (events
see to that themselves)."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, StreamingResponse

from lanterne.service.errors import APIError
from lanterne.service.keys import Caller, Keyring
from lanterne.service.protocol import CUT

STALL_SECONDS = 60  # for which a client may take nothing
PAUSE = 0.1  # seconds between looks whether a download's key still opens; the keyring asks the database less often
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

        def must_be_open():
            if guard.done():
                raise _Ended("its key was revoked or has expired, or it was taken down")

        async def send_if_open(message):
            nonlocal started
            must_be_open()
            started = True
            await _hand(send, message)

        guard = asyncio.create_task(self._guard(scope.get("extensions", {}).get(CUT)))
        try:
            await super().__call__(scope, receive, send_if_open)
            must_be_open()  # a connection that was cut looks as if its client had left
        except _Ended as reason:
            _log.info("the download of %s was ended: %s", scope["path"], reason)
        except (RuntimeError, FileNotFoundError):
            if started or await asyncio.to_thread(Path(self.path).exists):
                raise
            raise APIError(404, "file_gone", "This file is not kept any more.") from None
        finally:
            guard.cancel()

    async def _guard(self, cut: Callable[[], None] | None) -> None:
        """Until the key opens nothing more. A client that is slow, or takes nothing now, is cut off all the same."""
        while await self._keyring.still_opens(self._caller):
            await asyncio.sleep(PAUSE)
        if cut:
            cut()

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
