"""What the judge learns from: looks at clips of the world and at what the autoencoder makes of them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lanterne.evaluate.judge import NUM_FRAMES, look
from lanterne.models.autoencoder import StreamingAutoencoder
from lanterne.train.data import LANDSCAPE, read_shards, to_video
from lanterne.world.scene import Scene

_RECONSTRUCTED = 3  # every third clip is also seen as the autoencoder paints it


def judge_data(folders: list[Path], autoencoder: StreamingAutoencoder) -> tuple[Tensor, list[Scene]]:
    """Looks (N, C, H, W) float16 and their scenes, from all 16:9 clips; long ones give several, since their motion goes on."""
    looks, scenes = [], []
    for folder in folders:
        for shard in read_shards(folder):
            _, num_frames, height, width, _ = shard.frames_NFHWC.shape
            if num_frames < NUM_FRAMES or (width, height) != LANDSCAPE:
                continue
            for start in range(0, num_frames - NUM_FRAMES + 1, NUM_FRAMES - 1):
                clips = np.asarray(shard.frames_NFHWC[:, start : start + NUM_FRAMES])
                looks.append(look(clips).half())
                scenes.extend(shard.scenes)
            first = np.asarray(shard.frames_NFHWC[::_RECONSTRUCTED, :NUM_FRAMES])
            looks.append(look(reconstruct(autoencoder, first)).half())
            scenes.extend(shard.scenes[::_RECONSTRUCTED])
    return torch.cat(looks), scenes


@torch.inference_mode()
def reconstruct(autoencoder: StreamingAutoencoder, frames_NTHWC: np.ndarray) -> np.ndarray:
    """Clips (N, T, H, W, 3) uint8 through the autoencoder, T = 1 + 4 n."""
    painted = []
    for clip in frames_NTHWC:
        with torch.autocast("cpu", torch.bfloat16):
            video = autoencoder.decode(autoencoder.encode(to_video(clip[None])))
        painted.append(((video[0].float() + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy())
    return np.stack(painted)
