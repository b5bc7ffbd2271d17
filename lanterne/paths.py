"""Where Lanterne keeps what it needs between runs."""

import os
import secrets
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from lanterne.errors import LanterneError, writing

EMBEDDED = Path(__file__).parent / "embedded" / "lanterne.safetensors"  # the weights that ship


def home() -> Path:
    """LANTERNE_HOME, or a folder in XDG_DATA_HOME, by default ~/.local/share, on every platform."""
    if given := os.environ.get("LANTERNE_HOME"):
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "lanterne"


def make_home() -> None:
    """The home folder, its user's alone if it is made now. Raises WriteError."""
    with writing(home()):
        home().mkdir(mode=0o700, parents=True, exist_ok=True)


def runs() -> Path:
    """Folders of runs that are not finished, each with its chunks."""
    return home() / "runs"


def latents() -> Path:
    """Latents of finished videos by the SHA-256 of their file, so that they can be continued as if never cut."""
    return home() / "latents"


def create_private(path: Path) -> BinaryIO:
    """A new file, open for writing, that its user alone may read. Raises FileExistsError."""
    return open(path, "xb", opener=partial(os.open, mode=0o600))


def secret(name: str) -> bytes:
    """32 bytes of this installation's own in the home folder, made on first use and readable by its user alone."""
    path = home() / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with create_private(temporary) as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)  # whoever is first wins, whole
        temporary.unlink()
    return path.read_bytes()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises LanterneError where there is none."""
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        raise LanterneError(f"There is no file {path} that can be read; check the path.") from None
