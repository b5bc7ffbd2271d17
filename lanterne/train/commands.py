"""`lanterne train`: every stage from nothing to the shipped weights, each resumable."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError, counted

app = typer.Typer(no_args_is_help=True, help="Render data and train the embedded model. Every stage goes on where it stopped.")
rented = typer.Typer(no_args_is_help=True, help="Train on a rented GPU in stages of a few minutes that each leave whole weights.")
app.add_typer(rented, name="accelerator")


def _require_device(device: str) -> str:
    if device not in ("cpu", "cuda"):
        raise LanterneError(f"The device {device!r} is unknown; give cpu or cuda.")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise LanterneError("The device 'cuda' cannot be used, since no NVIDIA GPU is found here; give cpu.")
    return device


Runs = Annotated[Path, typer.Option(help="Folder for data, latents and training states.")]
Minutes = Annotated[float, typer.Option(min=0.05, help="Wall clock of the stage in all, earlier runs included.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.", callback=_require_device)]
Size = Annotated[str, typer.Option(help="tiny, nano or small.")]
DEFAULT_RUNS = Path("runs")


@app.command()
def render(
    shards: Annotated[int, typer.Option(min=1, help="Number of shards (8 to 64 clips each).")] = 40,
    first: Annotated[int, typer.Option(min=0, help="Number of the first shard; a number always holds the same clips.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    device: Device = "cpu",
    runs: Runs = DEFAULT_RUNS,
):
    """Render clips of the world to train on, and a few of unseen seeds and combinations to validate on."""
    from lanterne.train.data import render_shards

    render_shards(runs, range(first, first + shards), workers, device, on_shard=lambda path: _say(f"rendered {path.name}"))


@app.command()
def autoencoder(
    minutes: Minutes = 60,
    decoder_only: Annotated[
        bool, typer.Option(help="Train the decoder of RUNS/autoencoder.safetensors on; cached latents stay valid.")
    ] = False,
    tiny: Annotated[bool, typer.Option(help="A model for trying things out.")] = False,
    device: Device = "cpu",
    runs: Runs = DEFAULT_RUNS,
):
    """Train the autoencoder on rendered clips and write it to RUNS/autoencoder.safetensors.

    After --decoder-only, `lanterne train assemble` puts it and a finished transformer together.
    """
    from lanterne.models import checkpoint
    from lanterne.models.autoencoder import autoencoder_small, autoencoder_tiny
    from lanterne.train.autoencoder import train_autoencoder

    config, path = autoencoder_tiny() if tiny else autoencoder_small(), runs / "autoencoder.safetensors"
    _require(runs / "data", "clips-*.json", "lanterne train render")
    frozen, history, kept = None, {}, {}
    if decoder_only:
        _require(runs, path.name, "lanterne train autoencoder")
        before = checkpoint.load(path)
        frozen, history = before.build("autoencoder"), dict(before.metadata.get("training", {}))
        config, kept = before.configs["autoencoder"], _sources(before)
    part = "decoder" if decoder_only else "autoencoder"
    if (runs / "ae" / f"{part}.pt").exists() and f"{part} trained" in history:  # goes on: its last words will be said again, with more
        history[f"{part} trained"] = "; then ".join(history[f"{part} trained"].split("; then ")[:-1])
    model = train_autoencoder(runs / "data", runs / "ae", config, minutes, frozen, device, on_log=_say)
    _tell(history, part, runs / "ae" / f"{part}.jsonl")
    checkpoint.save(path, {"autoencoder": model}, {"training": history} | kept, dtype="float32")


@app.command()
def adopt(
    weights: Annotated[Path | None, typer.Option(help="Another weights file than the embedded one.", show_default=False)] = None,
    runs: Runs = DEFAULT_RUNS,
):
    """Go on from finished weights: their autoencoder stays as it is, their transformer is what the next stage starts from."""
    from lanterne.models import checkpoint
    from lanterne.paths import EMBEDDED
    from lanterne.train import transformer as stage

    for path in (runs / "autoencoder.safetensors", runs / "dit" / "transformer.pt"):
        if path.exists():
            raise typer.BadParameter(f"{path} is there already, and would be lost; give another folder with --runs, or delete it.")
    loaded = checkpoint.load(weights or EMBEDDED)
    stage.adopt(loaded.build("transformer"), runs / "dit")
    checkpoint.save(runs / "autoencoder.safetensors", {"autoencoder": loaded.build("autoencoder")}, loaded.metadata, dtype="float32")
    if "upscaler" in loaded.configs:
        checkpoint.save(runs / "upscaler.safetensors", {"upscaler": loaded.build("upscaler")}, loaded.metadata, dtype="float32")
    typer.echo(f"{runs} goes on from {weights or EMBEDDED}; next: lanterne train render, latents, transformer", err=True)


@app.command()
def latents(device: Device = "cpu", runs: Runs = DEFAULT_RUNS):
    """Encode every clip and its captions once, for the transformer to train on."""
    from lanterne.models import checkpoint
    from lanterne.train.latents import cache_latents

    _require_data(runs)
    _require(runs, "autoencoder.safetensors", "lanterne train autoencoder")
    model = checkpoint.load(runs / "autoencoder.safetensors").build("autoencoder").to(device).eval()
    for name in ("", "-val"):
        count = cache_latents(runs / f"data{name}", runs / f"latents{name}", model, device, on_shard=_say)
        typer.echo(f"encoded {counted(count, 'shard')} of data{name}", err=True)


@app.command()
def transformer(
    minutes: Minutes = 120,
    size: Size = "nano",
    batch_frames: Annotated[
        int | None, typer.Option(min=1, help="Latent frames in a batch. \\[default: 40; on a GPU 384]", show_default=False)
    ] = None,
    device: Device = "cpu",
    runs: Runs = DEFAULT_RUNS,
):
    """Train the transformer on cached latents and write it, with the autoencoder, to RUNS/lanterne.safetensors."""
    from lanterne.models import transformer as models
    from lanterne.train.transformer import train_transformer

    if size not in ("tiny", "nano", "small"):
        raise typer.BadParameter(f"size {size!r} is not one of tiny, nano, small.")
    _require(runs / "latents", "*.spans.npy", "lanterne train latents")
    config = getattr(models, size)()
    write_trained(
        runs, train_transformer(runs / "latents", runs / "dit", config, minutes, device, batch_frames=batch_frames, on_log=_say)
    )


def write_trained(runs: Path, model) -> None:
    """RUNS/lanterne.safetensors of a transformer that is trained and RUNS/autoencoder.safetensors, with what became of both."""
    from lanterne.models import checkpoint
    from lanterne.world.knowledge import THE_WORLD

    before = checkpoint.load(runs / "autoencoder.safetensors")
    history = dict(before.metadata.get("training", {}))
    _tell(history, "transformer", runs / "dit" / "transformer.jsonl")
    _write_weights(runs, model, before.build("autoencoder"), THE_WORLD, history, before)


@app.command()
def assemble(
    weights: Annotated[Path | None, typer.Option(help="Whose transformer; by default the embedded one's.", show_default=False)] = None,
    runs: Runs = DEFAULT_RUNS,
):
    """Put RUNS/autoencoder.safetensors, a finished transformer, and RUNS/upscaler.safetensors (else the one that is with the transformer)
    into RUNS/lanterne.safetensors, with no more training."""
    from lanterne.models import checkpoint
    from lanterne.paths import EMBEDDED
    from lanterne.world.knowledge import knowledge_of

    _require(runs, "autoencoder.safetensors", "lanterne train autoencoder")
    painter, finished = checkpoint.load(runs / "autoencoder.safetensors"), checkpoint.load(weights or EMBEDDED)
    said = finished.metadata.get("training", {}).get("transformer trained")  # the autoencoder's file may tell of an earlier one
    training = dict(painter.metadata.get("training", {})) | ({"transformer trained": said} if said else {})
    taught = knowledge_of(finished.metadata)
    _write_weights(runs, finished.build("transformer"), painter.build("autoencoder"), taught, training, finished, painter)


@app.command()
def upscaler(
    minutes: Minutes = 30,
    clips: Annotated[int, typer.Option(min=20, help="Clips of 5 frames rendered large.")] = 240,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = os.cpu_count() or 1,
    tiny: Annotated[bool, typer.Option(help="A model for trying things out.")] = False,
    device: Device = "cpu",
    runs: Runs = DEFAULT_RUNS,
):
    """Train the upscaler on large renders and what RUNS/autoencoder.safetensors paints of them; writes RUNS/upscaler.safetensors."""
    from lanterne.models import checkpoint
    from lanterne.models.upscaler import upscaler_small, upscaler_tiny
    from lanterne.train.upscaler import render_pairs, train_upscaler

    _require(runs, "autoencoder.safetensors", "lanterne train autoencoder")
    autoencoder = checkpoint.load(runs / "autoencoder.safetensors").build("autoencoder")
    render_pairs(runs / "data-large", clips, autoencoder, workers, on_pair=lambda done: _say(f"clip {done} of {clips}"))
    model = train_upscaler(runs / "data-large", runs / "up", upscaler_tiny() if tiny else upscaler_small(), minutes, device, on_log=_say)
    history = {"upscaler trained": _summary(runs / "up" / "upscaler.jsonl")}
    checkpoint.save(runs / "upscaler.safetensors", {"upscaler": model}, {"training": history}, dtype="float16")


@app.command()
def judge(
    epochs: Annotated[int, typer.Option(min=1)] = 20,
    scenes: Annotated[int, typer.Option(min=60, help="Scenes rendered for the judge alone, in the size that it sees.")] = 12000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = os.cpu_count() or 1,
    weights: Annotated[Path | None, typer.Option(help="A judge to go on from, at half the rate.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(help="By default the embedded judge.", show_default=False)] = None,
    runs: Runs = DEFAULT_RUNS,
):
    """Train the classifier that `lanterne evaluate` judges with, on scenes of all combinations and on clips' reconstructions."""
    from lanterne.evaluate.judge import WEIGHTS, Lessons, accuracies, load_judge, save_judge, train_judge
    from lanterne.models import checkpoint
    from lanterne.train.judge import lessons_of_shards, small_lessons

    _require_data(runs)
    _require(runs, "autoencoder.safetensors", "lanterne train autoencoder")
    former = load_judge(weights) if weights else None
    autoencoder = checkpoint.load(runs / "autoencoder.safetensors").build("autoencoder")
    small = small_lessons(runs / "data-judge", scenes, workers, on_file=lambda: _say("rendered 60 more scenes"))
    lessons = Lessons.together([lessons_of_shards(runs / "data", autoencoder), small])
    _say(f"{len(lessons.scenes)} looks")
    trained = train_judge(lessons, epochs, lambda epoch, loss: _say(f"epoch {epoch + 1}: {loss:.3f}"), former)
    save_judge(trained, output or WEIGHTS)
    for axis, (share, count) in accuracies(trained, lessons_of_shards(runs / "data-val", autoencoder)).items():
        _say(f"{axis}: {share:.3f} of {count} unseen looks")


@app.command()
def prompts(
    count: Annotated[int, typer.Option(min=64, help="Prompts put together to learn from.")] = 24000,
    epochs: Annotated[int, typer.Option(min=1)] = 8,
    output: Annotated[Path | None, typer.Option(help="By default the embedded classifier.", show_default=False)] = None,
):
    """Train the classifier that reads prompts in words of their own, from the phrases in lanterne/world/phrases.json."""
    from lanterne.models.prompt_classifier import WEIGHTS, save_classifier
    from lanterne.models.text_encoder import TextEncoder
    from lanterne.train.prompts import train_classifier

    trained = train_classifier(count, epochs, TextEncoder.load(), lambda epoch, loss: _say(f"epoch {epoch + 1}: {loss:.3f}"))
    save_classifier(trained, output or WEIGHTS)


@app.command()
def consented(
    data: Annotated[Path, typer.Option("--data", help="A folder that `lanterne data export` wrote.")],
    database: Annotated[
        str | None, typer.Option(help="The server's database. \\[default: the home folder's, where there is one]", show_default=False)
    ] = None,
):
    """Read a data set of what artists said as training must: described, whole, without what was withdrawn. No stage trains on one yet."""
    from lanterne.paths import home
    from lanterne.train.consented import live_in, records, source_of

    if database is None and (home() / "service.db").exists():
        database = f"sqlite:///{home() / 'service.db'}"
    source = source_of(data)
    usable = sum(1 for _ in records(data, live_in(database) if database else None))
    known = "" if database else "; there is no database here to ask whether they still may"
    typer.echo(f"{source.release}: {usable} of {source.records} records of {source.kind} may be used{known}")


@app.command("all")
def everything(
    size: Size = "nano",
    minutes: Annotated[float, typer.Option(min=1, help="Wall clock of all stages together.")] = 60,
    device: Device = "cpu",
    runs: Runs = DEFAULT_RUNS,
):
    """All stages in order: a sixth of the time renders, a quarter trains the autoencoder, half the transformer; the rest is for encoding
    the clips in between."""
    # About one shard a minute and core, at 256x144.
    render(shards=max(4, int(minutes / 6) * (os.cpu_count() or 1)), runs=runs, first=0, workers=os.cpu_count() or 1, device="cpu")
    autoencoder(minutes=minutes / 4, device=device, runs=runs, decoder_only=False, tiny=size == "tiny")
    latents(device=device, runs=runs)
    transformer(minutes=minutes / 2, size=size, batch_frames=None, device=device, runs=runs)


@rented.command()
def pack(
    weights: Annotated[
        Path | None, typer.Option(help="Go on from this file instead of the embedded weights.", show_default=False)
    ] = None,
    runs: Runs = DEFAULT_RUNS,
):
    """Write RUNS/pack, what a bare machine lacks beside the repository's files: the text encoder, cut to the words of captions."""
    from lanterne.train import accelerator

    size = accelerator.pack(runs, weights)
    _say(f"wrote {runs / 'pack'}; with the repository's files {size / 2**20:.1f} of {accelerator.PACK_LIMIT // 2**20} MiB travel")


@rented.command("stage")
def rented_stage(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the weights, in pieces under 16 MiB, and the logs.")],
    minutes: Annotated[float, typer.Option(min=1, help="Wall clock of this call, start and end included.")] = 9.5,
    size: Annotated[
        str | None, typer.Option(help="nano or small; another than the weights' starts anew. \\[default: theirs]", show_default=False)
    ] = None,
    first: Annotated[
        int, typer.Option(min=0, max=2800, help="Number of the first shard to render: 1200 on from that of the machine before.")
    ] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="On a processor, with seconds for minutes and one clip a shard.")] = False,
    runs: Runs = DEFAULT_RUNS,
):
    """Train on for some minutes: transformer and decoder on the GPU, while clips are rendered. Call it again to go on."""
    from lanterne.train import accelerator

    if size not in (None, "nano", "small"):
        raise typer.BadParameter(f"size {size!r} is not one of nano, small.")
    recipe = accelerator.dry_run() if dry_run else accelerator.rented_gpu()
    weights = accelerator.stage(runs, output, minutes / 60 if dry_run else minutes, recipe, size, first, on_log=_say)
    _say(f"wrote {weights}")


@rented.command(hidden=True)
def feed(
    first: Annotated[int, typer.Option(min=0)],
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    runs: Runs = DEFAULT_RUNS,
):
    """Render and encode clips until all are there; a stage starts it."""
    from lanterne.train import accelerator

    accelerator.feed(runs, accelerator.dry_run() if dry_run else accelerator.rented_gpu(), first)


@rented.command(hidden=True)
def feed_from_gpu(
    first: Annotated[int, typer.Option(min=0)], minutes: Annotated[float, typer.Option(min=0)], runs: Runs = DEFAULT_RUNS
):
    """Render clips on the GPU, if it can; a stage starts it."""
    from lanterne.train import accelerator

    accelerator.feed_from_gpu(runs, first, minutes)


def _write_weights(runs: Path, transformer, autoencoder, taught, training: dict, *parts) -> None:
    """RUNS/lanterne.safetensors, which says what it was `taught` of the world, with the upscaler of RUNS or else of the checkpoints `parts`
    that it is made from, and their sources."""
    from lanterne.models import checkpoint

    path = runs / "upscaler.safetensors"
    modules = {"transformer": transformer, "autoencoder": autoencoder}
    for part in [checkpoint.load(path)] if path.exists() else parts:
        if "upscaler" in part.configs:
            modules["upscaler"] = part.build("upscaler")
            training = training | {name: said for name, said in part.metadata.get("training", {}).items() if name == "upscaler trained"}
    metadata = {"training": training} | taught.to_metadata() | _sources(*parts)
    checkpoint.save(runs / "lanterne.safetensors", modules, metadata, dtype="int8")
    typer.echo(f"wrote {runs / 'lanterne.safetensors'}; try it with --weights, and copy it where lanterne evaluate says it is better")


def _sources(*parts) -> dict:
    """The data sets that these checkpoints were trained on, each once, as metadata of what is made from them."""
    found = {source["release"]: source for part in parts for source in part.metadata.get("sources", [])}
    return {"sources": list(found.values())} if found else {}


def _tell(history: dict, part: str, log: Path) -> None:
    """Add a stage to what is told of a part's training."""
    earlier = [history[f"{part} trained"]] if history.get(f"{part} trained") else []
    history[f"{part} trained"] = "; then ".join([*earlier, _summary(log)])


def _summary(log: Path) -> str:
    """What a stage's log says in its last line."""
    row = json.loads(log.read_text().splitlines()[-1])
    return f"{row['step']:,} steps in {row['seconds'] / 60:.0f} minutes on {row['clips']:,} clips"


def _say(what):
    typer.echo(what, err=True)


def _require_data(runs: Path):
    for name in ("data", "data-val"):
        _require(runs / name, "clips-*.json", "lanterne train render")


def _require(folder: Path, pattern: str, command: str):
    if not any(folder.glob(pattern)):
        raise typer.BadParameter(f"{folder} holds no {pattern}; run `{command}` first.")
