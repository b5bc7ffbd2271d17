"""Errors whose message is for the person at the other end: one sentence with the value, the rule and the remedy."""

import errno
import re
from contextlib import contextmanager
from pathlib import Path


class LanterneError(Exception):
    """Something the user can put right. Programs end with exit code 2 and show the message alone, without a traceback."""


class NotFound(LanterneError):
    """Something that is not there. remedy: at the command line; elsewhere: for who reads it in another place, such as over HTTP."""

    def __init__(self, said: str, remedy: str, elsewhere: str = "check its spelling"):
        super().__init__(f"{said}; {remedy}.")
        self.elsewhere = f"{said}; {elsewhere}."


class Cancelled(LanterneError):
    """Stopped on request. Programs end with exit code 130; what was finished can be resumed."""


class WriteError(LanterneError):
    """A file that could not be written, and why."""


@contextmanager
def writing(path: Path):
    """Turn the operating system's reasons for not writing `path` into a sentence."""
    try:
        yield
    except OSError as error:
        folder = path.parent
        reasons = {
            errno.ENOSPC: f"the disk is full; free some space or choose another place than {folder}",
            errno.EDQUOT: f"the disk quota is used up; free some space or choose another place than {folder}",
            errno.EFBIG: "it grew beyond the largest size a file may have here; choose another place or fewer seconds",
            errno.EACCES: f"{folder} does not let you write; choose another folder",
            errno.EPERM: f"{folder} does not let you write; choose another folder",
            errno.EROFS: f"{folder} is read-only; choose another folder",
            errno.EISDIR: "it is a folder; give the name of a file",
            errno.ENOTDIR: "a part of that path is a file, not a folder; choose another place",
            errno.EEXIST: "a part of that path is a file, not a folder; choose another place",
            errno.ENAMETOOLONG: "the name is too long; give a shorter one",
        }
        reason = reasons.get(error.errno, f"the system says: {error.strerror or error}; choose another place")
        raise WriteError(f"{path} could not be written: {reason}.") from error


def counted(number: int, noun: str) -> str:
    """Such as "1 video", "2 days" and "3 entries"."""
    several = f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"
    return f"{number} {noun if number == 1 else several}"
