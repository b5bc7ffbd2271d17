"""Data sets of what artists said: only of those who consent at that moment, and what was made of them afterwards.

A record comes from several people: who said it, and who made the videos, whose prompt it holds. All of them must have a live consent for
the purpose. A data set is a *release*: a file of JSON Lines and its description in Croissant. Which records it holds, of whom, and which
models were trained on it is kept, so that a withdrawal can name them, and so that whoever trains later leaves out what was withdrawn.
"""

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound, counted
from lanterne.programme import audit, consent, feedback
from lanterne.programme.consent import Consent, pseudonym
from lanterne.programme.feedback import Comparison, Remark, Said, Subject
from lanterne.programme.pay import Actor, day_of, text
from lanterne.tables import Base, now

CROISSANT = "croissant.json"
LICENCE = "For the purpose that each record's consent names, by who exported it, and for nothing else; not to be passed on."
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RECORD = {
    "record": ("Text", "The remark's id; training asks by it whether the consent still holds."),
    "person": ("Text", "Who said it: a pseudonym of this installation, the same in all of its data sets."),
    "said_on": ("Date", "The day on which these words were written."),
    "consent_purpose": ("Text", "What the consent of everybody in the record is for."),
    "consent_version": ("Integer", "The version of the words that this person agreed to."),
    "consent_sha256": ("Text", "Their SHA-256."),
}
_VIDEO = {
    "sha256": ("Text", "SHA-256 of its file."),
    "seed": ("Integer", "The seed that it was made from."),
    "model": ("Text", "The model that made it."),
    "maker": ("Text", "Who asked for it, as a pseudonym."),
}
_WORDS = {"prompt": ("Text", "What the video was asked to show."), "negative_prompt": ("Text", "What it was asked not to show.")}
COLUMNS = {  # by kind: {column: (type, what it means)}
    "preferences": _RECORD | _WORDS
    | {f"{role}_{name}": (type_, f"The {role} video. {said}") for role in ("chosen", "rejected") for name, (type_, said) in _VIDEO.items()}
    | {
        "tie": ("Boolean", "Whether neither was preferred; which of the two is `chosen` is then by chance."),
        "reason": ("Text", "Why, in the person's words."),
    },
    "feedback": _RECORD | _WORDS | {f"video_{name}": column for name, column in _VIDEO.items()} | {
        "seconds": ("Float", "The video's length."),
        "rating": ("Integer", "1 to 5; 0 for none."),
        "tags": ("Text", f"From the vocabulary of Lanterne: {', '.join(feedback.TAGS)}."),
        "vocabulary": ("Integer", "Its version."),
        "notes": ("Text", "JSON: a list of {from, to, words, region}; seconds, and shares (x, y, w, h) of the frame or null."),
        "words": ("Text", "What the person wrote."),
    },
}


class DatasetError(LanterneError):
    """A data set, a release or a model that cannot be, in one sentence."""


class Missing(DatasetError, NotFound):
    """A release that is not there."""


class DatasetRelease(Base):
    """sha256: of the file of records."""

    __tablename__ = "dataset_releases"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    purpose: Mapped[str]
    records: Mapped[int]
    sha256: Mapped[str]
    licence: Mapped[str]
    exported_by: Mapped[str]
    exported_at: Mapped[int]


class DatasetRecord(Base):
    """That a release holds a version of a remark, and something of this person in it."""

    __tablename__ = "dataset_records"
    release_id: Mapped[str] = mapped_column(ForeignKey("dataset_releases.id"), primary_key=True)
    remark_id: Mapped[str] = mapped_column(ForeignKey("remarks.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    version: Mapped[int]


class DatasetModel(Base):
    """That a model was trained on a release. sha256: of its file of weights."""

    __tablename__ = "dataset_models"
    release_id: Mapped[str] = mapped_column(ForeignKey("dataset_releases.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    registered_by: Mapped[str]
    registered_at: Mapped[int]


@dataclass(frozen=True)
class Files:
    """A release as it is written out. data: JSON Lines, named as data_name; description: Croissant."""

    release: DatasetRelease
    data_name: str
    data: str
    description: str


@dataclass(frozen=True)
class Affected:
    """A release that holds something of a person, and the models that were trained on it."""

    release: DatasetRelease
    records: int
    models: tuple[DatasetModel, ...]


@dataclass(frozen=True)
class _Record:
    said: Said
    people: frozenset[str]
    columns: dict


# Export.


def export(session: Session, by: Actor, kind: str, purpose: str = "training", licence: str = LICENCE) -> Files:
    """Write down a release of all that may be used for the purpose now. Raises DatasetError where that is nothing."""
    audit.take_turn(session)
    by.require_operator()
    if kind not in COLUMNS:
        raise DatasetError(f"The data set {kind[:80]!r} is unknown; give one of {', '.join(COLUMNS)}.")
    live = consent.live(session, purpose)
    licence = text(licence, "licence", 2000, needed=True)
    found = list((_preferences if kind == "preferences" else _feedback)(session, live))
    if not found:
        raise DatasetError(f"Nothing was said that may be used for {purpose}: every person in a record must have given consent to it.")
    data = "".join(json.dumps(record.columns, ensure_ascii=False, allow_nan=False) + "\n" for record in found)
    release = DatasetRelease(
        id=f"data_{secrets.token_hex(8)}", kind=kind, purpose=purpose, records=len(found), sha256=sha256(data.encode()).hexdigest(),
        licence=licence, exported_by=by.person_id, exported_at=now(),
    )
    session.add(release)
    session.flush()
    for record in found:
        remark_id, version = record.said.remark.id, record.said.versions[-1].number
        session.add_all(
            DatasetRecord(release_id=release.id, remark_id=remark_id, person_id=one, version=version) for one in sorted(record.people)
        )
    session.flush()
    audit.append(session, "dataset.exported", {
        "release": release.id, "kind": kind, "purpose": purpose, "records": len(found), "sha256": release.sha256, "by": by.person_id,
    })
    return Files(release, f"{kind}.jsonl", data, croissant(release))


def _preferences(session: Session, live: dict[str, Consent]) -> Iterator[_Record]:
    for said in _usable(session, "preference", live):
        asked = session.get(Comparison, said.remark.comparison_id)
        left, right = session.get(Subject, asked.left_id), session.get(Subject, asked.right_id)
        chosen, rejected = (right, left) if said.content["choice"] == "right" else (left, right)
        people = frozenset({said.remark.person_id, left.maker_id, right.maker_id})
        if people <= live.keys() and left.prompt:
            yield _Record(said, people, {
                **_said(said, live), "prompt": left.prompt, "negative_prompt": left.negative_prompt, **_video("chosen", chosen),
                **_video("rejected", rejected), "tie": said.content["choice"] == "equal", "reason": said.content["words"],
            })


def _feedback(session: Session, live: dict[str, Consent]) -> Iterator[_Record]:
    for said in _usable(session, "feedback", live):
        video, content = session.get(Subject, said.remark.video_id), said.content
        people = frozenset({said.remark.person_id, video.maker_id})
        if people <= live.keys() and video.prompt:
            yield _Record(said, people, {
                **_said(said, live), "prompt": video.prompt, "negative_prompt": video.negative_prompt, **_video("video", video),
                "seconds": video.seconds, "rating": content["rating"] or 0, "tags": content["tags"],
                "vocabulary": said.versions[-1].vocabulary, "notes": json.dumps(content["notes"], ensure_ascii=False),
                "words": content["words"],
            })


def _usable(session: Session, kind: str, live: dict[str, Consent]) -> Iterator[Said]:
    for said in feedback.listed(session, Remark.kind == kind, Remark.withdrawn_at.is_(None)):
        if said.remark.person_id in live and said.content:
            yield said


def _said(said: Said, live: dict[str, Consent]) -> dict:
    person_id = said.remark.person_id
    given = live[person_id]
    return {
        "record": said.remark.id, "person": pseudonym(person_id, "data"), "said_on": day_of(said.versions[-1].written_at),
        "consent_purpose": given.purpose, "consent_version": given.version, "consent_sha256": given.sha256,
    }


def _video(role: str, video: Subject) -> dict:
    return {
        f"{role}_sha256": video.sha256, f"{role}_seed": video.seed, f"{role}_model": video.model,
        f"{role}_maker": pseudonym(video.maker_id, "data"),
    }


# Croissant, as https://docs.mlcommons.org/croissant/docs/croissant-spec.html has it.

_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField",
    "path": "cr:path", "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated",
    "replace": "cr:replace", "samplingRate": "cr:samplingRate", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}


def croissant(release: DatasetRelease) -> str:
    """The description of a release in Croissant 1.0, JSON-LD."""
    name = f"{release.kind}.jsonl"
    described = {
        "@context": _CONTEXT, "@type": "sc:Dataset", "@id": release.id, "name": f"lanterne-{release.kind}-{release.id}",
        "conformsTo": "http://mlcommons.org/croissant/1.0", "version": "1.0.0", "license": release.licence,
        "datePublished": datetime.fromtimestamp(release.exported_at, UTC).date().isoformat(),
        "description":
            f"{counted(release.records, 'record')} of what artists said of videos that a machine made. Everybody in a record consented to "
            f"its use for {release.purpose} when it was exported, and may withdraw that: ask by the record's id before each use.",
        "keywords": ["text to video", release.kind, release.purpose],
        "rai:personalSensitiveInformation": ["People are pseudonyms; prompts and remarks are in their own words."],
        "distribution": [{
            "@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, "encodingFormat": "application/jsonlines",
            "sha256": release.sha256,
        }],
        "recordSet": [{
            "@type": "cr:RecordSet", "@id": release.kind, "name": release.kind,
            "field": [
                {
                    "@type": "cr:Field", "@id": f"{release.kind}/{column}", "name": column, "description": said, "dataType": f"sc:{type_}",
                    "source": {"fileObject": {"@id": name}, "extract": {"column": column}},
                } | ({"repeated": True} if column == "tags" else {})
                for column, (type_, said) in COLUMNS[release.kind].items()
            ],
        }],
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


# What became of it.


def releases(session: Session) -> list[tuple[DatasetRelease, list[DatasetModel]]]:
    return [
        (one, list(session.scalars(select(DatasetModel).where(DatasetModel.release_id == one.id).order_by(DatasetModel.registered_at))))
        for one in session.scalars(select(DatasetRelease).order_by(DatasetRelease.exported_at, DatasetRelease.id))
    ]


def get(session: Session, release_id: str) -> DatasetRelease:
    release = session.get(DatasetRelease, release_id)
    if release is None:
        raise Missing(f"There is no release {str(release_id)[:80]!r} of a data set", "`lanterne data releases` shows them")
    return release


def register(session: Session, by: Actor, release_id: str, digest: str, name: str) -> DatasetModel:
    """That the model whose weights have this SHA-256 was trained on a release; again gives the same. Raises DatasetError."""
    audit.take_turn(session)
    by.require_operator()
    release = get(session, release_id)
    if release.purpose != "training":
        raise DatasetError(f"{release.id} was exported for {release.purpose}, and no model may be trained on it; export one for training.")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise DatasetError(f"The SHA-256 {str(digest)[:80]!r} cannot be one; give 64 hexadecimal digits in small letters.")
    if found := session.get(DatasetModel, (release.id, digest)):
        return found
    made = DatasetModel(
        release_id=release.id, sha256=digest, name=text(name, "name", 200, needed=True), registered_by=by.person_id, registered_at=now()
    )
    session.add(made)
    session.flush()
    audit.append(session, "dataset.trained", {"release": release.id, "model": digest, "name": made.name, "by": by.person_id})
    return made


def affected(session: Session, person_id: str, purpose: str | None = None) -> list[Affected]:
    """The releases that hold something of a person, with the models trained on them; of one purpose, or of all."""
    counted = select(DatasetRecord.release_id, func.count(DatasetRecord.remark_id)).where(DatasetRecord.person_id == person_id)
    counts = dict(session.execute(counted.group_by(DatasetRecord.release_id)).tuples().all())
    return [
        Affected(release, counts[release.id], tuple(models)) for release, models in releases(session)
        if release.id in counts and purpose in (None, release.purpose)
    ]


def live_records(session: Session, release_id: str) -> set[str]:
    """The records of a release that may still be used: nobody in them has withdrawn, and the words are still what was exported."""
    release = get(session, release_id)
    live = consent.live(session, release.purpose).keys()
    people: dict[str, set[str]] = {}
    versions: dict[str, int] = {}
    for record in session.scalars(select(DatasetRecord).where(DatasetRecord.release_id == release.id)):
        people.setdefault(record.remark_id, set()).add(record.person_id)
        versions[record.remark_id] = record.version
    held = select(DatasetRecord.remark_id).where(DatasetRecord.release_id == release.id)
    said = feedback.listed(session, Remark.withdrawn_at.is_(None), Remark.id.in_(held))
    return {
        one.remark.id for one in said
        if people[one.remark.id] <= live and one.content and one.versions[-1].number == versions[one.remark.id]
    }
