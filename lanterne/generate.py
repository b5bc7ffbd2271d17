"""The road: a request becomes frames, chunk by chunk, in memory that does not grow with the length.

For every chunk of latent frames: noise, steps of the sampler against the cache of what came before, then one decoder step per
latent frame; finished frames are handed on and let go. A finished chunk's latents are written down, so that a run that was
interrupted goes on from there and gives the same frames to the bit.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lanterne import FPS, __version__, anchor
from lanterne.camera import CameraMotion, over, places
from lanterne.errors import Cancelled, writing
from lanterne.flow import CHUNK, FIRST_CHUNK, frame_of, frames_for, latent_frames_for, noise, sigmas_for
from lanterne.guidance import CONTEXT_SIGMA, FALL, HIGH, LATER_CONTEXT_SIGMAS, LATER_GUIDANCE, GuidedNetwork
from lanterne.models import checkpoint
from lanterne.models.autoencoder import SPATIAL_FACTOR, StreamingAutoencoder
from lanterne.models.prompt_classifier import PromptClassifier, load_classifier
from lanterne.models.text_encoder import TextEncoder
from lanterne.models.transformer import KeyValueCache, SpacetimeTransformer
from lanterne.models.upscaler import Upscaler
from lanterne.paths import EMBEDDED, file_hash
from lanterne.precision import best_dtype
from lanterne.request import Request
from lanterne.samplers import adams_bashforth

SHIFT = 3.0
JOIN, JOIN_CELLS = 0.5, 2  # share of a chunk's jump in layout and light that each step takes out; latents across a cell of means
# What a request's frames depend on and it does not say.
SAMPLING = (
    adams_bashforth.__name__, SHIFT, HIGH, FALL, LATER_GUIDANCE, CONTEXT_SIGMA, *LATER_CONTEXT_SIGMAS, JOIN, JOIN_CELLS, anchor.REACH,
    anchor.MEAN,
)
CONTEXT_STREAM = 1 << 32  # latent frames beyond any video's: this noise is never a start's


@dataclass(frozen=True)
class Conditions:
    """What is given besides the words, all at the request's native size. At most one of the three.

    image_HWC: uint8, becomes the first frame. history_TCHW: normalised latents to go on from; history_frames: how many frames the
    old video had, which come out again first. source_TCHW: normalised latents of a video to edit, as many as the result has.
    """

    image_HWC: np.ndarray | None = None
    history_TCHW: Tensor | None = None
    history_frames: int = 0
    source_TCHW: Tensor | None = None


@dataclass(frozen=True)
class Progress:
    """Where a run is. chunk and step count from 0 and are done; x0 of a step is the video it points to, not yet finished."""

    chunk: int
    num_chunks: int
    step: int
    num_steps: int


@dataclass
class Engine:
    """The models in memory, ready to run. upscaler: where the weights have one."""

    transformer: SpacetimeTransformer
    autoencoder: StreamingAutoencoder
    text_encoder: TextEncoder
    classifier: PromptClassifier
    weights: str  # the weights file's SHA-256
    metadata: dict = field(default_factory=dict)
    upscaler: Upscaler | None = None

    @classmethod
    def load(cls, path: Path | None = None, dtype: torch.dtype | None = None) -> "Engine":
        """Load the embedded model, or a weights file.

        dtype: by default bfloat16 where the processor multiplies it faster, float32 elsewhere. Raises CheckpointError.
        """
        path = Path(path) if path else EMBEDDED
        with ThreadPoolExecutor(1) as beside:
            text_encoder = beside.submit(TextEncoder.load)  # as much to read and to check as all the rest
            loaded = checkpoint.load(path)
            dtype = dtype or best_dtype()
            upscaler = loaded.build("upscaler").to(dtype).to(memory_format=torch.channels_last) if "upscaler" in loaded.configs else None
            return cls(
                loaded.build("transformer").to(dtype),
                loaded.build("autoencoder").to(dtype).to(memory_format=torch.channels_last),
                text_encoder.result(),
                load_classifier(),
                file_hash(path),
                loaded.metadata,
                upscaler,
            )

    def guess(self, prompt: str) -> dict[str, tuple[str, float]]:
        """The likeliest value of each axis of the world in a prompt, and its probability: for `lanterne.world.prompts`."""
        return self.classifier.guess(prompt, self.text_encoder)

    @property
    def dtype(self) -> torch.dtype:
        return self.transformer.proj_out.weight.dtype

    @torch.inference_mode()
    def encode_video(self, frames: Iterator[np.ndarray]) -> tuple[Tensor, int]:
        """Normalised latents (T, C, H, W) float32 of frames (H, W, 3) uint8, and how many frames there were.

        The last frame is repeated to fill its group.
        """
        latents, memory, group, count = [], None, [], 0
        for frame in frames:
            group.append(frame)
            count += 1
            if len(group) == (1 if memory is None else 4):
                latent, memory = self.autoencoder.encode_step(_to_video(group).to(self.dtype), memory)
                latents.append(latent[0].float())
                group = []
        if group:
            group += group[-1:] * (4 - len(group))
            latents.append(self.autoencoder.encode_step(_to_video(group).to(self.dtype), memory)[0][0].float())
        return torch.stack(latents), count

    def network(self, said: list[str], guidance: float, negative_prompt: str = "") -> GuidedNetwork:
        """What leads from noise to the videos of these texts, in the words that the transformer was taught."""
        without_BLD = self.text_encoder.encode([negative_prompt] * len(said))
        return GuidedNetwork(self.transformer, self.text_encoder.encode(said), without_BLD, guidance)


def spans_of(history: int, total: int) -> list[tuple[int, int]]:
    """Chunks (start, stop) of latent frames: 5, then 4 each, cut where the history ends, so that what is given stays given."""
    stops = [*range(FIRST_CHUNK, history, CHUNK), *([history] if history else [])]
    start = stops[-1] if stops else 0
    stops += [*range(start + (CHUNK if start else FIRST_CHUNK), total, CHUNK), *([total] if total > start else [])]
    return list(zip([0, *stops[:-1]], stops, strict=True))


def run_name(engine: Engine, request: Request, conditions: Conditions) -> str:
    """A name for everything that a request's frames depend on: chunks of the same name go together."""
    given = hashlib.sha256()
    for value in (conditions.image_HWC, conditions.history_TCHW, conditions.source_TCHW):
        given.update(b"-" if value is None else np.ascontiguousarray(value).tobytes())
    text = json.dumps([asdict(request), SAMPLING, engine.weights, str(engine.dtype), given.hexdigest(), __version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Run:
    """A request on its way: the folder with its finished chunks."""

    def __init__(self, folder: Path, engine: Engine, request: Request, conditions: Conditions):
        self.name = run_name(engine, request, conditions)
        self.folder = folder / self.name

    def chunk(self, index: int) -> Tensor | None:
        """A finished chunk's latents (C, t, H, W) float32, or None. A damaged file counts as none: the chunk is made again."""
        try:
            return torch.from_numpy(np.load(self.folder / f"chunk-{index:04d}.npy"))
        except (OSError, ValueError, EOFError):
            return None

    def keep(self, index: int, latents_CtHW: Tensor) -> None:
        path, temporary = self.folder / f"chunk-{index:04d}.npy", self.folder / "chunk.partial"
        with writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            np.save(content, latents_CtHW.numpy())
            temporary.write_bytes(content.getbuffer())  # numpy's own writing does not tell why it failed
            temporary.replace(path)

    @property
    def finished(self) -> int:
        """How many chunks are done, counted from the first."""
        return next(index for index in range(1 << 20) if not (self.folder / f"chunk-{index:04d}.npy").exists())

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@torch.inference_mode()
def generate(
    engine: Engine,
    request: Request,
    conditions: Conditions = Conditions(),
    run: Run | None = None,
    read: Callable[[str], tuple[str, CameraMotion]] = lambda prompt: (prompt, CameraMotion()),
    on_step: Callable[[Progress], None] | None = None,
    on_chunk: Callable[[int, int], None] | None = None,
    on_preview: Callable[[np.ndarray], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[np.ndarray]:
    """Yield finished frames (t, H, W, 3) uint8 at the native size, a few at a time; the history's and request.num_frames more.

    run: where finished chunks are kept, with Run's `chunk` and `keep`; those it already has are not made again. read: what the network is
    told for a prompt, the words of its training and how the camera moves.
    on_step(progress) after each step, on_chunk(done, of) after each chunk, on_preview(frames) after each step with a rough picture
    of the chunk's last latent frame. Raises Cancelled at the next step once should_stop() is true; finished chunks stay with the run.
    """
    history = conditions.history_TCHW
    past = 0 if history is None else len(history)
    num_frames = conditions.history_frames + request.num_frames
    if conditions.source_TCHW is not None:
        num_frames = min(request.num_frames, frames_for(len(conditions.source_TCHW)))
    spans = spans_of(past, latent_frames_for(num_frames))
    said, motion = read(request.prompt)
    network = engine.network([said], request.guidance, request.negative_prompt)
    motion = over(motion, request.num_frames / FPS)
    sampler, memory, sent = _ChunkSampler(engine, request, conditions, network, motion), None, 0
    for index, (start, stop) in enumerate(spans):
        if should_stop():
            raise Cancelled("Cancelled.")
        latents = run.chunk(index) if run else None
        if latents is None and start < past:
            latents = history[start:stop].transpose(0, 1).contiguous()
            if run:
                run.keep(index, latents)
        elif latents is None:

            def step_done(step, x0_CtHW, index=index, memory=memory):
                if on_step:
                    on_step(Progress(index, len(spans), step, sampler.num_steps))
                if on_preview:
                    on_preview(_decode(engine, x0_CtHW[:, -1], memory)[0])
                if should_stop():
                    raise Cancelled("Cancelled.")

            latents = sampler(start, stop, step_done)
            if run:
                run.keep(index, latents)
        if stop < spans[-1][1]:
            sampler.remember(start, latents)
        for position in range(stop - start):
            frames, memory = _decode(engine, latents[:, position], memory)
            frames = frames[: num_frames - sent]
            sent += len(frames)
            yield frames
        if on_chunk:
            on_chunk(index + 1, len(spans))


def places_of(motion: CameraMotion, cache: KeyValueCache, start: int, stop: int, height: int, width: int) -> Tensor:
    """(1, T, H, W, 2): where the tokens of what is remembered and of latent frames start .. stop - 1 stand, seen from `start`."""
    seconds_T = (frame_of([*cache.frames, *range(start, stop)]) - frame_of([start])) / FPS
    return torch.from_numpy(places(motion, seconds_T, height, width))[None]


def joined(v_CTHW: Tensor, x_CTHW: Tensor, sigma: float, last_CHW: Tensor) -> Tensor:
    """The velocity towards a chunk that begins nearer to `last_CHW`, the latent frame before it. (..., C, T, H, W).

    Of the jump that the estimate of the chunk begins with, JOIN is taken out of its first frame and half as much of each next. Only
    layout and light are joined, means of about JOIN_CELLS x JOIN_CELLS latents and smoothly between them: detail is the network's.
    """
    jump = x_CTHW[..., 0, :, :] - sigma * v_CTHW[..., 0, :, :] - last_CHW
    height, width = jump.shape[-2:]
    cells = F.adaptive_avg_pool2d(jump.reshape(1, -1, height, width), (max(1, height // JOIN_CELLS), max(1, width // JOIN_CELLS)))
    jump = F.interpolate(cells, (height, width), mode="bilinear", align_corners=False).reshape(jump.shape)
    fading = 0.5 ** torch.arange(v_CTHW.shape[-3], dtype=torch.float32, device=v_CTHW.device)
    return v_CTHW + JOIN / sigma * jump.unsqueeze(-3) * fading[:, None, None]


class _ChunkSampler:
    """Samples one chunk after the other for one request."""

    def __init__(
        self, engine: Engine, request: Request, conditions: Conditions, network: GuidedNetwork, motion: CameraMotion
    ):
        self.network, self.motion = network, motion
        self.request, self.source = request, conditions.source_TCHW
        width, height = request.native_size
        self.shape = (engine.autoencoder.config.latent_channels, height // SPATIAL_FACTOR, width // SPATIAL_FACTOR)
        sigmas = sigmas_for(request.steps, SHIFT)
        if self.source is not None:  # enter the path from noise to data where `strength` says
            sigmas = (request.strength, *(sigma for sigma in sigmas if sigma < request.strength))
        self.sigmas, self.num_steps = sigmas, len(sigmas) - 1
        self.first, self.last = None, None  # a given first latent frame; the last one of the chunk before
        self.anchor = anchor.Anchor()
        if conditions.image_HWC is not None:
            self.first = engine.autoencoder.encode_step(_to_video([conditions.image_HWC]).to(engine.dtype))[0][0].float()

    def __call__(self, start: int, stop: int, step_done) -> Tensor:
        """Latents (C, t, H, W) float32 of latent frames start .. stop - 1."""
        x = self._noise(start, stop)
        if self.source is not None:
            strength = self.sigmas[0]
            x = strength * x + (1 - strength) * self.source[start:stop].transpose(0, 1)
        given = start == 0 and self.first is not None
        if given and stop == 1:
            return self.first[:, None]
        moving = torch.ones(1)  # one for all latent frames, or one each
        if given:
            x[:, 0] = self.first
            moving = torch.ones(stop - start)
            moving[0] = 0.0
        latest, standing = {}, places_of(self.motion, self.network.cache, start, stop, *self.shape[1:])

        def velocity(x_CtHW, sigma):
            v = self.network.velocity(x_CtHW[None], (moving * sigma)[None], start, standing)[0]
            if self.last is not None:
                v = joined(v, x_CtHW, sigma, self.last)
            v = v * moving[:, None, None]  # what is given does not move
            latest["x0"] = x_CtHW - sigma * v
            return v

        made = adams_bashforth(velocity, x, self.sigmas, lambda step, _: step_done(step, latest["x0"]))
        return made if self.source is not None else self.anchor.hold(made)  # an edit's light and texture are its source's

    def remember(self, start: int, latents_CtHW: Tensor) -> None:
        """A finished chunk, for those to come."""
        self.last, stop = latents_CtHW[:, -1], start + latents_CtHW.shape[1]
        self.anchor.see(latents_CtHW)
        standing = places_of(self.motion, self.network.cache, start, stop, *self.shape[1:])
        self.network.remember(latents_CtHW[None], self._noise(start, stop, CONTEXT_STREAM)[None], standing)

    def _noise(self, start: int, stop: int, stream: int = 0) -> Tensor:
        frames = [noise(self.request.seed, stream + frame, self.shape) for frame in range(start, stop)]
        return torch.from_numpy(np.stack(frames, axis=1))


def _decode(engine: Engine, latent_CHW: Tensor, memory) -> tuple[np.ndarray, list[Tensor]]:
    video, memory = engine.autoencoder.decode_step(latent_CHW[None].to(engine.dtype), memory)
    return ((video[0].float() + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy(), memory


def _to_video(frames: list[np.ndarray]) -> Tensor:
    """uint8 (H, W, 3) each -> 1 3 T H W float32 in [-1, 1]."""
    return torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)[None].float().div(127.5).sub(1)
