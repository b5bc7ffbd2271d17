"""Thirty minutes of a rented GPU become weights: `lanterne train accelerator`.

The machine is bare, has no network, and takes commands of a few minutes each. So `pack` puts into one small folder what it lacks, and
each `stage` is one command that does as much as fits into its minutes and leaves whole weights. Around the transformer's stage, which
is that of `lanterne train transformer`, go on at the same time: processors that render fresh clips, which outlive the stage, the
encoding of them, and the decoder's stage. A stage that finds a machine as the last one left it goes on there; on a bare one it goes on
from weights.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lanterne.errors import LanterneError
from lanterne.paths import EMBEDDED

PACK_LIMIT = 64 * 2**20  # bytes that travel to such a machine, the repository's files included
PIECE = 15 * 2**20  # bytes of a file that comes back
_GPU_SHARDS = 4000  # above the processors' shards by this many are the GPU's to render
_PATIENCE = 300  # seconds that a stage waits for the first clips
_RESERVE = 40  # seconds of a stage for its end: the last look, the decoder, writing
_GPU_RENDERS = 0.3  # of a stage: until then the GPU renders, too; it fills the minutes in which there are few clips to train on
_ALIKE = 2.0  # of 255: mean difference up to which the GPU's picture is the processor's; sines and fused products differ
_TABLES = ("captions", "french", "scene", "solids", "words")  # modules of the world that captions are worded from


@dataclass(frozen=True)
class Recipe:
    """What a stage runs with. shards: how many the processors render at most; enough: clips' shards with which training begins."""

    device: str
    shards: int
    workers: int
    enough: int
    compiled: bool = True
    batch_frames: int | None = None  # by default what suits the device
    plan: str = "plan_of"  # of lanterne.train.data: what a shard holds
    every: float = 30  # seconds between two looks at the held-out clips: new shards are read then
    hurry: bool = True  # starting and ending count as the stage's time, and what is late is left behind


def rented_gpu() -> Recipe:
    """Four cores are for the trainer, the decoder's, encoding, and the GPU's renders."""
    workers = max(1, (os.cpu_count() or 1) - 4)
    return Recipe("cuda", shards=1200, workers=workers, enough=min(8, workers), plan="plan_of_minutes")


def dry_run() -> Recipe:
    """The same on a processor, with as little of everything as shows that it works."""
    return Recipe("cpu", shards=2, workers=1, enough=1, compiled=False, batch_frames=5, plan="plan_of_dry_run", hurry=False)


def pack(runs: Path, weights: Path | None = None) -> int:
    """Write RUNS/pack: the text encoder, cut to what captions say, and `weights` where others than the embedded ones are gone on from.

    Returns the bytes that travel: the pack's and the repository's, if this is one. Raises LanterneError where they are too many or the
    cut encoder's states are not those of the whole one.
    """
    import torch

    from lanterne.models import checkpoint
    from lanterne.models.text_encoder import TextEncoder
    from lanterne.world.captions import captions
    from lanterne.world.scene import draw_scene

    folder = runs / "pack"
    shutil.rmtree(folder, ignore_errors=True)
    whole = TextEncoder.load()
    said = [text for seed in range(20) for text in captions(draw_scene(seed, "any"), seed).values()]
    whole.save_cut(folder / "text-encoder", [*_wordings(), *said])
    if weights:
        checkpoint.load(weights)  # rather here than there
        shutil.copy(weights, folder / "start.safetensors")
    size = sum(path.stat().st_size for path in [*folder.rglob("*"), *_tracked()] if path.is_file())
    if size > PACK_LIMIT:
        raise LanterneError(
            f"The pack and the repository's files are {size / 2**20:.1f} MiB, over the {PACK_LIMIT // 2**20} MiB that travel; "
            "take large files that are not the model's out of the folder."
        )
    wanted, given = whole.encode(said), TextEncoder.load(folder / "text-encoder").encode(said)
    off = float(torch.linalg.vector_norm(given - wanted) / torch.linalg.vector_norm(wanted))
    if off > 0.005:  # bfloat16, in which the states are computed for training, gives 0.006
        raise LanterneError(f"The cut text encoder's states are {off:.2%} off those of the whole one, more than 0.5 %; report it, please.")
    return size


def _wordings() -> list[str]:
    """Every text in the sources of the world's captions, whole and word by word: captions are put together from nothing else."""
    import ast
    import re

    import lanterne.world

    texts = []
    for name in _TABLES:
        source = Path(lanterne.world.__path__[0], f"{name}.py").read_text()
        texts += [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    # The encoder reads 64 pieces of a text at most: what is longer is said in its words.
    return [*texts, *words, *(word + "s" for word in words)]


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    return [Path(name) for name in listed.stdout.split("\0") if name] if listed.returncode == 0 else []


def feed(runs: Path, recipe: Recipe, first: int) -> None:
    """Render shards `first` .. on the processors and encode what is there, the GPU's too. Ends at once where another feeds these runs."""
    from lanterne.models import checkpoint
    from lanterne.models.text_encoder import TextEncoder
    from lanterne.train import data
    from lanterne.train.latents import cache_latents

    with (runs / "feed.lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        text_encoder, model = TextEncoder.load(_packed_encoder(runs)), None

        def encode(path):
            nonlocal model
            if model is None:  # not before: the processes that render are forked from this one, which a GPU does not bear
                model = checkpoint.load(runs / "autoencoder.safetensors").build("autoencoder").to(recipe.device)
                text_encoder.to(recipe.device)
            for name in ("-val", ""):
                cache_latents(runs / f"data{name}", runs / f"latents{name}", model, recipe.device, text_encoder)
            print(f"{time.strftime('%H:%M:%S')} {path.name}", flush=True)

        numbers = range(first, first + recipe.shards)
        data.render_shards(runs, numbers, recipe.workers, plan=getattr(data, recipe.plan), on_shard=encode)


def feed_from_gpu(runs: Path, first: int, minutes: float, workers: int = 3) -> None:
    """Render shards `first` + 4000 .. on the GPU for so long, if its pictures are the processor's, and else say why not."""
    from lanterne.train.data import VALIDATION_SHARD, plan_of_gpu, render_shard, renderers

    until = time.monotonic() + 60 * minutes
    with renderers(workers) as pool:  # forked, which a process with a GPU does not bear
        try:  # each of them has to compile anyway
            worst, family = max(future.result() for future in [pool.submit(gpu_difference) for _ in range(workers)])
        except Exception as error:  # whatever a compiler or a driver raises
            print(f"The GPU renders nothing: {error!r}", flush=True)
            return
        print(f"{time.strftime('%H:%M:%S')} Its pictures are off the processor's by {worst:.2f} of 255 at most ({family})", flush=True)
        if worst > _ALIKE:
            return
        numbers = range(_GPU_SHARDS + first, VALIDATION_SHARD)
        for future in [pool.submit(render_shard, runs / "data", number, "train", "cuda", plan_of_gpu) for number in numbers]:
            print(f"{time.strftime('%H:%M:%S')} {future.result().name} by the GPU", flush=True)
            if time.monotonic() > until:
                pool.shutdown(cancel_futures=True)
                return


def gpu_difference() -> tuple[float, str]:
    """Over one scene of each family, the largest mean difference of a picture of the GPU's from the processor's, and whose it is."""
    from lanterne.world.render import render
    from lanterne.world.scene import FAMILIES, draw_scene

    scenes, seed = {}, 0
    while len(scenes) < len(FAMILIES):
        scene = draw_scene(seed, "any")
        scenes.setdefault(scene.family, scene)
        seed += 1
    # The GPU's first: until they are compiled, those who feed have compiled the processor's.
    theirs, ours = ([render(scene, 96, 64, 2, device=device).frames_THWC for scene in scenes.values()] for device in ("cuda", "cpu"))
    off = [float(np.abs(one.astype(np.float32) - other).mean()) for one, other in zip(theirs, ours, strict=True)]
    return max(zip(off, scenes, strict=True))


def stage(runs: Path, output: Path, minutes: float, recipe: Recipe, size: str | None, first: int, on_log=print) -> Path:
    """Train for `minutes` of wall clock, this call's start and end included, and leave weights and logs in `output`. Returns the weights.

    size: of the transformer, "nano" or "small"; by default that of the weights gone on from. Another than theirs starts anew.
    Raises LanterneError where no clips come.
    """
    from lanterne.train import commands
    from lanterne.train.transformer import train_transformer

    began = time.monotonic()
    runs.mkdir(parents=True, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    config = _go_on(runs, size)
    fed, dry = ["--first", str(first), "--runs", str(runs)], recipe.device == "cpu"
    feeder = _start(runs / "feed.log", ["accelerator", "feed", *fed, *(["--dry-run"] if dry else [])], outlives=True)
    if not dry and not (runs / "feed-gpu.log").exists():  # once: it ends by itself, or has said why it cannot
        rendering = ["--minutes", f"{_GPU_RENDERS * minutes:.3f}"]
        _start(runs / "feed-gpu.log", ["accelerator", "feed-from-gpu", *fed, *rendering], outlives=True)
    trained = _spent(runs / "dit" / "transformer.jsonl")
    decoder = None

    def minutes_of_training():
        """Of this call and those before, once there are clips; the decoder's stage begins then, too."""
        nonlocal decoder
        waited = _wait_for_clips(runs, recipe, feeder)
        on_log(f"{time.monotonic() - began:.0f} s until training, of which {waited:.0f} s for nothing but clips")
        gone = time.monotonic() - began + _RESERVE if recipe.hurry else 0.0
        seconds = max(60 * minutes - gone, 15 * minutes)
        # The decoder ends before the transformer does, whose weights file takes it in.
        painting = max((_spent(runs / "ae" / "decoder.jsonl") + 0.9 * seconds) / 60, 0.05)
        orders = ["autoencoder", "--decoder-only", "--minutes", f"{painting:.3f}", "--device", recipe.device, "--runs", str(runs)]
        decoder = _start(runs / "decoder.log", orders)
        return (trained + seconds) / 60

    options = {"compiled": recipe.compiled, "batch_frames": recipe.batch_frames, "every": recipe.every}
    model = train_transformer(runs / "latents", runs / "dit", config, minutes_of_training, recipe.device, **options, on_log=on_log)
    try:
        failed = decoder.wait(_RESERVE if recipe.hurry else None)
    except subprocess.TimeoutExpired:
        decoder.terminate()
        failed = decoder.wait()
    if failed:
        on_log(f"The decoder's stage did not end; the weights hold the one before. {_tail(runs / 'decoder.log')}")
    commands.write_trained(runs, model)
    for log in (runs / "dit" / "transformer.jsonl", runs / "ae" / "decoder.jsonl", runs / "feed.log", runs / "feed-gpu.log"):
        if log.exists():
            shutil.copy(log, output)
    return _in_pieces(runs / "lanterne.safetensors", output)


def _start_of(runs: Path) -> Path:
    """The weights to go on from: what a stage made here, the pack's, or else the embedded ones."""
    made, packed = runs / "lanterne.safetensors", runs / "pack" / "start.safetensors"
    return made if made.exists() else packed if packed.exists() else EMBEDDED


def _packed_encoder(runs: Path) -> Path | None:
    cut = runs / "pack" / "text-encoder"
    return cut if cut.exists() else None


def _go_on(runs: Path, size: str | None):
    """The transformer's config; makes `runs` go on from the pack's weights, or else the embedded ones, unless it has begun."""
    from lanterne.models import checkpoint, transformer
    from lanterne.train import commands

    start = _start_of(runs)
    loaded = checkpoint.load(start)
    begun, config = loaded.configs["transformer"], getattr(transformer, size)() if size else None
    if not (runs / "autoencoder.safetensors").exists():
        commands.adopt(weights=start, runs=runs)
        if config not in (None, begun):  # of another size: it starts anew, and has not been trained
            (runs / "dit" / "transformer.pt").unlink()
            training = {part: said for part, said in loaded.metadata.get("training", {}).items() if part != "transformer trained"}
            kept = {"autoencoder": loaded.build("autoencoder")}
            checkpoint.save(runs / "autoencoder.safetensors", kept, loaded.metadata | {"training": training}, dtype="float32")
    return config or begun


def _start(log: Path, arguments: list[str], outlives: bool = False) -> subprocess.Popen:
    """`lanterne train ...` beside this process; in a session of its own it goes on when this one ends."""
    with log.open("a") as file:
        command = [sys.executable, "-m", "lanterne", "train", *arguments]
        return subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=outlives)


def _wait_for_clips(runs: Path, recipe: Recipe, feeder: subprocess.Popen) -> float:
    """Seconds until enough shards to train on and both to validate on are encoded."""
    from lanterne.train.data import VALIDATION_SHARDS

    began = time.monotonic()

    def encoded(name):
        return len(list((runs / name).glob("clips-*[0-9].spans.npy")))

    def moving():
        return any(not path.stem.endswith("-01") for path in (runs / "data").glob("clips-*.json"))

    while encoded("latents") < recipe.enough or encoded("latents-val") < VALIDATION_SHARDS or not moving():
        if feeder.poll():
            raise LanterneError(f"No clips could be rendered and encoded; {runs / 'feed.log'} ends: {_tail(runs / 'feed.log')}")
        if recipe.hurry and time.monotonic() - began > _PATIENCE:
            raise LanterneError(
                f"After {_PATIENCE} s only {encoded('latents')} of {recipe.enough} shards are there to train on; {runs / 'feed.log'} says "
                "how far rendering is, and it goes on: run the stage again."
            )
        time.sleep(0.5)
    return time.monotonic() - began


def _spent(log: Path) -> float:
    """Seconds that a stage had so far, by its log, which is written when its state is saved."""
    return json.loads(log.read_text().splitlines()[-1])["seconds"] if log.exists() else 0.0


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "nothing"


def _in_pieces(weights: Path, output: Path) -> Path:
    """Copy, in pieces NAME.00, NAME.01, ... where it is too large to come back whole: `cat NAME.*` joins them."""
    for old in output.glob(f"{weights.name}*"):
        old.unlink()
    content, target = weights.read_bytes(), output / weights.name
    if len(content) <= PIECE:
        target.write_bytes(content)
        return target
    for number, start in enumerate(range(0, len(content), PIECE)):
        target.with_name(f"{target.name}.{number:02d}").write_bytes(content[start : start + PIECE])
    return target.with_name(f"{target.name}.00")
