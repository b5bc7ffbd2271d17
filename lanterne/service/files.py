"""The store: bytes on disk under the SHA-256 of what they are, written whole or not at all.

A bucket can stand behind the same few functions: `put` uploads, `local` downloads, `remove` deletes.
"""

import hashlib
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from lanterne.errors import writing

_PIECE = 2**20
_STALE = 3600  # seconds; nothing is on its way for longer


class Store:
    def __init__(self, folder: Path):
        self.folder = Path(folder)

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

    def put(self, path: Path) -> str:
        """Move a whole file, from this disk, into the store; returns its SHA-256. Raises WriteError."""
        name = _sha256(path)
        target = self._path(name)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(target)
            _sync_folder(target.parent)
        return name

    def local(self, name: str) -> Path:
        """A path to read the bytes from."""
        return self._path(name)

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """What is in the store and was not put there just now."""
        old = time.time() - _STALE
        return [path.name for path in self.folder.glob("??/*") if path.stat().st_mtime < old]

    def sweep(self) -> None:
        """Remove what a crash left half received."""
        for path in (self.folder / "incoming").glob("*"):
            if path.stat().st_mtime < time.time() - _STALE:
                path.unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes left on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
