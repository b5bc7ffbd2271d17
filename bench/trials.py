"""Short trials of how transformer and autoencoder are trained, each with the same processor time.

python -m bench.trials transformer --minutes 2.5 [NAME ...]
python -m bench.trials autoencoder --minutes 2.5 [NAME ...]

Two tables each. Of the transformer from random weights: size, what is predicted, optimizer, routing, batch. From the weights of --weights,
as a stage goes on: noise levels, noise on the history, the chunk's length. Columns: mean squared error of the velocity, over its variance,
on unseen clips at noise levels of 0.6, 0.8, 0.9 and 0.97: of latents and of their means over 3 x 3 in the first chunk, and of those means
in the second chunk, behind a history that is true, and behind one that the model itself has painted from half noise, as errors come in when
generating. Of the autoencoder from random weights: size, latent channels, 8 times in space instead of 16, the loss; its decoder trained on:
with a discriminator or without. Columns: as `reconstruction_figures`, on unseen clips. So short a trial shows how fast something learns,
not how far.
"""

import argparse
import time
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.flow import TIMESTEPS, interpolate, velocity
from lanterne.generate import CONTEXT_SIGMA
from lanterne.models import autoencoder as autoencoders
from lanterne.models import checkpoint
from lanterne.models.autoencoder import StreamingAutoencoder, autoencoder_small
from lanterne.models.transformer import SpacetimeTransformer, nano, small
from lanterne.paths import EMBEDDED
from lanterne.precision import mixed
from lanterne.train import autoencoder as autoencoder_stage
from lanterne.train import batches
from lanterne.train import transformer as stage
from lanterne.train.adversarial import Opponent
from lanterne.train.autoencoder import decoder_loss, reconstruction_figures, reconstruction_loss
from lanterne.train.batches import Clips
from lanterne.train.data import random_crops, read_shards
from lanterne.train.optim import MuonAdamW, warm_constant_cool

_SIGMAS = (0.6, 0.8, 0.9, 0.97)
_SEQUENCES = 8  # of the unseen clips
_SHARES = ((1, 0.45), (5, 0.35), (9, 0.20))
_BATCH_FRAMES = 16  # a step of few clips: there are some hundred steps
_WARM_STEPS = 30
_AGAIN = 0.5  # of the learning rate, for trained weights

_TRANSFORMER = dict(
    config=nano(), predicts="velocity", optimizer="muon", routed=True, batch_frames=_BATCH_FRAMES, chunks=(5, 4), constants={}
)
TRANSFORMER_FRESH = {
    "as it is": {},
    "again, another seed": {"seed": 1},
    "half as deep": {"config": replace(nano(), num_layers=4)},
    "30 M parameters": {"config": small()},
    "predicts the clip": {"predicts": "clip"},
    "predicts the noise": {"predicts": "noise"},
    "AdamW": {"optimizer": "adamw"},
    "all tokens through all blocks": {"routed": False},
    "40 latent frames a step": {"batch_frames": 40},
}
TRANSFORMER_TRAINED = {
    "going on as it is": {},
    "shift of 2": {"constants": {"CLIP_SHIFT": 2.0, "STILL_SHIFT": 1.0}},
    "shift of 8": {"constants": {"CLIP_SHIFT": 8.0, "STILL_SHIFT": 4.0}},
    "history without noise": {"constants": {"HISTORY_SIGMA": 0.0}},
    "history noised up to 0.5": {"constants": {"HISTORY_SIGMA": 0.5}},
    "chunks of 2 latent frames": {"chunks": (3, 2)},
    "chunks of 8 latent frames": {"chunks": (9, 8)},
}
_SMALL = autoencoder_small()
_AUTOENCODER = dict(config=_SMALL, fold=4, loss="all")
_HALF = dict(encoder_widths=(32, 64, 128), decoder_widths=(32, 64, 128))
AUTOENCODER_FRESH = {
    "as it is": {},
    "again, another seed": {"seed": 1},
    "16 channels": {"config": replace(_SMALL, latent_channels=16)},
    "64 channels": {"config": replace(_SMALL, latent_channels=64)},
    "8 times in space, 8 channels, half as wide": {"config": replace(_SMALL, latent_channels=8, **_HALF), "fold": 2},
    "half as wide": {"config": replace(_SMALL, **_HALF)},
    "decoder of one block a size": {"config": replace(_SMALL, decoder_blocks=(1, 1, 1))},
    "decoder of four blocks a size": {"config": replace(_SMALL, decoder_blocks=(4, 4, 4))},
    "loss of pixels alone": {"loss": "pixels"},
}
AUTOENCODER_TRAINED = {
    "decoder going on as it is": {},
    "decoder without a discriminator": {"loss": "reconstruction"},
}


class Predicting(nn.Module):
    """A network whose output is taken for the velocity, the clean clip or the noise, and made a velocity of."""

    def __init__(self, network: nn.Module, predicts: str):
        super().__init__()
        self.network, self.predicts = network, predicts

    def forward(self, noisy_BCTHW: Tensor, timestep_BT: Tensor, *args, **kwargs) -> Tensor:
        said = self.network(noisy_BCTHW, timestep_BT, *args, **kwargs)
        sigma = (timestep_BT / TIMESTEPS)[:, None, :, None, None]
        if self.predicts == "clip":
            return (noisy_BCTHW - said.float()) / sigma.clamp(min=0.05)
        return (said.float() - noisy_BCTHW) / (1 - sigma).clamp(min=0.05) if self.predicts == "noise" else said


def of_transformer(runs: Path, seconds: float, weights: Path | None, seed: int = 0, **changes) -> dict[str, float]:
    """Train for so many processor seconds, measure. weights: what to go on from."""
    settings = _TRANSFORMER | changes
    first, later = settings["chunks"]
    constants = [mock.patch.object(batches, name, value) for name, value in settings["constants"].items()]
    constants += [mock.patch(f"lanterne.flow.{name}", value) for name, value in (("FIRST_CHUNK", first), ("CHUNK", later))]
    constants += [mock.patch.object(batches, name, value) for name, value in (("FIRST_CHUNK", first), ("CHUNK", later))]
    for one in constants:
        one.start()
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = SpacetimeTransformer(settings["config"])
    if weights:
        network.load_state_dict(checkpoint.load(weights).build("transformer").state_dict())
    model = Predicting(network.requires_grad_(True).train(), settings["predicts"])
    rate = stage.LEARNING_RATE * (_AGAIN if weights else 1)
    if settings["optimizer"] == "muon":
        optimizer = MuonAdamW(model, rate, stage.WEIGHT_DECAY, stage.BY_ADAM)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), rate, (0.9, 0.99), weight_decay=stage.WEIGHT_DECAY)
    clips = Clips(runs / "latents")
    step, start = 0, time.process_time()
    while (part := (time.process_time() - start) / seconds) < 1:
        batch = clips.draw(random, settings["batch_frames"], _SHARES)
        stage.flow_matching_loss(model, batch, stage.draw_route(batch) if settings["routed"] else None).backward()
        factor = warm_constant_cool(part, step, _WARM_STEPS, cool_from=0.5)
        if settings["optimizer"] == "muon":
            optimizer.step(factor)
        else:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad()
        step += 1
    figures = {"steps": step} | errors(model.eval(), runs / "latents-val")
    for one in constants:
        one.stop()
    return figures


@torch.no_grad()
def errors(model: nn.Module, validation: Path) -> dict[str, float]:
    """Of the velocity on unseen clips, over its variance: whatever the chunks are, of the first 5 latent frames and of the 4 after them.

    A first chunk of 9 has both within it: the last two figures are then those of no history.
    """
    random = np.random.default_rng(0)
    batch = Clips(validation).draw(random, _SEQUENCES * 9, ((9, 1.0),))
    noise = torch.randn(batch.latents_BCTHW.shape, generator=torch.Generator().manual_seed(0))
    coarsely = partial(F.avg_pool3d, kernel_size=(1, stage.COARSE, stage.COARSE), ceil_mode=True, count_include_pad=False)
    starts = [0, *accumulate(batch.chunk_lengths)]

    def said(latents, sigma_BT):
        noisy = interpolate(latents, noise, sigma_BT)
        with mixed():
            return noisy, model(noisy, sigma_BT * TIMESTEPS, batch.text_BLD, batch.chunk_lengths, places=batch.places_BTHW2).float()

    true = velocity(batch.latents_BCTHW, noise)

    def error(said_BCTHW, frames, of):
        """Of these latent frames, against the true clip, whose history may have been painted anew."""
        return (of(said_BCTHW - true)[:, :, frames].square().mean() / of(true)[:, :, frames].var()).item()

    noisy, direction = said(batch.latents_BCTHW, torch.full_like(batch.sigma_BT, 0.5))
    painted = noisy - 0.5 * direction
    rows = {name: [] for name in ("first chunk", "first chunk, means", "behind history", "behind its own history")}
    for sigma in _SIGMAS:
        _, at_once = said(batch.latents_BCTHW, torch.full_like(batch.sigma_BT, sigma))
        rows["first chunk"].append(error(at_once, slice(0, 5), lambda x: x))
        rows["first chunk, means"].append(error(at_once, slice(0, 5), coarsely))
        for name, history in (("behind history", batch.latents_BCTHW), ("behind its own history", painted)):
            # Each chunk behind the first five latent frames is asked for behind all that lie before it.
            found, weights = [], []
            for start, stop in pairwise(starts):
                if stop <= 5:
                    continue
                given = torch.arange(9) < start
                latents = torch.where(given[:, None, None], history, batch.latents_BCTHW)
                _, behind = said(latents, torch.where(given, CONTEXT_SIGMA, sigma).expand_as(batch.sigma_BT))
                frames = slice(max(start, 5), stop)
                found.append(error(behind, frames, coarsely))
                weights.append(frames.stop - frames.start)
            rows[name].append(np.average(found, weights=weights))
    return {name: float(np.mean(values)) for name, values in rows.items()}


def of_autoencoder(runs: Path, seconds: float, weights: Path | None, seed: int = 0, **changes) -> dict[str, float]:
    """As `of_transformer`. weights: whose decoder is trained on."""
    settings = _AUTOENCODER | changes
    with mock.patch.object(autoencoders, "FOLD", settings["fold"]):
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        model = StreamingAutoencoder(settings["config"])
        if weights:
            model.load_state_dict(checkpoint.load(weights).build("autoencoder").state_dict())
            model.encoder.requires_grad_(False)
        rate = autoencoder_stage.LEARNING_RATE * (_AGAIN if weights else 1)
        optimizer = MuonAdamW(model.decoder if weights else model, rate, by_adam=("conv_in", "conv_out"))
        opponent = Opponent()
        shards, step, start = read_shards(runs / "data"), 0, time.process_time()
        while (part := (time.process_time() - start) / seconds) < 1:
            video_BCTHW = random_crops(shards, random, *((12, 1, 96) if random.random() < 0.12 else (3, 9, 96)))
            if settings["loss"] == "pixels":
                with mixed():
                    loss = (model.decode_raw(model.raw_latents(video_BCTHW)).float() - video_BCTHW).abs().mean()
            elif weights and settings["loss"] == "all":
                loss = decoder_loss(model, video_BCTHW, opponent, step)
            else:
                loss = reconstruction_loss(model, video_BCTHW)
            loss.backward()
            optimizer.step(warm_constant_cool(part, step, _WARM_STEPS, cool_from=0.5), max_norm=2.0)
            step += 1
        return {"steps": step} | reconstruction_figures(model.eval(), read_shards(runs / "data-val"))


_PARTS = {
    "transformer": (of_transformer, TRANSFORMER_FRESH, TRANSFORMER_TRAINED),
    "autoencoder": (of_autoencoder, AUTOENCODER_FRESH, AUTOENCODER_TRAINED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=_PARTS)
    parser.add_argument("names", nargs="*", help="Only these trials.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Where training data lies, and latents for the transformer.")
    parser.add_argument("--minutes", type=float, default=2.5, help="Processor time of each trial.")
    parser.add_argument("--weights", type=Path, default=EMBEDDED)
    given = parser.parse_args()
    trial, *tables = _PARTS[given.part]
    for table, weights in zip(tables, (None, given.weights), strict=True):
        head = None
        for name, changes in table.items():
            if given.names and name not in given.names:
                continue
            figures = trial(given.runs, 60 * given.minutes, weights, **changes)
            if head is None:
                head = ["", *figures]
                print("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|", flush=True)
            cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in figures.values()]
            print("| " + " | ".join([name, *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
