"""The latent cache: every clip encoded once, with its captions' text states.

For each shard of clips, `<name>.latents.npy` holds float16 normalised latents (2n, T, C, H, W), first the clips, then the same
clips flipped left to right; `<name>.text.npy` float16 text states (tokens, D) of all captions one after another, without padding;
`<name>.spans.npy` int32 (2n, K, 2), where each of an entry's K captions starts and stops in them; `<name>.motions.npy` float32
(2n, 5), each entry's CameraMotion; `<name>.things.npy` uint8 (2n, T, H, W), how much of what each latent stands for is the scene's
subject. `cache.json` names the autoencoder by the hash of its weights: latents of another one are never mixed in.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lanterne.errors import LanterneError
from lanterne.models.autoencoder import TEMPORAL_FACTOR, StreamingAutoencoder
from lanterne.models.text_encoder import TextEncoder
from lanterne.precision import mixed
from lanterne.train.data import Shard, read_shard, to_video
from lanterne.world.camera import motion_of
from lanterne.world.captions import captions
from lanterne.world.scene import Scene, mirror

PHRASINGS = 2  # draws of (short, medium, long) per entry
_ENCODE_BATCH = 8


@dataclass(frozen=True)
class LatentShard:
    """latents_NTCHW float16, things_NTHW uint8, text_MD float16, spans_NK2 int32 and motions_N5 float32; the large ones mapped, not
    read. name: its files'."""

    latents_NTCHW: np.ndarray
    things_NTHW: np.ndarray
    text_MD: np.ndarray
    spans_NK2: np.ndarray
    motions_N5: np.ndarray
    name: str


def weights_hash(model: torch.nn.Module) -> str:
    """SHA-256 over names and values of a model's parameters (not its buffers), the first 16 hex digits."""
    digest = hashlib.sha256()
    for name, value in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def cache_latents(
    data: Path, out: Path, model: StreamingAutoencoder, device: str = "cpu", text_encoder: TextEncoder | None = None, on_shard=None
) -> int:
    """Encode the shards of `data` that `out` lacks; returns how many. Calls on_shard(name) after each. Models are on the device."""
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, model)
    text_encoder = text_encoder or TextEncoder.load().to(device)
    done = 0
    for path in sorted(data.glob("clips-*.json")):
        if (out / f"{path.stem}.spans.npy").exists():
            continue
        shard = read_shard(path)
        np.save(out / f"{shard.name}.latents.npy", _encode(shard, model, device))
        text_MD, spans_NK2 = _captions_of(shard, text_encoder, device)
        np.save(out / f"{shard.name}.text.npy", text_MD)
        np.save(out / f"{shard.name}.motions.npy", _motions_of(shard))
        np.save(out / f"{shard.name}.things.npy", _things_of(shard))
        partial = out / f"{shard.name}.spans.partial.npy"
        np.save(partial, spans_NK2)
        partial.replace(out / f"{shard.name}.spans.npy")  # last: a reader looks for this file
        done += 1
        if on_shard:
            on_shard(shard.name)
    return done


def read_latents(folder: Path, known: Collection[str] = ()) -> list[LatentShard]:
    """All finished shards of a cache, but for those whose names are `known`."""
    shards = []
    for path in sorted(folder.glob("*.spans.npy")):
        stem = path.name.removesuffix(".spans.npy")
        if stem.endswith(".partial") or stem in known:
            continue
        shards.append(
            LatentShard(
                np.load(folder / f"{stem}.latents.npy", mmap_mode="r"),
                np.load(folder / f"{stem}.things.npy"),
                np.load(folder / f"{stem}.text.npy", mmap_mode="r"),
                np.load(path),
                np.load(folder / f"{stem}.motions.npy"),
                stem,
            )
        )
    return shards


def _claim(out: Path, model: StreamingAutoencoder) -> None:
    name, path = weights_hash(model.encoder), out / "cache.json"
    if path.exists() and json.loads(path.read_text())["encoder"] != name:
        raise LanterneError(
            f"{out} holds latents of another autoencoder's encoder, and the two must not be mixed; "
            "delete the folder or give another."
        )
    path.write_text(json.dumps({"encoder": name}))


@torch.no_grad()
def _encode(shard: Shard, model: StreamingAutoencoder, device: str) -> np.ndarray:
    pieces = []
    for flipped in (False, True):
        for start in range(0, len(shard.scenes), _ENCODE_BATCH):
            frames = shard.frames_NFHWC[start : start + _ENCODE_BATCH]
            video_BCTHW = to_video(frames[:, :, :, ::-1] if flipped else frames).to(device)
            with mixed(device):
                latents_BCTHW = model.encode(video_BCTHW)
            pieces.append(latents_BCTHW.transpose(1, 2).half().cpu().numpy())
    return np.concatenate(pieces)


def _things_of(shard: Shard) -> np.ndarray:
    """The share of each latent that is subject, (2n, T, H, W) uint8, as its frames have it; mirrored clips behind the others."""
    first_NTHW, later_NFHW = np.split(shard.things_NFHW, [1], axis=1)  # a latent frame is the first frame, or four
    later_NTHW = later_NFHW.reshape(len(later_NFHW), -1, TEMPORAL_FACTOR, *later_NFHW.shape[2:]).mean(axis=2)
    things_NTHW = np.concatenate([first_NTHW, later_NTHW.round().astype(np.uint8)], axis=1)
    return np.concatenate([things_NTHW, things_NTHW[..., ::-1]])


def _motions_of(shard: Shard) -> np.ndarray:
    motions = [motion_of(scene) for scene in shard.scenes]
    # Flipped, the camera turns and circles the other way.
    flipped = [motion._replace(pan=-motion.pan, arc=-motion.arc) for motion in motions]
    return np.array(motions + flipped, np.float32)


def _captions_of(shard: Shard, text_encoder: TextEncoder, device: str) -> tuple[np.ndarray, np.ndarray]:
    entries: list[Scene] = [*shard.scenes, *(mirror(scene) for scene in shard.scenes)]
    texts = []
    for index, scene in enumerate(entries):
        for draw in range(PHRASINGS):
            seed = (scene.seed * 2 + (index >= len(shard.scenes))) * PHRASINGS + draw
            texts.extend(captions(scene, seed).values())
    # By length, so that batches hold little padding; half precision is what the cache keeps anyway.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    states = [np.zeros(0)] * len(texts)
    for start in range(0, len(texts), 64):
        chosen = order[start : start + 64]
        with mixed(device):
            encoded = text_encoder.encode([texts[index] for index in chosen])
        for index, text_LD in zip(chosen, encoded, strict=True):
            tokens = int(text_LD.abs().sum(dim=-1).gt(0).sum())  # padding is zeros
            states[index] = text_LD[:tokens].half().numpy()
    stops = np.cumsum([len(state) for state in states])
    spans = np.stack([stops - [len(state) for state in states], stops], axis=-1)
    return np.concatenate(states), spans.astype(np.int32).reshape(len(entries), -1, 2)
