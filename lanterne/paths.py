"""Where Lanterne keeps what it needs between runs."""

import errno
import os
import secrets
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from lanterne.errors import LanterneError, WriteError, writing

EMBEDDED = Path(__file__).parent / "embedded" / "lanterne.safetensors"  # the weights that ship


def home() -> Path:
    """LANTERNE_HOME, or a folder in XDG_DATA_HOME, by default ~/.local/share, on every platform."""
    if given := os.environ.get("LANTERNE_HOME"):
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "lanterne"


def make_home() -> None:
    """The home folder, its user's alone if it is made now. Raises WriteError."""
    try:
        with writing(home()):
            home().mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(home(), os.W_OK):
                raise PermissionError(errno.EACCES, "not writable")
    except WriteError as error:
        raise WriteError(f"{error} Lanterne keeps there what it needs: set LANTERNE_HOME to it.") from error


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
    if not Path(path).is_file():
        raise LanterneError(no_file(path))
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise LanterneError(f"{path} cannot be read: {error.strerror}; give a file that may be read.") from None


def no_file(path: Path) -> str:
    """Why there is no file to read at `path`, as a sentence."""
    if os.path.isdir(path):
        return f"{path} is a folder; give a file."
    if os.path.exists(path):
        return f"{path} is a device or a pipe; give a file."
    return f"There is no file {path}; check the path."
