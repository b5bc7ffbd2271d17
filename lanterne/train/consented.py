"""Data sets of what artists said, as training must read them: described, whole, and without what was withdrawn since.

A folder that `lanterne data export` wrote: records as JSON Lines, and their description in Croissant. What a model was trained on goes into
its file's metadata, under "sources", as `Source` has it: the model card lists it, and `lanterne data register` tells the server.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lanterne.errors import LanterneError

CROISSANT = "croissant.json"


class DataError(LanterneError):
    """A data set that may not be trained on as it is, and why."""


@dataclass(frozen=True)
class Source:
    """A release of a data set. sha256: of its file of records."""

    release: str
    kind: str
    records: int
    sha256: str
    licence: str


def source_of(folder: Path) -> Source:
    """What a data set says of itself. Raises DataError for one without its description, or that is not what was described."""
    return _read(folder)[0]


def records(folder: Path, live: Callable[[str], set[str]] | None) -> Iterator[dict]:
    """The records that may be used now. live: gives the ids of a release's records whose consent holds, as the server's database knows them
    (`live_in`); None where there is no database to ask, and then what the file holds is all that is known. Raises DataError."""
    source, lines = _read(folder)
    allowed = None if live is None else live(source.release)
    for line in lines:
        record = json.loads(line)
        if record["consent_purpose"] != "training":
            raise DataError(f"{folder} was exported for {record['consent_purpose']}, and no model may be trained on it.")
        if allowed is None or record["record"] in allowed:
            yield record


def live_in(database: str) -> Callable[[str], set[str]]:
    """Ask the database of a server, by its address. Raises DataError where it does not answer, or does not know the data set."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.orm import Session

    from lanterne.programme import datasets

    def live(release: str) -> set[str]:
        try:
            with Session(create_engine(database)) as session:
                return datasets.live_records(session, release)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise DataError(f"The database cannot be asked which consents hold: {reason}; check its address.") from None

    return live


def _read(folder: Path) -> tuple[Source, list[str]]:
    try:
        described = json.loads((folder / CROISSANT).read_text(encoding="utf-8"))
    except OSError:
        raise DataError(f"{folder} has no {CROISSANT}; train on what `lanterne data export` wrote, whole.") from None
    except ValueError:
        raise DataError(f"{folder / CROISSANT} is damaged; export the data set again.") from None
    try:
        [file], [kind] = described["distribution"], described["recordSet"]
        name, digest = file["contentUrl"], file["sha256"]
        source = Source(described["@id"], kind["name"], 0, digest, described["license"])
        if Path(name).name != name:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{folder / CROISSANT} describes no data set of Lanterne's; export one with `lanterne data export`.") from None
    try:
        data = (folder / name).read_bytes()
    except OSError:
        raise DataError(f"{folder} has no {name}, which its description names; export the data set again.") from None
    if sha256(data).hexdigest() != digest:
        raise DataError(f"{folder / name} is not what was exported: its SHA-256 is another; export the data set again.")
    lines = data.decode().split("\n")[:-1]  # and nowhere else: a remark may hold what Unicode takes for the end of a line
    return Source(source.release, source.kind, len(lines), digest, source.licence), lines
