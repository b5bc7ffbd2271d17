"""What the transformer's steps are drawn from: the latent cache, in the memory of the device that trains.

A step wants hundreds of sequences from all over the cache, each with a caption, a noise level for each chunk and the camera's places.
With all clips in one place that is a few look-ups for all of them together; 20,000 clips take 3 GB.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lanterne import FPS
from lanterne.camera import places
from lanterne.flow import CHUNK, FIRST_CHUNK, chunk_spans, frame_of, sample_sigmas
from lanterne.models.text_encoder import MAX_TOKENS
from lanterne.train.latents import LatentShard, read_latents

TEXT_DROPOUT = 0.1
START_IMAGE = 0.12  # share of sequences whose first frame is given
STILL_SHIFT, CLIP_SHIFT = 2.0, 4.0  # clips hide less under noise than stills do
SIGMA_SPREAD = 1.4  # wider than usual: layout is settled above a sigma of 0.9, texture below 0.5
HISTORY_SIGMA = 0.15  # history is noised up to this level
GAPS = 0.6  # share of long sequences that leave out chunks after the first
_CAPTIONS = (0.1, 0.15, 0.75)  # share of short, medium and long ones: generating expands to long, which alone always tell the camera


@dataclass(frozen=True)
class Batch:
    latents_BCTHW: Tensor
    things_BTHW: Tensor  # how much of each is the scene's subject, 0 to 1
    text_BLD: Tensor
    sigma_BT: Tensor
    weight_BT: Tensor  # of each latent frame's loss; 0 where the frame is given
    places_BTHW2: Tensor  # where each token stands, by the camera's motion
    chunk_lengths: tuple[int, ...]


@dataclass
class _Pool:
    """Clips of one length and one size, and every caption of theirs one after another."""

    latents_NTCHW: Tensor
    things_NTHW: Tensor
    text_MD: Tensor
    spans_NK2: Tensor
    motions_N5: np.ndarray

    def __len__(self) -> int:
        return len(self.latents_NTCHW)

    @property
    def num_frames(self) -> int:
        return self.latents_NTCHW.shape[1]


class Clips:
    """The clips of a latent cache in a device's memory. `refresh` takes in the shards that were written since."""

    def __init__(self, folder: Path, device: str = "cpu"):
        self._folder, self._device = folder, device
        self._names: set[str] = set()
        self._pools: dict[tuple[int, ...], _Pool] = {}
        self.refresh()

    def __len__(self) -> int:
        return sum(map(len, self._pools.values()))

    def refresh(self) -> None:
        alike = defaultdict(list)
        for shard in read_latents(self._folder, known=self._names):
            _, frames, _, height, width = shard.latents_NTCHW.shape
            alike[frames, height, width].append(shard)
            self._names.add(shard.name)
        for key, shards in alike.items():
            self._pools[key] = self._together(self._pools.get(key), shards)

    def _together(self, pool: _Pool | None, shards: list[LatentShard]) -> _Pool:
        def joined(before, arrays):
            counts = [0 if before is None else len(before), *map(len, arrays)]
            kind = torch.from_numpy(np.empty(0, arrays[0].dtype)).dtype
            whole = torch.empty((sum(counts), *arrays[0].shape[1:]), dtype=kind, device=self._device)
            if before is not None:
                whole[: len(before)] = before
            for start, array in zip(accumulate(counts), arrays, strict=False):  # one by one: read at once they would be there twice
                whole[start : start + len(array)] = torch.from_numpy(np.array(array))
            return whole

        stops = np.cumsum([0 if pool is None else len(pool.text_MD), *(len(shard.text_MD) for shard in shards)])
        spans = [shard.spans_NK2.astype(np.int64) + start for shard, start in zip(shards, stops, strict=False)]
        motions = [shard.motions_N5 for shard in shards]
        return _Pool(
            joined(pool and pool.latents_NTCHW, [shard.latents_NTCHW for shard in shards]),
            joined(pool and pool.things_NTHW, [shard.things_NTHW for shard in shards]),
            joined(pool and pool.text_MD, [shard.text_MD for shard in shards]),
            joined(pool and pool.spans_NK2, spans),
            np.concatenate(motions if pool is None else [pool.motions_N5, *motions]),
        )

    def draw(self, random: np.random.Generator, batch_frames: int, shares: tuple[tuple[int, float], ...]) -> Batch:
        """Sequences of one length and one size, batch_frames latent frames in all, each with one of its captions.

        shares: of batches, by the latent frames of a sequence; longer ones than any clip are left out.
        """
        longest = max(frames for frames, *_ in self._pools)
        lengths, weights = zip(*((length, share) for length, share in shares if length <= longest), strict=True)
        length = int(random.choice(lengths, p=np.array(weights) / sum(weights)))
        grids = defaultdict(list)
        for (frames, *grid), pool in self._pools.items():
            if frames >= length:
                grids[tuple(grid)].append(pool)
        counts = np.array([sum(map(len, pools)) for pools in grids.values()], np.float64)
        alike = list(grids.values())[random.choice(len(grids), p=counts / counts.sum())]
        sizes = np.array([len(pool) for pool in alike], np.float64)
        frames, chunk_lengths = window(max(pool.num_frames for pool in alike), length, random)
        shares_of_pools = random.multinomial(max(1, batch_frames // length), sizes / sizes.sum())
        pieces = [self._from(pool, count, frames, random) for pool, count in zip(alike, shares_of_pools, strict=True) if count]
        latents_BCTHW, things_BTHW, text_BLD, places_BTHW2 = (torch.cat(piece) for piece in zip(*pieces, strict=True))
        given = (torch.from_numpy(array).to(self._device) for array in draw_sigmas(random, len(latents_BCTHW), chunk_lengths))
        return Batch(latents_BCTHW, things_BTHW, text_BLD, *given, places_BTHW2, chunk_lengths)

    def _from(self, pool: _Pool, count: int, frames: np.ndarray, random: np.random.Generator) -> tuple[Tensor, ...]:
        """`count` sequences of these latent frames: latents, things, text and places, as a Batch has them."""
        entries = random.integers(len(pool), size=count)
        shown = frames if frames[-1] < pool.num_frames else np.arange(len(frames))  # without the gap, where a clip is too short for it
        entries_B, shown_T = (torch.from_numpy(index).to(self._device) for index in (entries, shown))
        latents_BTCHW = pool.latents_NTCHW[entries_B[:, None], shown_T]
        things_BTHW = pool.things_NTHW[entries_B[:, None], shown_T]
        seconds_T = frame_of(shown) / FPS
        begins = np.array([start for start, _ in chunk_spans(len(shown))])
        # Any chunk's beginning may be the moment that places are counted from: when generating it is the current one's.
        seconds_BT = seconds_T - seconds_T[random.choice(begins, size=count)][:, None]
        places_BTHW2 = torch.from_numpy(places(pool.motions_N5[entries], seconds_BT, *latents_BTCHW.shape[-2:]))

        phrasings = pool.spans_NK2.shape[1] // 3
        captions = 3 * random.integers(phrasings, size=count) + random.choice(3, size=count, p=_CAPTIONS)
        start_B, stop_B = pool.spans_NK2[entries_B, torch.from_numpy(captions).to(self._device)].unbind(-1)
        tokens_BL = start_B[:, None] + torch.arange(MAX_TOKENS, device=self._device)
        told = torch.from_numpy(random.random(count) >= TEXT_DROPOUT).to(self._device)
        said_BL1 = ((tokens_BL < stop_B[:, None]) & told[:, None])[..., None]  # what is not said, and padding, is zeros
        text_BLD = pool.text_MD[tokens_BL.clamp(max=len(pool.text_MD) - 1)] * said_BL1
        latents_BCTHW = latents_BTCHW.float().transpose(1, 2)
        return latents_BCTHW, things_BTHW.float() / 255, text_BLD.float(), places_BTHW2.to(self._device)


def window(longest: int, length: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
    """`length` latent frames of a clip of `longest`: those of the first chunk and of later ones, at random leaving out chunks in between;
    and the chunks' lengths."""
    chunk_lengths = tuple(stop - start for start, stop in chunk_spans(length))
    later = len(chunk_lengths) - 1
    most = (longest - FIRST_CHUNK) // CHUNK - later
    gap = CHUNK * int(random.integers(max(most, 0) + 1)) if later and random.random() < GAPS else 0
    return np.r_[0 : min(length, FIRST_CHUNK), FIRST_CHUNK + gap : length + gap], chunk_lengths


def draw_sigmas(random: np.random.Generator, batch: int, chunk_lengths: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Noise levels and loss weights, each (B, T) float32, for sequences of these chunks."""
    frames = sum(chunk_lengths)
    sigma_BT = sample_sigmas(random, batch, chunk_lengths, CLIP_SHIFT if frames > 1 else STILL_SHIFT, std=SIGMA_SPREAD)
    weight_BT = np.ones_like(sigma_BT)
    # Nearly clean, as when generating; nothing is learnt from painting it again.
    history_B = np.cumsum((0, *chunk_lengths))[random.integers(len(chunk_lengths), size=batch)]
    given_BT = np.arange(frames) < history_B[:, None]
    level_B = HISTORY_SIGMA * random.random(batch) ** 2
    if frames > 1:
        start_B = (history_B == 0) & (random.random(batch) < START_IMAGE)
        given_BT[:, 0] |= start_B
        clean_B = random.random(batch) < 0.5
        level_B = np.where(start_B, np.where(clean_B, 0.0, HISTORY_SIGMA * random.random(batch)), level_B)
    sigma_BT[given_BT] = np.broadcast_to(level_B[:, None], given_BT.shape)[given_BT]
    weight_BT[given_BT] = 0.0
    return sigma_BT, weight_BT


def draw_route(batch: Batch) -> Tensor:
    """Half of each latent frame's tokens, in order, (T, S / 2)."""
    frames, height, width = batch.latents_BCTHW.shape[2:]
    order = torch.rand(frames, height * width, device=batch.latents_BCTHW.device).argsort(dim=1)
    return order[:, : height * width // 2].sort(dim=1).values
