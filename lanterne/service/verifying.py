"""`POST /verify`: anybody's file, looked at by `lanterne verify` in a process of its own, which a hostile file may crash, and not kept.

One file at a time, so that the server goes on answering; and not more than a few a minute from one address.
"""

import asyncio
import json
import logging
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from lanterne.service.errors import APIError, invalid
from lanterne.service.verify_commands import EXIT_CODES

A_MINUTE = 30  # files from one address
_MOST_WAITING = 8
_PATIENCE = 60  # seconds, also of the processor's time
_MEMORY = 4 * 2**30  # bytes
_ADDRESSES = 10_000
_log = logging.getLogger("lanterne.web")


class Verifier:
    def __init__(self):
        self._turn, self._waiting = asyncio.Semaphore(1), 0
        self._asked: dict[str, tuple[int, int]] = {}  # address: (minute, files in it)

    def admit(self, address: str) -> None:
        """Count a file of this address, before it is read. Raises APIError 429."""
        minute = int(time.monotonic() // 60)
        if len(self._asked) >= _ADDRESSES:
            self._asked = {who: seen for who, seen in self._asked.items() if seen[0] == minute}
        before, count = self._asked.get(address, (minute, 0))
        count = count + 1 if before == minute else 1
        if count > A_MINUTE or len(self._asked) >= _ADDRESSES:
            said = f"More than {A_MINUTE} files a minute from one address are not looked at; come back in one, or use `lanterne verify`."
            raise APIError(429, "too_many_files", said, retry=True, headers={"retry-after": "60"})
        self._asked[address] = minute, count

    async def look(self, path: Path) -> dict:
        """What `lanterne verify --json` says. Raises APIError: 400 for what is not a video or picture, 429 while too many wait."""
        if self._waiting >= _MOST_WAITING:
            raise APIError(429, "too_many_files", "Too many files wait to be looked at; try again soon.", retry=True,
                           headers={"retry-after": "10"})
        self._waiting += 1
        try:
            async with self._turn:
                return await _run(path)
        finally:
            self._waiting -= 1


async def _run(path: Path) -> dict:
    command = [sys.executable, "-m", "lanterne", "verify", str(path), "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        with suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PROCESS, process.pid, 10)
            if sys.platform == "linux":  # no other system limits the memory of another process
                for kind, limit in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _PATIENCE)):
                    resource.prlimit(process.pid, kind, (limit, limit))
        async with asyncio.timeout(_PATIENCE):
            said, error = (part.decode(errors="replace").strip() for part in await process.communicate())
    except TimeoutError:
        raise _too_much() from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode in EXIT_CODES.values():
        return json.loads(said, parse_constant=lambda _: None)
    if process.returncode == 2:
        raise invalid(error.removeprefix("Error: ").replace(str(path), "The file"), "file", "invalid_file")
    _log.warning("a file could not be looked at: code %s, %s", process.returncode, error[-400:])
    raise _too_much()


def _too_much() -> APIError:
    return invalid(
        f"The file could not be looked at within {_PATIENCE} seconds and {_MEMORY >> 30} GiB of memory; it is damaged or too large; try "
        "`lanterne verify` on a computer of your own.", "file", "invalid_file",
    )
