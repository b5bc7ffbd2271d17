"""SpacetimeTransformer: the velocity of noisy latents, given a prompt, a noise level per latent frame and what came before.

The block layout and the tensors' names are those of Wan (Wan Team 2025) as published in diffusers, so that published weights fit.
Ours on top: a timestep per latent frame, attention that is causal over chunks of latent frames, and a cache of keys and values
with which a video goes on without end in bounded memory.

Shapes: B batch, T latent frames, S = H W tokens a latent frame, N = T S tokens, D width, A heads, K a head's width, L text tokens.
"""

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROPE_BASE = 10000.0
_GELU_CUBIC = 0.044715  # Hendrycks and Gimpel 2016
_FUSED_GELU = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@dataclass(frozen=True)
class TransformerConfig:
    in_channels: int
    out_channels: int
    num_heads: int
    head_dim: int
    num_layers: int
    ffn_width: int
    text_width: int = 384  # MiniLM's; umT5's, for Wan, is 4096
    patch_size: tuple[int, int, int] = (1, 1, 1)
    freq_width: int = 256
    cross_attn_norm: bool = True
    eps: float = 1e-6

    @property
    def width(self) -> int:
        return self.num_heads * self.head_dim


def tiny() -> TransformerConfig:
    """For tests."""
    return TransformerConfig(in_channels=4, out_channels=4, num_heads=2, head_dim=16, num_layers=2, ffn_width=64)


def nano() -> TransformerConfig:
    """9.2 M parameters: what processors train in hours."""
    return TransformerConfig(in_channels=32, out_channels=32, num_heads=4, head_dim=64, num_layers=8, ffn_width=1024)


def small() -> TransformerConfig:
    """30 M parameters."""
    return TransformerConfig(in_channels=32, out_channels=32, num_heads=6, head_dim=64, num_layers=12, ffn_width=1536)


@dataclass(frozen=True)
class PreparedText:
    """A prompt's keys and values, (B, A, L, K) each, for every layer's cross-attention: the same at every step."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def part(self, rows: slice) -> "PreparedText":
        """Of these of the batch."""
        return PreparedText(*(tuple(layer[rows] for layer in layers) for layers in (self.keys, self.values)))


class KeyValueCache:
    """What the chunks already generated leave for the next one to attend to.

    The first chunk stays (the sink of Xiao et al. 2023: where the scene was set up), and the latest `window` others. Keys are kept
    without rotary positions and rotated by their place in the window, so no position occurs that training has not seen, however
    long the video and wherever its camera went. The rotated keys are kept with room behind them for the current chunk's, which changes at
    every step.
    """

    def __init__(self, num_layers: int, window: int):
        self.window = window
        self.chunks: list[range] = []  # the latent frames of each kept chunk, counted from the video's first
        self.layers: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(num_layers)]
        self.rooms: list[tuple[Tensor, Tensor] | None] = [None] * num_layers

    @property
    def frames(self) -> tuple[int, ...]:
        """The latent frames remembered."""
        return tuple(frame for chunk in self.chunks for frame in chunk)

    def part(self, rows: slice) -> "KeyValueCache":
        """What is remembered now of these of the batch; nothing is copied."""
        cache = KeyValueCache(len(self.layers), self.window)
        cache.chunks = list(self.chunks)
        cache.layers = [[(keys[rows], values[rows]) for keys, values in layer] for layer in self.layers]
        return cache

    def append(self, keys_and_values: list[tuple[Tensor, Tensor]], num_frames: int) -> None:
        """One more chunk: unrotated keys and values (B, A, N, K) per layer. Drops the oldest beyond the window but the first."""
        start = self.chunks[-1].stop if self.chunks else 0
        self.chunks.append(range(start, start + num_frames))
        drop = len(self.chunks) > 1 + self.window
        if drop:
            del self.chunks[1]
        for layer, pair in zip(self.layers, keys_and_values, strict=True):
            layer.append(pair)
            if drop:
                del layer[1]
        self.rooms = [None] * len(self.layers)

    def room(self, index: int, rotary_B1NJ2: Tensor, new_tokens: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, A, past + new, K) of layer `index`; the past is filled in, rotated."""
        past = sum(keys.shape[2] for keys, _ in self.layers[index])
        room = self.rooms[index]
        if room is None or room[0].shape[2] != past + new_tokens or room[0].requires_grad:  # in training each step needs its own
            batch, heads, _, head_dim = like.shape
            room = (like.new_empty(batch, heads, past + new_tokens, head_dim), like.new_empty(batch, heads, past + new_tokens, head_dim))
            if past:
                room[0][:, :, :past] = rotate(torch.cat([keys for keys, _ in self.layers[index]], dim=2), rotary_B1NJ2[:, :, :past])
                room[1][:, :, :past] = torch.cat([values for _, values in self.layers[index]], dim=2)
            self.rooms[index] = room
        return room


def rotate(x_BANK: Tensor, rotary_B1NJ2: Tensor) -> Tensor:
    """Rotary positions on neighbouring pairs of channels, J = K / 2; float32. Su et al. 2021.

    As complex numbers it is one product, three times as fast; training is compiled, where complex numbers are not.
    """
    pairs = x_BANK.unflatten(-1, (-1, 2))
    if not torch.is_grad_enabled():
        return torch.view_as_real(torch.view_as_complex(pairs.float()) * torch.view_as_complex(rotary_B1NJ2)).flatten(-2)
    (first, second), (cos, sin) = pairs.unbind(-1), rotary_B1NJ2.unbind(-1)
    return torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1).flatten(-2)


def rotary_table(head_dim: int, frame_positions: Tensor, places_BTHW2: Tensor) -> Tensor:
    """Cosines and sines (B, 1, N, K / 2, 2) float32: channels are shared out over time, rows and columns as in Wan.

    places_BTHW2: each token's row and column; B may be 1, for all. The 1 stands for the heads.
    """
    across = 2 * (head_dim // 6)
    rows_BTHW, columns_BTHW = places_BTHW2.unbind(-1)
    frames_BTHW = frame_positions[:, None, None].expand_as(rows_BTHW)
    angles = []
    for positions, channels in ((frames_BTHW, head_dim - 2 * across), (rows_BTHW, across), (columns_BTHW, across)):
        frequencies = ROPE_BASE ** (-torch.arange(0, channels, 2, dtype=torch.float64, device=positions.device) / channels)
        angles.append(positions.double()[..., None] * frequencies)
    angles_B1NJ = torch.cat(angles, dim=-1).flatten(1, 3)[:, None]
    return torch.stack([angles_B1NJ.cos(), angles_B1NJ.sin()], dim=-1).float()


def grid(frames: int, height: int, width: int, device=None) -> Tensor:
    """(1, T, H, W, 2): every token at its own row and column."""
    rows, columns = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([rows, columns], dim=-1).expand(1, frames, height, width, 2)


def attend(query_BANK: Tensor, key_BANK: Tensor, value_BANK: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(K)) v -> (B, N, A K). Plain products in training on a processor: their backward is 1.4 times faster there."""
    if torch.is_grad_enabled() and query_BANK.device.type == "cpu":
        scores = (query_BANK * query_BANK.shape[-1] ** -0.5) @ key_BANK.transpose(-1, -2)
        out = scores.softmax(dim=-1).to(value_BANK.dtype) @ value_BANK
    else:
        out = F.scaled_dot_product_attention(query_BANK, key_BANK, value_BANK)
    return out.transpose(1, 2).flatten(2)


def normed(norm: nn.RMSNorm, x: Tensor) -> Tensor:
    """The norm in the dtype of x; under autocast its float32 weight would keep torch from its fused kernel.

    On processors torch has none for inference; one reduction and two products take six tenths of its time.
    """
    if x.device.type == "cpu" and not torch.is_grad_enabled():
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = length.square_().mul_(1 / x.shape[-1]).add_(norm.eps).rsqrt_()
        return (x * scale.to(x.dtype)).mul_(norm.weight)
    return F.rms_norm(x, norm.normalized_shape, norm.weight.to(x.dtype), norm.eps)


class Attention(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        width = config.width
        self.num_heads = config.num_heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.norm_q = nn.RMSNorm(width, eps=config.eps)  # across heads
        self.norm_k = nn.RMSNorm(width, eps=config.eps)

    def heads(self, x_BND: Tensor) -> Tensor:
        return x_BND.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def queries(self, x_BND: Tensor) -> Tensor:
        return self.heads(normed(self.norm_q, self.to_q(x_BND)))

    def keys_and_values(self, x_BND: Tensor) -> tuple[Tensor, Tensor]:
        return self.heads(normed(self.norm_k, self.to_k(x_BND))), self.heads(self.to_v(x_BND))


class GeluProjection(nn.Module):
    def __init__(self, width: int, ffn_width: int):
        super().__init__()
        self.proj = nn.Linear(width, ffn_width)

    def forward(self, x: Tensor) -> Tensor:
        kind = x.dtype if x.device.type == "cpu" and not torch.is_grad_enabled() and x.dtype == self.proj.weight.dtype else None
        if _FUSED_GELU and kind == torch.bfloat16:
            # In one pass while the product is in cache: the two together take half the time.
            return torch.ops.mkldnn._linear_pointwise(x, self.proj.weight, self.proj.bias, "gelu", [], "tanh")
        h = self.proj(x)
        if kind == torch.float32:
            # torch's tanh is slow and its sigmoid is not: the same function, (1 + tanh(z)) / 2 = sigmoid(2 z), in half the time.
            return torch.addcmul(h, h, h.square().mul_(_GELU_CUBIC)).mul_(2 * math.sqrt(2 / math.pi)).sigmoid_().mul_(h)
        return F.gelu(h, approximate="tanh")


class FeedForward(nn.Module):
    def __init__(self, width: int, ffn_width: int):
        super().__init__()
        self.net = nn.ModuleList([GeluProjection(width, ffn_width), nn.Identity(), nn.Linear(ffn_width, width)])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class Block(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        width = config.width
        self.norm1 = nn.LayerNorm(width, config.eps, elementwise_affine=False)
        self.attn1 = Attention(config)
        self.norm2 = nn.LayerNorm(width, config.eps) if config.cross_attn_norm else nn.Identity()
        self.attn2 = Attention(config)
        self.norm3 = nn.LayerNorm(width, config.eps, elementwise_affine=False)
        self.ffn = FeedForward(width, config.ffn_width)
        self.scale_shift_table = nn.Parameter(torch.randn(1, 6, width) / width**0.5)

    def forward(self, x_BND, modulation_BT6D, rotary, text_keys, text_values, chunk_lengths, cache=None, index=0, keep=None, last=False):
        """x + attention + cross-attention + feed-forward. chunk_lengths are in tokens; None attends to everything.

        With a cache, the keys before this chunk come from it; `keep`, a list, receives this chunk's unrotated ones, which is all that is
        wanted of the last block then.
        """
        shift1, scale1, gate1, shift3, scale3, gate3 = (self.scale_shift_table + modulation_BT6D.float()).unbind(dim=-2)
        x_in = modulated(self.norm1, x_BND, scale1, shift1)
        key, value = self.attn1.keys_and_values(x_in)
        if keep is not None:
            keep.append((key, value))
            if last:
                return x_BND
        query = self.attn1.queries(x_in)
        tokens = x_BND.shape[1]
        here = slice(rotary.shape[2] - tokens, None)
        query = rotate(query, rotary[:, :, here]).to(value.dtype)
        key = rotate(key, rotary[:, :, here]).to(value.dtype)
        if cache is not None:
            all_keys, all_values = cache.room(index, rotary, tokens, key)
            all_keys[:, :, here], all_values[:, :, here] = key, value
            attended = attend(query, all_keys, all_values)
        elif chunk_lengths is None:
            attended = attend(query, key, value)
        else:
            stops = list(accumulate(chunk_lengths))
            attended = torch.cat(
                [
                    attend(query[:, :, stop - length : stop], key[:, :, :stop], value[:, :, :stop])
                    for stop, length in zip(stops, chunk_lengths, strict=True)
                ],
                dim=1,
            )
        x_BND = gated(x_BND, self.attn1.to_out[0](attended), gate1)
        query = self.attn2.queries(self.norm2(x_BND).to(value.dtype))
        x_BND = x_BND + self.attn2.to_out[0](attend(query.to(text_keys.dtype), text_keys, text_values))
        return gated(x_BND, self.ffn(modulated(self.norm3, x_BND, scale3, shift3)), gate3)


def modulated(norm: nn.LayerNorm, x_BND: Tensor, scale_BTD: Tensor, shift_BTD: Tensor) -> Tensor:
    """norm(x) (1 + scale) + shift, each latent frame's tokens by its own; where all share one, the norm's kernel does it."""
    if scale_BTD.shape[:2] == (1, 1):
        return F.layer_norm(x_BND, norm.normalized_shape, 1 + scale_BTD[0, 0], shift_BTD[0, 0], norm.eps)
    frames = norm(x_BND).unflatten(1, (scale_BTD.shape[1], -1))
    return (frames * (1 + scale_BTD[:, :, None]) + shift_BTD[:, :, None]).flatten(1, 2).to(x_BND.dtype)


def gated(x_BND: Tensor, branch_BND: Tensor, gate_BTD: Tensor) -> Tensor:
    """x + branch gate."""
    if gate_BTD.shape[:2] == (1, 1):
        return torch.addcmul(x_BND, branch_BND.to(x_BND.dtype), gate_BTD[0].to(x_BND.dtype))
    branch = branch_BND.unflatten(1, (gate_BTD.shape[1], -1)) * gate_BTD[:, :, None]
    return (x_BND + branch.flatten(1, 2)).to(x_BND.dtype)


class MLP(nn.Module):
    def __init__(self, width_in: int, width: int, activation):
        super().__init__()
        self.linear_1 = nn.Linear(width_in, width)
        self.linear_2 = nn.Linear(width, width)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(self.activation(self.linear_1(x)))


def _gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


class ConditionEmbedder(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.freq_width = config.freq_width
        self.time_embedder = MLP(config.freq_width, config.width, F.silu)
        self.time_proj = nn.Linear(config.width, 6 * config.width)
        self.text_embedder = MLP(config.text_width, config.width, _gelu)

    def time(self, timestep_BT: Tensor) -> tuple[Tensor, Tensor]:
        """-> embedding (B, T, D) for the head, modulations (B, T, 6, D) for the blocks."""
        half = self.freq_width // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=timestep_BT.device, dtype=torch.float32) / half)
        angles = timestep_BT.float()[..., None] * frequencies
        embedding = self.time_embedder(torch.cat([angles.cos(), angles.sin()], dim=-1).to(self.time_proj.weight.dtype))
        return embedding, self.time_proj(F.silu(embedding)).unflatten(-1, (6, -1))


class SpacetimeTransformer(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Conv3d(config.in_channels, config.width, config.patch_size, config.patch_size)
        self.condition_embedder = ConditionEmbedder(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm_out = nn.LayerNorm(config.width, config.eps, elementwise_affine=False)
        self.proj_out = nn.Linear(config.width, config.out_channels * math.prod(config.patch_size))
        self.scale_shift_table = nn.Parameter(torch.randn(1, 2, config.width) / config.width**0.5)
        self._rotary = {}
        _initialise(self)

    def forward(self, x_BCTHW, timestep, text, chunk_lengths=None, frame_positions=None, routed_TR=None, places=None) -> Tensor:
        """Velocity (B, C, T, H, W).

        timestep: (B,) or (B, T), sigma * 1000; a single one, (1,), is everybody's, and the fastest.
        text: states (B, L, text_width), or PreparedText.
        chunk_lengths: latent frames of each chunk; every chunk then attends to itself and to earlier ones only.
        frame_positions: T rotary positions in time, by default 0 .. T - 1.
        routed_TR: for training, the tokens of each latent frame that go through the middle blocks; the others skip them, which
        costs less and teaches the outer blocks more (TREAD, Krause et al. 2025).
        places: (B or 1, T, H, W, 2), the row and column at which each token stands for attention; by default its own. A camera's
        motion goes in here (lanterne.camera).
        """
        return self._run(x_BCTHW, timestep, text, chunk_lengths, frame_positions, routed_TR, places=places)

    def new_cache(self, window: int = 2) -> KeyValueCache:
        return KeyValueCache(self.config.num_layers, window)

    def forward_chunk(self, x_BCtHW, timestep_Bt, text, cache: KeyValueCache, places=None) -> Tensor:
        """Velocity of the chunk that follows what the cache holds. The cache stays as it is.

        places: of the remembered latent frames (cache.frames), then of the chunk's own.
        """
        return self._run(x_BCtHW, timestep_Bt, text, cache=cache, places=places)

    def remember(self, x_BCtHW, timestep_Bt, text, cache: KeyValueCache, places=None) -> None:
        """Add a finished chunk to the cache."""
        keep = []
        self._run(x_BCtHW, timestep_Bt, text, cache=cache, keep=keep, places=places)
        cache.append(keep, x_BCtHW.shape[2] // self.config.patch_size[0])

    def prepare_text(self, text_BLD: Tensor) -> PreparedText:
        """Project text states once for all steps and chunks."""
        states = self.condition_embedder.text_embedder(text_BLD.to(self.patch_embedding.weight.dtype))
        pairs = [block.attn2.keys_and_values(states) for block in self.blocks]
        return PreparedText(*(tuple(column) for column in zip(*pairs, strict=True)))

    def _run(
        self, x_BCTHW, timestep, text, chunk_lengths=None, frame_positions=None, routed_TR=None, cache=None, keep=None, places=None
    ):
        patch_t, patch_h, patch_w = self.config.patch_size
        frames, height, width = x_BCTHW.shape[2:]
        frames, height, width = frames // patch_t, height // patch_h, width // patch_w
        past = len(cache.frames) if cache is not None else 0
        positions = tuple(range(past + frames)) if frame_positions is None else tuple(frame_positions)
        if isinstance(text, Tensor):
            text = self.prepare_text(text)
        timestep_BT = timestep if timestep.ndim == 2 else timestep[:, None]
        embedding, modulation = self.condition_embedder.time(timestep_BT)
        x = self.patch_embedding(x_BCTHW.to(self.patch_embedding.weight.dtype)).flatten(2).transpose(1, 2).contiguous()
        x = x.float() if torch.is_autocast_enabled(x.device.type) else x
        rotary = self._rotary_for(positions, height, width, x.device, places)

        def run(blocks, x, rotary, tokens_per_frame):
            in_tokens = None if chunk_lengths is None else tuple(length * tokens_per_frame for length in chunk_lengths)
            for index in blocks:
                keys, values = text.keys[index], text.values[index]
                x = self.blocks[index](x, modulation, rotary, keys, values, in_tokens, cache, index, keep, index == len(self.blocks) - 1)
            return x

        first, last = 1, self.config.num_layers - 2  # the blocks that routing leaves out are first .. last - 1
        if routed_TR is None:
            x = run(range(self.config.num_layers), x, rotary, height * width)
        else:
            x = run(range(first), x, rotary, height * width)
            offsets = height * width * torch.arange(frames, device=x.device)[:, None]
            tokens = (routed_TR + offsets).flatten()
            routed = run(range(first, last), x[:, tokens], rotary[:, :, tokens], routed_TR.shape[1])
            x = run(range(last, self.config.num_layers), x.index_copy(1, tokens, routed), rotary, height * width)
        shift, scale = (self.scale_shift_table + embedding[:, :, None]).unbind(dim=2)
        x = self.proj_out(modulated(self.norm_out, x, scale, shift))
        x = x.unflatten(-1, (patch_t, patch_h, patch_w, -1)).unflatten(1, (frames, height, width))
        return x.permute(0, 7, 1, 4, 2, 5, 3, 6).flatten(6, 7).flatten(4, 5).flatten(2, 3)

    def _rotary_for(self, positions, height, width, device, places):
        if places is not None:
            return rotary_table(self.config.head_dim, torch.tensor(positions, device=device), places.to(device))
        key = (positions, height, width, device)
        if key not in self._rotary:
            if len(self._rotary) > 32:
                self._rotary.clear()
            own = grid(len(positions), height, width, device)
            self._rotary[key] = rotary_table(self.config.head_dim, torch.tensor(positions, device=device), own)
        return self._rotary[key]


@torch.no_grad()
def _initialise(model: SpacetimeTransformer) -> None:
    """Xavier for matrices; small modulations and output, so that training starts near the identity (Peebles and Xie 2023)."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.xavier_uniform_(model.patch_embedding.weight.flatten(1))
    nn.init.zeros_(model.patch_embedding.bias)
    for block in model.blocks:
        block.attn1.to_out[0].weight.mul_(0.5)
        block.attn2.to_out[0].weight.mul_(0.5)
    nn.init.normal_(model.condition_embedder.time_proj.weight, std=0.02)
    nn.init.normal_(model.proj_out.weight, std=0.02)
