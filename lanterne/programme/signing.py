"""C2PA: every finished file carries a signed manifest that says a machine made it, with which model, from what, and what its maker allows.

The library salts what it signs by chance. So that the same bytes signed again stay the same bytes, the first manifest of a content is
kept and put in again: the promise of equal bytes holds as far as what is kept reaches, a home folder or the database of several workers,
and `when` is when it was made first.
"""

import hashlib
import json
import logging
import os
import secrets
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import c2pa

from lanterne import __version__
from lanterne.errors import writing
from lanterne.paths import home
from lanterne.programme.identity import Identity

MACHINE_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"  # with what somebody else made
GENERATION, APPROVAL = "local.lanterne.generation", "local.lanterne.approval"  # .local: nobody's domain, so nobody else's label
WATERMARK = "local.lanterne.spread-spectrum.1"
CREATED, EDITED, EXTENDED = "created", "edited", "extended"
_DESCRIPTIONS = {
    CREATED: "Made from a text by a machine-learning model.",
    EDITED: "Remade as a text says by a machine-learning model, from the video it came from.",
    EXTENDED: "Continued by a machine-learning model, from where the video it came from ended.",
}
_ANY_KIND = "application/octet-stream"
_KEPT_MANIFESTS = 2000  # files, of about 15 kB
_UUID_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA's, in MP4
_BEGINNINGS = ((0, b"\x89PNG", "image/png"), (0, b"\xff\xd8\xff", "image/jpeg"), (8, b"WEBP", "image/webp"), (4, b"ftyp", "video/mp4"))
_PNG_CHUNK = b"caBX"  # C2PA's, in PNG

_log = logging.getLogger("lanterne.programme")


class SigningError(Exception):
    """A file of ours that could not be signed: a fault of the program, not of its user."""


@dataclass(frozen=True)
class Statement:
    """What a manifest says of its file.

    kind: CREATED, EDITED or EXTENDED. weights: SHA-256 of the model's file. watermark: the number in the invisible watermark.
    training: whether the maker allows others to train on it. author: a name the maker wants to be known by.
    """

    kind: str
    model: str
    weights: str
    watermark: int | None = None
    training: bool = False
    author: str | None = None


def sign(
    path: Path, statement: Statement, who: Identity, parent: Path | None = None, inputs: Sequence[Path] = (),
    timestamp_url: str | None = None, first: Callable[[str, bytes], bytes] | None = None,
) -> None:
    """Sign a finished MP4 or PNG in its place; the file appears whole or stays as it was.

    parent: the video it was edited or extended from; inputs: other files it was made from; of any kind. timestamp_url: an RFC 3161
    authority; while it does not answer, files are signed without it. first(name, manifest) is the manifest that the content of this name
    got first, which is this one if there was none; by default the home folder's. Raises WriteError for a full disk, SigningError.
    """
    assert (statement.kind == CREATED) == (parent is None)
    sources = [(parent, "parentOf")] if parent else []
    sources += [(given, "inputTo") for given in inputs]
    hashes = [(_sha256(source), relation) for source, relation in sources]
    name = _fingerprint([_sha256(path), asdict(statement), hashes, who.chain, timestamp_url, __version__, c2pa.sdk_version()])
    ingredients = [(source, relation, sha256) for (source, relation), (sha256, _) in zip(sources, hashes, strict=True)]
    _write_signed(path, path, _assertions(statement, parent), ingredients, who, timestamp_url)
    _put_first(path, name, first or first_here)


def approve(
    path: Path, target: Path, approval: dict, who: Identity, timestamp_url: str | None = None, content: Path | None = None
) -> None:
    """Write `target`: the signed video `path` with an approval for release added, bound to the SHA-256 of path's exact bytes.

    approval: what is to be told of it, such as the policy's version, when, and by whom (a pseudonym). content: the same video as path, with
    less told beside the pictures; path stays the parent. Raises WriteError, SigningError.
    """
    sha256 = _sha256(path)
    assertions = [
        {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.published", "when": _now()}]}},
        {"label": APPROVAL, "data": approval | {"sha256": sha256}},
    ]
    _write_signed(content or path, target, assertions, [(path, "parentOf", sha256)], who, timestamp_url)


def read(path: Path, anchors: str) -> dict | None:
    """Everything that the library finds in a file's manifests and makes of them; None where there are none.

    anchors: PEM of the roots that are trusted. Nothing is fetched from anywhere.
    """
    verify = {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    context = c2pa.Context.from_dict({"verify": verify, "trust": {"trust_anchors": anchors}} if anchors else {"verify": verify})
    try:
        with path.open("rb") as stream, c2pa.Reader(media_type(path), stream, context=context) as reader:
            return json.loads(reader.json())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return None
    except c2pa.C2paError as error:
        if manifest_place(path) is None:
            return None
        return {"validation_state": "Invalid", "manifests": {}, "unreadable": str(error)}


def _assertions(statement: Statement, parent: Path | None) -> list[dict]:
    actions = [{
        "action": "c2pa.created" if statement.kind == CREATED else "c2pa.edited",
        "when": _now(),
        "softwareAgent": {"name": "Lanterne", "version": __version__},
        "digitalSourceType": MACHINE_MADE if parent is None or _is_machine_made(parent) else COMPOSITE,
        "description": _DESCRIPTIONS[statement.kind],
    }]
    use = {"use": "allowed" if statement.training else "notAllowed"}
    generation = {"kind": statement.kind, "model": statement.model, "weights_sha256": statement.weights}
    if statement.author:
        generation["author"] = statement.author
    assertions = [
        {"label": GENERATION, "data": generation},
        {"label": "cawg.training-mining", "data": {"entries": {
            "cawg.ai_generative_training": use, "cawg.ai_training": use, "cawg.data_mining": use, "cawg.ai_inference": {"use": "allowed"},
        }}},
    ]
    if statement.watermark is not None:
        actions.append({"action": "c2pa.watermarked.bound", "when": actions[0]["when"]})
        value = f"{statement.watermark:010x}"
        assertions.append({"label": "c2pa.soft-binding", "data": {"alg": WATERMARK, "blocks": [{"scope": {}, "value": value}]}})
    return [{"label": "c2pa.actions.v2", "data": {"actions": actions}}, *assertions]


def _is_machine_made(path: Path) -> bool:
    found = read(path, "") or {}
    active = found.get("manifests", {}).get(found.get("active_manifest"), {})
    return any(action.get("digitalSourceType") == MACHINE_MADE for action in actions(active))


def actions(manifest: dict) -> list[dict]:
    """The actions that a manifest tells of, in order."""
    found = [assertion["data"]["actions"] for assertion in manifest.get("assertions", []) if assertion["label"].startswith("c2pa.actions")]
    return [action for some in found for action in some]


def _write_signed(path: Path, target: Path, assertions: list[dict], ingredients, who: Identity, timestamp_url: str | None) -> None:
    temporary = target.with_name(f".{target.stem}.signing{target.suffix}")
    try:
        for url in dict.fromkeys([timestamp_url, None]):
            try:
                with writing(target), path.open("rb") as source, temporary.open("w+b") as signed:
                    signer = c2pa.Signer.from_callback(who.sign, c2pa.C2paSigningAlg.ES256, who.chain, url)
                    _builder(path, assertions, ingredients).sign(signer, media_type(path), source, signed)
                break
            except c2pa.C2paError as error:
                if url is None:
                    raise SigningError(f"{path} could not be signed: {error}") from error
                _log.warning("the time-stamp authority %s failed, and %s is signed without it: %s", url, target.name, error)
        with writing(target):
            temporary.replace(target)
    finally:
        if temporary.exists():
            temporary.unlink()


def _builder(path: Path, assertions: list[dict], ingredients) -> c2pa.Builder:
    """Titles name no file of the user's: the same content has the same manifest under every name."""
    manifest = {
        "title": "Lanterne picture" if media_type(path) == "image/png" else "Lanterne video",
        "claim_generator_info": [{"name": "Lanterne", "version": __version__}],
        "assertions": assertions,
    }
    builder = c2pa.Builder(manifest, c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}}))
    for source, relation, sha256 in ingredients:
        if relation == "parentOf":
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)  # an UPDATE has no hash of the video: changes would not be seen
        _add_ingredient(builder, source, relation, sha256)
    return builder


def _add_ingredient(builder: c2pa.Builder, source: Path, relation: str, sha256: str) -> None:
    """With its own manifests, if it has any: so a chain of parents is read back from the last of them."""
    ingredient = {"title": f"sha256 {sha256[:16]}", "relationship": relation, "instance_id": f"urn:sha256:{sha256}"}
    with source.open("rb") as stream:
        try:
            builder.add_ingredient(ingredient, media_type(source) or _ANY_KIND, stream)
        except c2pa.C2paError:  # a file that the library cannot take apart; it is named all the same
            stream.seek(0)
            builder.add_ingredient(ingredient, _ANY_KIND, stream)


def _put_first(path: Path, name: str, first: Callable[[str, bytes], bytes]) -> None:
    """Put the manifest that this content got first into the file again. They are of one length."""
    offset, length = manifest_place(path)
    with path.open("rb") as file:
        file.seek(offset)
        made = file.read(length)
    kept = first(name, made)
    if kept != made and len(kept) == length:
        with writing(path), path.open("r+b") as file:
            file.seek(offset)
            file.write(kept)


def first_here(name: str, made: bytes) -> bytes:
    """The first manifest of a content in this home folder: what is kept there, or from now on this one. Raises WriteError."""
    kept = home() / "manifests" / f"{name}.c2pa"
    try:
        return kept.read_bytes()
    except FileNotFoundError:
        pass
    with writing(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
        temporary.write_bytes(made)
        with suppress(FileExistsError):
            os.link(temporary, kept)  # whoever is first wins
        temporary.unlink()
        for old in sorted(kept.parent.glob("*.c2pa"), key=lambda file: file.stat().st_mtime)[:-_KEPT_MANIFESTS]:
            old.unlink(missing_ok=True)
    return kept.read_bytes()


def media_type(path: Path) -> str | None:
    """What a file is, by its first bytes: files in a store have no endings. None for what cannot carry a manifest here."""
    with Path(path).open("rb") as file:
        start = file.read(12)
    return next((kind for offset, mark, kind in _BEGINNINGS if start[offset:].startswith(mark)), None)


def manifest_place(path: Path) -> tuple[int, int] | None:
    """(offset, bytes) of the box or chunk with the manifests in an MP4 or PNG, or None."""
    return next(((start, size) for start, size, is_manifest in _pieces(path) if is_manifest), None)


def ends_early(path: Path) -> bool:
    """Whether an MP4 or PNG is shorter than its own pieces say."""
    end = 0
    for start, size, _ in _pieces(path):
        end = start + size
    return end > path.stat().st_size


def _pieces(path: Path):
    """(offset, bytes, whether it holds the manifests) of an MP4's boxes or a PNG's chunks."""
    is_png, length = media_type(path) == "image/png", path.stat().st_size
    position = 8 if is_png else 0
    with path.open("rb") as file:
        while position + 8 <= length:
            file.seek(position)
            header = file.read(24)
            size, kind = struct.unpack(">I4s", header[:8])
            if is_png:
                size += 12
            elif size == 1:
                size = int.from_bytes(header[8:16])
            elif size == 0:  # up to the end
                size = length - position
            if size < 8:
                return
            yield position, size, kind == _PNG_CHUNK or (kind == b"uuid" and header[8:24] == _UUID_BOX)
            position += size


def _sha256(path: Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
