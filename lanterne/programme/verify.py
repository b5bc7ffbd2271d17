"""What a file says of itself, and whether that holds: signature, changes, parents, approval; and the invisible watermark."""

from dataclasses import dataclass, field
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

from lanterne.errors import LanterneError
from lanterne.programme import signing, watermark
from lanterne.programme.watermark import Detection
from lanterne.video import MediaError, read_settings

TRUSTED, UNKNOWN_SIGNER, CHANGED, UNSIGNED = "trusted", "unknown signer", "changed", "unsigned"
_STATES = {"Trusted": TRUSTED, "Valid": UNKNOWN_SIGNER, "Invalid": CHANGED}
_PROBLEMS = {  # by the code's beginning; the first that fits
    "assertion.bmffHash.mismatch": "the pictures or the index were changed after signing",
    "assertion.dataHash.mismatch": "the picture was changed after signing",
    "assertion.hashedURI.mismatch": "a statement in the manifest was changed after signing",
    "claimSignature.mismatch": "the signature does not belong to the manifest",
    "claimSignature": "the signature cannot be checked",
    "signingCredential.expired": "the signer's certificate had expired",
    "ingredient": "the record of a parent was changed after signing",
}
_UNTRUSTED = "signingCredential.untrusted"  # a state of its own, not a change


@dataclass(frozen=True)
class Made:
    """What one manifest tells. Fields that it does not tell are None."""

    signer: str | None
    generator: str | None
    kind: str | None
    model: str | None
    weights: str | None
    when: str | None
    time_stamp: str | None  # when an authority of time says that it was signed
    author: str | None
    training_allowed: bool | None
    watermark: int | None
    source_type: str | None
    approval: dict | None
    sha256: str | None  # of the file as the child that names it saw it
    changed: bool = False  # it had been changed after it was signed, when the child was made from it


@dataclass(frozen=True)
class Report:
    """What was found. Fields that were not are empty or None.

    state: one of TRUSTED, UNKNOWN_SIGNER, CHANGED and UNSIGNED. lineage: the file's own manifest first, then its parents', nearest first.
    inputs: what else it was made from. settings: those that Lanterne writes into its files. watermark: this installation's, if it was
    looked for and found; unreadable: why it could not be looked for.
    """

    state: str
    lineage: list[Made] = field(default_factory=list)
    inputs: list[Made] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    settings: dict | None = None
    watermark: Detection | None = None
    unreadable: str | None = None


def examine(path: Path, anchors: str, secret: bytes | None = None) -> Report:
    """anchors: PEM of the roots that are trusted, or "". secret: of the watermark to look for, if any.

    Raises LanterneError for what is no whole video or picture.
    """
    require_whole(path)
    found = signing.read(path, anchors)
    seen, unreadable = None, None
    try:
        seen = watermark.find(path, secret) if secret else None
    except MediaError as error:
        if found is None:
            raise
        unreadable = str(error)
    settings = _settings(path)
    if found is None:
        return Report(UNSIGNED, settings=settings, watermark=seen)
    manifests = found["manifests"]
    lineage, inputs, ingredients = [], [], [{"active_manifest": found.get("active_manifest"), "relationship": "parentOf"}]
    while ingredients and len(lineage) <= len(manifests):
        ingredient = ingredients.pop(0)
        manifest = manifests.get(ingredient.get("active_manifest"), {})
        is_parent = ingredient["relationship"] == "parentOf"
        (lineage if is_parent else inputs).append(_made(manifest, ingredient))
        if is_parent:
            ingredients += manifest.get("ingredients", [])
    return Report(_STATES[found["validation_state"]], lineage, inputs, _problems(found), settings, seen, unreadable)


def require_whole(path: Path) -> None:
    """Raises MediaError where there is no file, where it is neither a video nor a picture, or ends before its own index says."""
    if not path.is_file():
        raise MediaError(f"There is no file {path}; check the path.")
    if signing.media_type(path) in ("video/mp4", "image/png") and signing.ends_early(path):
        raise MediaError(f"{path} is cut short: it ends before its own index says; get the whole file again.")
    if not (is_picture(path) or _is_video(path)):
        raise MediaError(f"{path} is neither a video nor a picture; give a file with something to see in it.")


def is_picture(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _is_video(path: Path) -> bool:
    try:
        with av.open(str(path)) as container:
            return bool(container.streams.video) and container.format.name != "tty"  # which shows any text as a picture
    except (av.FFmpegError, OSError):
        return False


def _made(manifest: dict, ingredient: dict) -> Made:
    """Manifests are written by anybody: of what is not of the kind that it should be, nothing is told."""
    data = {assertion["label"]: assertion["data"] for assertion in manifest.get("assertions", []) if isinstance(assertion["data"], dict)}
    generation, signature = data.get(signing.GENERATION, {}), manifest.get("signature_info", {})
    first = next((action for action in signing.actions(manifest) if action["action"] != "c2pa.opened"), {})
    generator = next(iter(manifest.get("claim_generator_info", [])), {})
    seen = ingredient.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    return Made(
        signer=_text(signature, "common_name"),
        generator=" ".join(filter(None, [_text(generator, "name"), _text(generator, "version")])) or None,
        kind=_text(generation, "kind"), model=_text(generation, "model"), weights=_text(generation, "weights_sha256"),
        when=_text(first, "when"), time_stamp=_text(signature, "time"), author=_text(generation, "author"),
        training_allowed=_training_allowed(data.get("cawg.training-mining", {})),
        watermark=_number(data.get("c2pa.soft-binding", {})),
        source_type=_text(first, "digitalSourceType"), approval=data.get(signing.APPROVAL),
        sha256=(_text(ingredient, "instance_id") or "").removeprefix("urn:sha256:") or None,
        changed=any(failure["code"] != _UNTRUSTED for failure in seen),
    )


def _text(data: dict, name: str) -> str | None:
    """A text without what could steer a terminal, not too long."""
    value = data.get(name)
    return "".join(filter(str.isprintable, value))[:200] if isinstance(value, str) else None


def _training_allowed(data: dict) -> bool | None:
    try:
        return {"allowed": True, "notAllowed": False}.get(data["entries"]["cawg.ai_generative_training"]["use"])
    except (KeyError, TypeError):
        return None


def _number(binding: dict) -> int | None:
    try:
        return int(binding["blocks"][0]["value"], 16) if binding["alg"] == signing.WATERMARK else None
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _problems(found: dict) -> list[str]:
    """What does not hold, in words, each once."""
    if "unreadable" in found:
        return [f"the manifest cannot be read ({found['unreadable']})"]
    results = found["validation_results"]
    failures = list(results["activeManifest"]["failure"])
    for delta in results.get("ingredientDeltas", []):
        failures += delta["validationDeltas"]["failure"]
    codes = [failure["code"] for failure in failures if failure["code"] != _UNTRUSTED]
    words = [next((text for start, text in _PROBLEMS.items() if code.startswith(start)), f"a check failed ({code})") for code in codes]
    return list(dict.fromkeys(words))


def _settings(path: Path) -> dict | None:
    try:
        return read_settings(path)
    except LanterneError:
        return None
