"""StreamingAutoencoder: frames <-> latents, causal in time, one latent frame at a time.

The pattern is that of TAEHV (Bohan, 2025): two-dimensional convolutions on single frames, and blocks that also see
the previous frame's features at the same depth. Such a block's whole memory is one frame of features, so streaming
is exact and its memory is bounded by construction.

Space shrinks 16 times: 4 by folding pixels into channels (no convolution ever runs at full resolution), then 2 and 2
by strided convolutions. Time shrinks 4 times, 2 and 2, by folding neighbouring frames into channels. The first frame
is repeated 4 times to fill its group when encoding; when decoding, only the last frame of the first group is kept.
So F = 1 + 4 (T - 1) frames become T latent frames.

Inside, frames are stacked time-major, `(T B) C H W`: "the previous frame" is then a shift by B rows, which keeps the
tensors in channels_last order, the order in which bfloat16 convolutions are fast. There are no normalisation layers:
on a processor they cost more than the convolutions they would steady.
"""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

SPATIAL_FACTOR = 16
TEMPORAL_FACTOR = 4
FOLD = 4  # pixels folded into channels, per side


@dataclass(frozen=True)
class AutoencoderConfig:
    """Widths and numbers of blocks run from fine to coarse: at 1/4, 1/8 and 1/16 of the frame's size."""

    latent_channels: int
    encoder_widths: tuple[int, int, int]
    encoder_blocks: tuple[int, int, int]
    decoder_widths: tuple[int, int, int]
    decoder_blocks: tuple[int, int, int]


def autoencoder_tiny() -> AutoencoderConfig:
    """For tests."""
    return AutoencoderConfig(
        latent_channels=4,
        encoder_widths=(8, 8, 16),
        encoder_blocks=(1, 1, 1),
        decoder_widths=(8, 8, 16),
        decoder_blocks=(1, 2, 1),
    )


def autoencoder_small() -> AutoencoderConfig:
    """3.2 M parameters to encode, 4.9 M to decode."""
    return AutoencoderConfig(
        latent_channels=32,
        encoder_widths=(64, 128, 256),
        encoder_blocks=(1, 1, 1),
        decoder_widths=(64, 128, 256),
        decoder_blocks=(2, 2, 2),
    )


class MemoryBlock(nn.Module):
    """Residual block over a frame and the frame before it."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, past: Tensor | None, batch: int) -> tuple[Tensor, Tensor]:
        """x: (T B) C H W; past: B C H W, the frame before the first (None: zeros).

        Returns the output and the last frame of the input.
        """
        if past is None:
            past = torch.zeros_like(x[:batch])
        active, previous = F.relu(x), F.relu(past.to(x.dtype))
        if len(x) > batch:  # joined to nothing it would lose its channels-last order, half of a convolution's time to restore
            previous = torch.cat([previous, active[:-batch]])
        h = F.relu_(self.conv1(torch.cat([active, previous], dim=1)))
        # The kept frame is a copy: a view would keep every frame of x in memory.
        return self.conv2(h) + x, x[-batch:].clone()


class Shrink(nn.Module):
    """Halve time and space: two frames' channels side by side, then a strided convolution."""

    def __init__(self, width_in: int, width_out: int):
        super().__init__()
        self.conv = nn.Conv2d(2 * width_in, width_out, 3, stride=2, padding=1)

    def forward(self, x: Tensor, batch: int) -> Tensor:
        """(T 2 B) C H W -> (T B) C' H/2 W/2."""
        x = rearrange(_channels_last_view(x), "(T two B) H W C -> (T B) H W (two C)", two=2, B=batch)
        return self.conv(_channels_first_view(x))


class Widen(nn.Module):
    """Double the size in space."""

    def __init__(self, width_in: int, width_out: int):
        super().__init__()
        self.conv = nn.Conv2d(width_in, 4 * width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """F C H W -> F C' 2H 2W."""
        x = rearrange(_channels_last_view(self.conv(x)), "F H W (h w C) -> F (H h) (W w) C", h=2, w=2)
        return _channels_first_view(x)


class Grow(nn.Module):
    """Double the number of frames."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, 2 * width, 1)

    def forward(self, x: Tensor, batch: int) -> Tensor:
        """(T B) C H W -> (T 2 B) C H W."""
        x = rearrange(_channels_last_view(self.conv(x)), "(T B) H W (two C) -> (T two B) H W C", two=2, B=batch)
        return _channels_first_view(x)


class Encoder(nn.Module):
    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        fine, middle, coarse = config.encoder_widths
        self.conv_in = nn.Conv2d(3 * FOLD**2, fine, 3, padding=1)
        self.fine = _blocks(fine, config.encoder_blocks[0])
        self.shrink1 = Shrink(fine, middle)
        self.middle = _blocks(middle, config.encoder_blocks[1])
        self.shrink2 = Shrink(middle, coarse)
        self.coarse = _blocks(coarse, config.encoder_blocks[2])
        self.conv_out = nn.Conv2d(coarse, config.latent_channels, 3, padding=1)

    def forward(self, video_BCTHW: Tensor, memory: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """B 3 4T 16H 16W -> raw latents B C T H W, and the memory for the frames that follow."""
        batch = video_BCTHW.shape[0]
        past, kept = _reader(memory), []
        x = rearrange(video_BCTHW, "B C T (H h) (W w) -> (T B) H W (h w C)", h=FOLD, w=FOLD)
        x = self.conv_in(_channels_first_view(x))
        x = _run(self.fine, x, past, kept, batch)
        x = self.shrink1(x, batch)
        x = _run(self.middle, x, past, kept, batch)
        x = self.shrink2(x, batch)
        x = _run(self.coarse, x, past, kept, batch)
        return rearrange(self.conv_out(x), "(T B) C H W -> B C T H W", B=batch), kept


class Decoder(nn.Module):
    """From coarse to fine. Time is doubled after the first block of the middle and of the fine level, not before it:
    what two frames share is then computed once."""

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        fine, middle, coarse = config.decoder_widths
        self.conv_in = nn.Conv2d(config.latent_channels, coarse, 3, padding=1)
        self.coarse = _blocks(coarse, config.decoder_blocks[2])
        self.widen2 = Widen(coarse, middle)
        self.middle = _blocks(middle, config.decoder_blocks[1])
        self.grow2 = Grow(middle)
        self.widen1 = Widen(middle, fine)
        self.fine = _blocks(fine, config.decoder_blocks[0])
        self.grow1 = Grow(fine)
        self.conv_out = nn.Conv2d(fine, 3 * FOLD**2, 3, padding=1)

    def forward(self, latents_BCTHW: Tensor, memory: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Raw latents B C T H W -> B 3 4T 16H 16W, and the memory for the frames that follow."""
        batch = latents_BCTHW.shape[0]
        past, kept = _reader(memory), []
        x = rearrange(latents_BCTHW, "B C T H W -> (T B) H W C")
        x = self.conv_in(_channels_first_view(x))
        x = _run(self.coarse, x, past, kept, batch)
        x = self.widen2(x)
        x = _run(self.middle[:1], x, past, kept, batch)
        x = self.grow2(x, batch)
        x = _run(self.middle[1:], x, past, kept, batch)
        x = self.widen1(x)
        x = _run(self.fine[:1], x, past, kept, batch)
        x = self.grow1(x, batch)
        x = _run(self.fine[1:], x, past, kept, batch)
        x = _channels_last_view(self.conv_out(x))
        video = rearrange(x, "(T B) H W (h w C) -> B C T (H h) (W w)", B=batch, h=FOLD, w=FOLD)
        return video, kept


class StreamingAutoencoder(nn.Module):
    """Frames in [-1, 1] <-> latents of unit variance over all channels together.

    The raw latents are what the networks exchange; `latent_mean` (of each channel) and `latent_std` (one for all) normalise
    them for the transformer. A few channels carry layout and light and are several times larger than the many that carry
    texture; keeping that proportion lets the transformer settle the picture at high noise and makes its errors there
    count. Train on `raw_latents` and `decode_raw`; `encode` and `decode` are the road's.
    """

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(()))
        _initialise(self)
        self.to(memory_format=torch.channels_last)

    def raw_latents(self, video_BCTHW: Tensor) -> Tensor:
        """B 3 F 16H 16W with F = 1 + 4 (T - 1) -> unnormalised latents B C T H W."""
        num_frames, height, width = video_BCTHW.shape[2:]
        if num_frames % TEMPORAL_FACTOR != 1:
            raise ValueError(
                f"{num_frames} frames do not fill the groups of latent frames; "
                f"give 1 + 4 n frames, such as {num_frames // TEMPORAL_FACTOR * TEMPORAL_FACTOR + 1}."
            )
        if height % SPATIAL_FACTOR or width % SPATIAL_FACTOR:
            raise ValueError(
                f"Frames of {width}x{height} do not divide into latents; give multiples of {SPATIAL_FACTOR}."
            )
        return self.encoder(torch.cat([_fill_group(video_BCTHW[:, :, :1]), video_BCTHW[:, :, 1:]], dim=2), None)[0]

    def decode_raw(self, latents_BCTHW: Tensor) -> Tensor:
        """Unnormalised latents B C T H W -> B 3 1+4(T-1) 16H 16W, not clamped, so that gradients reach every pixel."""
        video_BCTHW, _ = self.decoder(latents_BCTHW, None)
        return video_BCTHW[:, :, TEMPORAL_FACTOR - 1 :]

    def encode(self, video_BCTHW: Tensor) -> Tensor:
        """B 3 1+4(T-1) 16H 16W in [-1, 1] -> normalised latents B C T H W."""
        return self._normalise(self.raw_latents(video_BCTHW))

    def decode(self, latents_BCTHW: Tensor) -> Tensor:
        """Normalised latents B C T H W -> B 3 1+4(T-1) 16H 16W, clamped to [-1, 1]."""
        return self.decode_raw(self._denormalise(latents_BCTHW)).clamp(-1, 1)

    def encode_step(self, group_BCtHW: Tensor, memory: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """One latent frame from 1 frame (memory None: the start) or the next 4.

        Returns the normalised latent B C H W and the memory to pass with the next group.
        """
        expected = 1 if memory is None else TEMPORAL_FACTOR
        if group_BCtHW.shape[2] != expected:
            raise ValueError(
                f"This step takes {expected} frame(s), not {group_BCtHW.shape[2]}; give 1 at the start, 4 later."
            )
        if memory is None:
            group_BCtHW = _fill_group(group_BCtHW)
        latents_BCTHW, memory = self.encoder(group_BCtHW, memory)
        return self._normalise(latents_BCTHW)[:, :, 0], memory

    def decode_step(self, latent_BCHW: Tensor, memory: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """One normalised latent frame -> 1 frame (memory None: the start) or 4, B 3 t 16H 16W, clamped to [-1, 1]."""
        first = memory is None
        video_BCTHW, memory = self.decoder(self._denormalise(latent_BCHW[:, :, None]), memory)
        if first:
            video_BCTHW = video_BCTHW[:, :, TEMPORAL_FACTOR - 1 :]
        return video_BCTHW.clamp(-1, 1), memory

    def set_normalisation(self, raw_latents_BCTHW: Tensor) -> None:
        """Measure `latent_mean` and `latent_std` on a sample of raw latents (thousands of positions or more)."""
        per_channel = rearrange(raw_latents_BCTHW.float(), "B C T H W -> C (B T H W)")
        self.latent_mean.copy_(per_channel.mean(dim=1))
        self.latent_std.copy_(per_channel.var(dim=1).mean().sqrt().clamp_min(1e-4))

    def _normalise(self, raw: Tensor) -> Tensor:
        return (raw - _per_channel(self.latent_mean)) / self.latent_std

    def _denormalise(self, latents: Tensor) -> Tensor:
        return latents * self.latent_std + _per_channel(self.latent_mean)


def _blocks(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(MemoryBlock(width) for _ in range(count))


def _reader(memory: list[Tensor] | None):
    """Hands out the blocks' memories in order; None for each at the start."""
    frames = None if memory is None else iter(memory)
    return lambda: None if frames is None else next(frames)


def _run(blocks, x: Tensor, past, kept: list[Tensor], batch: int) -> Tensor:
    for block in blocks:
        x, last = block(x, past(), batch)
        kept.append(last)
    return x


def _fill_group(frame_BC1HW: Tensor) -> Tensor:
    return repeat(frame_BC1HW, "B C 1 H W -> B C t H W", t=TEMPORAL_FACTOR)


def _per_channel(values_C: Tensor) -> Tensor:
    return rearrange(values_C, "C -> C 1 1 1")


def _channels_last_view(x_FCHW: Tensor) -> Tensor:
    return rearrange(x_FCHW, "F C H W -> F H W C")


def _channels_first_view(x_FHWC: Tensor) -> Tensor:
    """The convolutions' axis order over channels-last memory; the copy is made here, once, where there must be one."""
    return rearrange(x_FHWC.contiguous(), "F H W C -> F C H W")


@torch.no_grad()
def _initialise(model: StreamingAutoencoder) -> None:
    """He et al. 2015 for every convolution; on top of it, what changes the size starts as an average or a repetition.

    That gives the colours a straight linear path from the frames to the latents and back, the idea of DC-AE's
    shortcuts (Chen et al. 2024) at no cost when running; without it the first hundreds of steps learn nothing.
    Residual branches start small, not at zero: a streaming test would pass on an empty branch.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, MemoryBlock):
            module.conv2.weight.mul_(0.3)
        elif isinstance(module, Shrink):
            module.conv.weight.mul_(0.1)
            width_out, folded = module.conv.weight.shape[:2]
            for channel in range(folded):  # 2 frames x 2 x 2 pixels fall on taps 1 and 2 of each side
                module.conv.weight[channel % width_out, channel, 1:, 1:] += (width_out / folded) / 4
        elif isinstance(module, Widen | Grow):
            module.conv.weight.mul_(0.1)
            copies = 4 if isinstance(module, Widen) else 2
            width_out, width_in = module.conv.weight.shape[0] // copies, module.conv.weight.shape[1]
            for channel in range(module.conv.weight.shape[0]):
                module.conv.weight[channel, channel % width_out % width_in] += 1
    model.encoder.conv_out.weight.mul_(0.5)
    model.decoder.conv_out.weight.mul_(0.15)
