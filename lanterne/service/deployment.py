"""What web and worker processes share: settings, the database, the store of files and the queue of jobs."""

from dataclasses import dataclass
from pathlib import Path

from lanterne.paths import home
from lanterne.service.database import Database
from lanterne.service.files import Store
from lanterne.service.settings import Settings


@dataclass(frozen=True)
class Deployment:
    settings: Settings
    database: Database
    store: Store

    @classmethod
    def of(cls, settings: Settings) -> "Deployment":
        return cls(settings, Database(settings.database), Store(home() / "files"))

    def work(self, video_id: str) -> Path:
        """The folder of a video that is being made."""
        return home() / "work" / video_id
