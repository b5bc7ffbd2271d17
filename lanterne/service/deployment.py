"""What web and worker processes share: settings, the database and the store of files."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lanterne.paths import home
from lanterne.service.database import Database
from lanterne.service.files import Store
from lanterne.service.settings import Settings

if TYPE_CHECKING:
    from lanterne.service.bucket import Bucket


@dataclass(frozen=True)
class Deployment:
    settings: Settings
    database: Database
    store: "Store | Bucket"

    @classmethod
    def of(cls, settings: Settings) -> "Deployment":
        return cls(settings, Database(settings.database), store_of(settings))

    def work(self, video_id: str) -> Path:
        """The folder of a video that is being made."""
        return home() / "work" / video_id


def store_of(settings: Settings) -> "Store | Bucket":
    """The home folder's, or the bucket's where one is set."""
    if not settings.bucket:
        return Store(home() / "files")
    from lanterne.service.bucket import Bucket  # S3's client takes a third of a second to import

    return Bucket(settings.bucket, settings.bucket_endpoint, home() / "cache", settings.bucket_cache_bytes)


def home_name() -> str:
    """A name of chance for this home folder, the same each time: two machines may call their folders the same."""
    path = home() / "name"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        drawn = path.with_name(f".name-{os.getpid()}")
        drawn.write_text(secrets.token_hex(8))
        with suppress(FileExistsError):  # another process was first
            os.link(drawn, path)
        drawn.unlink()
    return path.read_text()
