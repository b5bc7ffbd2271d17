"""The store: bytes on disk under the SHA-256 of what they are, written whole or not at all.

A bucket (bucket.py) stands behind the same few functions: `put` uploads, `local` downloads, `remove` deletes. Who holds which bytes, and
when they may go, is holding.py's.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from lanterne.errors import LanterneError, writing

_PIECE = 2**20
STALE = 3600  # seconds; nothing is on its way for longer


class StoreError(LanterneError):
    """A store that does not answer now. Nothing is lost; it is tried again."""


class Store:
    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def check(self) -> None:
        """Raises WriteError where nothing can be written."""
        with writing(self.folder / "incoming"):
            (self.folder / "incoming").mkdir(parents=True, exist_ok=True)

    def receive(self, source: BinaryIO) -> Path:
        """Copy a stream to a file of its own beside the store, for `put` once it has been looked at. Raises WriteError."""
        path = self.folder / "incoming" / secrets.token_hex(8)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(source, file, _PIECE)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return path

    def send_ahead(self, path: Path) -> None:
        """What takes long about `put`, before a transaction that must not: here, nothing."""

    def put(self, path: Path, name: str) -> None:
        """Move a whole file, from this disk, into the store under its SHA-256. Raises WriteError."""
        target = self._path(name)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(target)
            _sync_folder(target.parent)

    def local(self, name: str) -> Path:
        """A path to read the bytes from, soon. Raises FileNotFoundError."""
        if not self._path(name).exists():
            raise FileNotFoundError(f"The store does not have {name}.")
        return self._path(name)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """What is in the store and was not put there just now."""
        old = time.time() - STALE
        return [path.name for path in self.folder.glob("??/*") if path.stat().st_mtime < old]

    def sweep(self) -> None:
        """Remove what a crash left half received."""
        for path in (self.folder / "incoming").glob("*"):
            if path.stat().st_mtime < time.time() - STALE:
                path.unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes left on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
