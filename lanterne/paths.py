"""Where Lanterne keeps what it needs between runs."""

import os
from pathlib import Path


def home() -> Path:
    """LANTERNE_HOME, or the platform's place for a user's data."""
    if given := os.environ.get("LANTERNE_HOME"):
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "lanterne"


def runs() -> Path:
    """Folders of runs that are not finished, each with its chunks."""
    return home() / "runs"


def latents() -> Path:
    """Latents of finished videos by the SHA-256 of their file, so that they can be continued as if never cut."""
    return home() / "latents"
