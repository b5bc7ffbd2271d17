"""`lanterne backup` and `restore`: the whole state of a server in one tar file, taken while it runs.

The jobs are copied before the videos, and both before the files: so a video may be in the copy without its job, which a worker mends,
and never a finished video without its file, unless it was deleted meanwhile. Files in a bucket stay there. Left out is what can be made
again, and `name`, which tells this home from others that may share its database: a copy is another home.
"""

import os
import sqlite3
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from lanterne.errors import LanterneError, writing
from lanterne.paths import home, make_home
from lanterne.service.settings import Settings

_DATABASES = ("jobs.db", "service.db")
_SETTINGS = "settings.toml"
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
                if (home() / _SETTINGS).exists():
                    archive.add(home() / _SETTINGS, _SETTINGS, filter=_only_owners)
                # The first manifests, without which the same content is not the same bytes again; mails that nobody has passed on yet; and
                # files. What was deleted since it was listed is a chunk of a video that is over now, or the like.
                for pattern in ("manifests/*.c2pa", "outbox/*.eml", "files/??/*"):
                    for path in sorted(home().glob(pattern)):
                        with suppress(FileNotFoundError):
                            archive.add(path, path.relative_to(home()))
            file.flush()
            os.fsync(file.fileno())
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def restore(source: Path) -> None:
    """Into an empty home folder; settings that wait there stay. Raises LanterneError where it is not empty, or the file is not a whole
    backup."""
    if (home() / "service.db").exists():
        raise LanterneError(f"{home()} holds a server already; set LANTERNE_HOME to an empty folder and restore there.")
    if not source.is_file():
        raise LanterneError(f"There is no file {source}; check the path.")
    foreign = LanterneError(f"{source} is not a backup of Lanterne's; give a file that `lanterne backup` wrote.")
    try:
        if not tarfile.is_tarfile(source):
            raise foreign
        with tarfile.open(source) as archive, writing(home()):
            if not {*_DATABASES, "server-secret"} <= set(archive.getnames()):
                raise foreign
            make_home()
            # service.db last: until it is there, nothing starts from what is half restored.
            for member in sorted(archive.getmembers(), key=lambda member: member.name == "service.db"):
                if member.name != _SETTINGS or not (home() / _SETTINGS).exists():
                    archive.extract(member, home(), filter="data")
    except OSError as error:
        raise LanterneError(f"{source} cannot be read ({error.strerror or error}); check who may read it.") from None
    except (tarfile.TarError, EOFError) as error:
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


def _only_owners(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode = 0o600  # settings may hold the passwords of a database and of mail
    return member


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # it holds the server's secret
