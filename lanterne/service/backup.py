"""`lanterne backup` and `restore`: the whole state of a server in one tar file, taken while it runs.

The jobs are copied before the videos, and both before the files: so a video may be in the copy without its job, which a worker mends,
and never a finished video without its file, unless it was deleted meanwhile. Files in a bucket stay there.
"""

import os
import sqlite3
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from lanterne.errors import LanterneError, writing
from lanterne.paths import home
from lanterne.service.settings import Settings

_DATABASES = ("jobs.db", "service.db")
# Without these no key opens, no line of the audit log can be checked or added, and reviewers get other pseudonyms.
_SECRETS = ("server-secret", "audit-key", "reviewers-secret")


def backup(settings: Settings, target: Path) -> None:
    """Raises LanterneError where the databases are not in the home folder, or the target cannot be written."""
    if settings.database_url or settings.jobs_database_url:
        raise LanterneError("A database on a server of its own is backed up with its tools, such as pg_dump; copy the home folder, too.")
    if not (home() / "service.db").exists():
        raise LanterneError(f"There is nothing to back up in {home()}; check LANTERNE_HOME.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with writing(target), tempfile.TemporaryDirectory(dir=home()) as folder, open(partial, "xb", opener=_private) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                for name in _DATABASES:
                    _copy(home() / name, Path(folder) / name)
                    if name == "service.db":
                        _relieve_workers(Path(folder) / name)
                    archive.add(Path(folder) / name, name)
                for name in _SECRETS:
                    if (home() / name).exists():
                        archive.add(home() / name, name)
                for path in sorted((home() / "provenance").glob("*")):  # without them, what was signed and watermarked is nobody's
                    archive.add(path, f"provenance/{path.name}")
                for path in sorted((home() / "files").glob("??/*")):
                    with suppress(FileNotFoundError):  # a chunk of a video that is over now, or a file that was deleted
                        archive.add(path, f"files/{path.parent.name}/{path.name}")
            file.flush()
            os.fsync(file.fileno())
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def restore(source: Path) -> None:
    """Into an empty home folder. Raises LanterneError where it is not empty, or the file is not a whole backup."""
    if (home() / "service.db").exists():
        raise LanterneError(f"{home()} holds a server already; set LANTERNE_HOME to an empty folder and restore there.")
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with tarfile.open(source) as archive, writing(home()):
            names = archive.getnames()
            if not {*_DATABASES, "server-secret"} <= set(names):
                raise LanterneError(f"{source} is not a backup of Lanterne's; give a file that `lanterne backup` wrote.")
            # service.db last: until it is there, nothing starts from what is half restored.
            for member in sorted(archive.getmembers(), key=lambda member: member.name == "service.db"):
                archive.extract(member, home(), filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise LanterneError(f"{source} cannot be read as a backup: {error}; get the whole file again.") from None


def _copy(source: Path, target: Path) -> None:
    """SQLite's own way to copy a database that is in use."""
    with sqlite3.connect(source, timeout=30) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()


def _relieve_workers(path: Path) -> None:
    """Those of the server that was copied do not work for the copy: whoever works there takes their videos over."""
    with sqlite3.connect(path) as database:
        database.execute("UPDATE workers SET alive_until = 0")
        if "token" in {column for _, column, *_ in database.execute("PRAGMA table_info(workers)")}:  # 0.2.0's had none
            database.execute("UPDATE workers SET token = NULL")
    database.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # it holds the server's secret
