"""What `lanterne generate` does with its options: an order is made whole, carried out with true progress, and summed up."""

import json
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lanterne import __version__, paths
from lanterne.errors import Cancelled, LanterneError, WriteError, counted, writing

try:
    import resource
except ImportError:  # Windows
    resource = None

GIVEN = ("image", "continue", "edit")  # at most one of these files
_KEPT_LATENTS = 200  # files; a minute of video is 4 MB


@dataclass(frozen=True)
class Order:
    """Everything that settles what is made and where it goes. request: fields of generate.Request, all of them."""

    request: dict
    given: dict[str, Path]
    output: Path
    weights: Path | None
    mark: bool = False  # visible
    resumed: str = ""  # the name of the run that was interrupted

    @classmethod
    def of(
        cls, chosen: dict, given: dict, output: Path | None, weights: Path | None, mark: bool, again: Path | None, resume: str | None
    ) -> "Order":
        """From options; None stands for what was not said. Raises LanterneError where they contradict each other."""
        chosen = {name: value for name, value in chosen.items() if value is not None}
        given = {name: path for name, path in given.items() if path is not None}
        if resume is not None:
            if chosen or given or weights or mark or again:
                raise LanterneError("--resume takes all but --output from the interrupted run; leave the other options out.")
            order = _interrupted(resume)
            if output:
                _require_output(output, still=order.request.get("seconds") == 0)
            return replace(order, output=output or order.output)
        said = chosen
        if again is not None:
            before = _settings_of(again)
            chosen = before["request"] | chosen
            mark = mark or before.get("visible_mark", False)
            if not given:
                given = _files_again(before["given"], again)
        if len(given) > 1:
            raise LanterneError(f"--{' and --'.join(given)} exclude each other; give one of them.")
        if "prompt" not in chosen:
            raise LanterneError('There is no prompt; say what to show, such as: lanterne generate "a lake at dawn".')
        if "strength" in said and "edit" not in given:
            raise LanterneError("--strength says how much an edit may change; give the video with --edit.")
        if "edit" in given:
            if "seconds" in said:
                raise LanterneError(f"--seconds {said['seconds']:g} cannot be had of an edit, which has its source's length; leave it out.")
            chosen.pop("seconds", None)  # of what is repeated
        chosen.setdefault("seed", secrets.randbelow(2**31))
        still = chosen.get("seconds") == 0
        if still and "continue" in given:
            raise LanterneError("--seconds 0 makes a still, which cannot continue a video; give the seconds to make.")
        output = output or Path("lanterne-output") / f"{_slug(chosen['prompt'])}-{chosen['seed']}{'.png' if still else '.mp4'}"
        _require_output(output, still)
        return cls(chosen, given, output, weights, mark)

    def to_json(self) -> str:
        return json.dumps(
            {
                "request": self.request,
                "given": {name: str(path.absolute()) for name, path in self.given.items()},
                "output": str(self.output.absolute()),
                "weights": str(self.weights.absolute()) if self.weights else None,
                "mark": self.mark,
            }
        )


def require_preview(preview: Path, others: Iterable[Path]) -> None:
    """Refuse a preview that is no PNG, or that would be written over one of the `others`, which its order reads or writes."""
    from lanterne.video import require_name

    require_name(preview, "preview", ".png")
    if os.path.realpath(preview) in map(os.path.realpath, others):
        raise LanterneError(f"The preview {preview} would be written over the file of that name, which is needed; give it another name.")


def fulfil(order: Order, preview: Path | None = None, as_json: bool = False, quiet: bool = False) -> None:
    """Generate, write the file, print what was made. Ctrl-C stops at the next step and says how to go on."""
    for kind, path in order.given.items():
        if order.resumed and not path.is_file():
            raise LanterneError(f"The interrupted run {order.resumed} needs {path}, which is gone; put it back: what was finished is kept.")
        if os.path.realpath(path) == os.path.realpath(order.output):
            raise LanterneError(f"The output {order.output} would be written over the file given with --{kind}; give it another name.")
    paths.make_home()
    with ExitStack() as alone:
        name = sha256(os.fsencode(os.path.realpath(order.output))).hexdigest()[:12]
        alone.enter_context(_alone(f"output-{name}", f"Another run is writing {order.output}; wait for it, or give this one another name."))
        _make(order, preview, as_json, quiet, alone)


@contextmanager
def _alone(name: str, otherwise: str):
    """One process at a time. Raises LanterneError(otherwise) where another has that name."""
    path = paths.home() / "locks" / name
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LanterneError(otherwise) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps a file that is open
            path.unlink()
        lock.release()


def _make(order: Order, preview: Path | None, as_json: bool, quiet: bool, alone: ExitStack) -> None:
    """The work of `fulfil`. alone: ends with it."""
    started = time.monotonic()
    from lanterne import generate as road  # torch: half of the start-up
    from lanterne.programme import watermark
    from lanterne.programme.identity import identity
    from lanterne.upscale import resampling, upscale_for
    from lanterne.video import require_writable

    request = road.Request(**order.request)  # refuses before anything is loaded, as does what follows
    try:
        require_writable(order.output)
    except WriteError as error:
        raise WriteError(f"{error} Give it with --output." if order.resumed else str(error)) from error
    if preview:
        require_writable(preview)
    console = Console(stderr=True, quiet=quiet)
    with console.status("Loading the model"):
        engine = road.Engine.load(order.weights)
    understood, unknown = _report_words(request.prompt, engine, console)
    conditions, request, before = _conditions(engine, request, order.given)
    run = road.Run(paths.runs(), engine, request, conditions)
    alone.enter_context(_alone(f"run-{run.name}", "Another run is making this very video; wait for it, or choose another --seed."))
    if order.resumed and order.resumed != run.name and not quiet:
        console.print("A file that the run was given, the weights or Lanterne have changed since: it begins anew.", style="yellow")
    stop = _StopOnSignal()
    who = identity()
    number = watermark.number_of(who.watermark_secret, run.name)
    settings = {
        "lanterne": __version__,
        "request": asdict(request),
        "given": {name: {"path": str(path.absolute()), "sha256": paths.file_hash(path)} for name, path in order.given.items()},
        "weights": engine.weights,
        "native_size": list(request.native_size),
        "resampling": resampling(engine.upscaler, request.native_size, request.width, request.height),
        "generated_by_ai": True,
    } | ({"visible_mark": True} if order.mark else {})
    with writing(run.folder / "order.json"):
        run.folder.mkdir(parents=True, exist_ok=True)
        partial_order = run.folder / "order.partial"
        partial_order.write_text(order.to_json())
        partial_order.replace(run.folder / "order.json")
    done_before = run.finished
    if done_before and not quiet:
        console.print(f"Taking up the interrupted run {run.name}: {_count(done_before, 'chunk')} done.")
    try:
        with stop:
            frames = _frames(engine, request, conditions, run, console, preview, stop)
            marks = watermark.pattern(who.watermark_secret, number, *request.native_size)
            enlarge = upscale_for(engine.upscaler, request.native_size, request.width, request.height)
            seal = partial(_sign, order, engine.weights, number, who)
            num_frames = _write(order, request, settings, _marked(frames, marks, order.mark, request), seal, enlarge)
    except LanterneError as error:
        kept, cancelled = run.finished, isinstance(error, Cancelled)
        if not kept:
            run.remove()
        command = f"lanterne generate --resume {run.name}" + (" --output FILE" if isinstance(error, WriteError) else "")
        how = f"{_count(kept, 'chunk')} kept; go on with: {command}" if kept else "nothing was finished"
        if cancelled:
            raise Cancelled(f"Stopped; {how}.") from None
        if not kept:
            raise
        raise LanterneError(f"{error} {how}.") from error
    if request.seconds:
        _keep_latents(order.output, run)
    run.remove()
    summary = {
        "file": str(order.output),
        "seconds": num_frames / road.FPS if request.seconds else 0,
        "frames": num_frames,
        "fps": road.FPS,
        "width": request.width,
        "height": request.height,
        "made_at": f"{request.native_size[0]}x{request.native_size[1]}",
        "seed": request.seed,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "steps": request.steps,
        "guidance": request.guidance,
        "weights": engine.weights[:12],
        "elapsed_seconds": round(time.monotonic() - started, 2),
        "peak_memory_mb": None if (peak := peak_memory()) is None else round(peak / 1e6),
        "understood": understood,
        "unknown_words": [word for word, _ in unknown],
        "sha256": paths.file_hash(order.output),
    }
    if before:
        summary["continued_seconds"] = round(before / road.FPS, 3)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
    elif not quiet:
        _print_summary(console, summary)


def _frames(engine, request, conditions, run, console, preview, stop):
    """The road's frames, with progress shown while they come."""
    from lanterne import generate as road
    from lanterne.video import write_png
    from lanterne.world.prompts import reader

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[steps]}"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Starting", total=None, steps="")

        def on_step(at):
            progress.update(
                task, description=f"Chunk {at.chunk + 1} of {at.num_chunks}", total=at.num_chunks * at.num_steps,
                completed=at.chunk * at.num_steps + at.step + 1, steps=f"step {at.step + 1}/{at.num_steps}",
            )

        def on_chunk(done, of):
            if not console.is_terminal:
                console.print(f"chunk {done} of {of} done")

        def on_preview(frames):
            write_png(preview, frames[-1], *request.native_size, {})

        yield from road.generate(
            engine, request, conditions, run, reader(engine.metadata, engine.guess), on_step=on_step, on_chunk=on_chunk,
            on_preview=on_preview if preview else None, should_stop=stop.asked,
        )


def _marked(frames, pattern_HW, visibly: bool, request):
    """Frames with the watermark in them and, if asked for, the mark that can be seen."""
    from lanterne.programme import mark, watermark

    for some in frames:
        some = watermark.embed(some, pattern_HW)
        yield mark.draw(some, request.width, request.height) if visibly else some


def _write(order: Order, request, settings: dict, frames, seal, enlarge) -> int:
    """Write the file, which has its name once it is sealed; returns the number of frames in it. enlarge: of upscale_for."""
    from lanterne.video import VideoWriter, write_png

    if request.seconds == 0:
        pictures = next(frames)
        picture = (enlarge(pictures) if enlarge else pictures)[0]
        write_png(order.output, picture, request.width, request.height, settings, seal)
        for _ in frames:
            pass  # nothing more comes; this lets the road finish its bookkeeping
        return 1
    with VideoWriter(order.output, request.width, request.height, settings, seal=seal, enlarge=enlarge) as writer:
        for some in frames:
            writer.write(some)
    return writer.num_frames


def _sign(order: Order, weights: str, number: int, who, path: Path) -> None:
    """Sign the finished file before it gets its name: a file without a signature would not say what it is."""
    from lanterne.programme.signing import CREATED, EDITED, EXTENDED, Statement, sign

    given = order.given
    kind = EXTENDED if "continue" in given else EDITED if "edit" in given else CREATED
    statement = Statement(kind, order.weights.stem if order.weights else "lanterne", weights, number)
    inputs = [given["image"]] if "image" in given else []
    sign(path, statement, who, given.get("continue") or given.get("edit"), inputs, os.environ.get("LANTERNE_TIMESTAMP_URL"))


def _conditions(engine, request, given: dict[str, Path]):
    """Conditions, the request they lead to, and how many frames of an old video come first."""
    import numpy as np
    import torch

    from lanterne.flow import frames_for
    from lanterne.generate import Conditions
    from lanterne.video import FPS, read_picture, read_video

    if "image" in given:
        return Conditions(image_HWC=read_picture(given["image"], *request.native_size)), request, 0
    if "continue" in given:
        kept = paths.latents() / f"{paths.file_hash(given['continue'])}.npy"
        history = None
        if kept.exists():
            history = torch.from_numpy(np.load(kept).astype(np.float32))
            width, height = request.native_size
            if history.shape[2:] != (height // 16, width // 16):
                history = None
        if history is None:
            history, count = engine.encode_video(read_video(given["continue"], *request.native_size))
            if frames_for(len(history)) > count:  # the last group was filled with repeats, which would be seen as a stop
                history = history[: max(1, len(history) - 1)]
        else:
            count = sum(1 for _ in read_video(given["continue"], *request.native_size))
        return Conditions(history_TCHW=history, history_frames=count), request, count
    if "edit" in given:
        source, count = engine.encode_video(read_video(given["edit"], *request.native_size))
        return Conditions(source_TCHW=source), replace(request, seconds=max(count / FPS, 0.25)), 0
    return Conditions(), request, 0


def _keep_latents(output: Path, run) -> None:
    """Remember a finished video's latents, so that continuing it loses nothing; the oldest go when there are many."""
    import numpy as np

    pieces = [run.chunk(index).numpy() for index in range(run.finished)]
    path = paths.latents() / f"{paths.file_hash(output)}.npy"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.concatenate(pieces, axis=1).swapaxes(0, 1).astype(np.float16))
        for old in sorted(path.parent.glob("*.npy"), key=lambda file: file.stat().st_mtime)[:-_KEPT_LATENTS]:
            old.unlink(missing_ok=True)


def _report_words(prompt: str, engine, console: Console) -> tuple[dict, tuple]:
    """Tell what was understood of the prompt and what the model was not taught; returns what was understood, by axis, and the words that
    it does not know, with the nearest that it does."""
    from lanterne.world.knowledge import knowledge_of
    from lanterne.world.prompts import understand
    from lanterne.world.reading import report, values_said

    knowledge = knowledge_of(engine.metadata)
    said = understand(prompt, knowledge, engine.guess)
    line, lacking = report(prompt, said, knowledge)
    console.print(line, style="dim", markup=False, highlight=False)
    for lack in lacking:
        console.print(lack, style="yellow", markup=False, highlight=False)
    return values_said(said), said.unknown_words


def _print_summary(console: Console, summary: dict) -> None:
    made = "" if summary["made_at"] == f"{summary['width']}x{summary['height']}" else f", made at {summary['made_at']}"
    length = f"{summary['seconds']:g} s, {counted(summary['frames'], 'frame')}, " if summary["seconds"] else ""
    console.print(summary["file"], style="bold", markup=False, highlight=False)
    console.print(f"  {length}{summary['width']}x{summary['height']}{made}", highlight=False)
    console.print(f"  seed {summary['seed']}, {counted(summary['steps'], 'step')}, guidance {summary['guidance']:g}", highlight=False)
    memory = "" if summary["peak_memory_mb"] is None else f", peak memory {summary['peak_memory_mb']} MB"
    console.print(f"  {summary['elapsed_seconds']:.1f} s{memory}", highlight=False)


class _StopOnSignal:
    """While active, the first Ctrl-C (or SIGTERM) asks the road to stop at its next step; a second one stops at once."""

    def __init__(self):
        self._asked = False
        self._before = {}

    def asked(self) -> bool:
        return self._asked

    def _on_signal(self, number, frame):
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _require_output(output: Path, still: bool) -> None:
    from lanterne.video import require_name

    require_name(output, *(("still", ".png") if still else ("video", ".mp4")))


def _settings_of(path: Path) -> dict:
    from lanterne.video import read_settings

    return read_settings(path)


def _files_again(given: dict, again: Path) -> dict[str, Path]:
    for name, file in given.items():
        path = Path(file["path"])
        if not path.is_file() or paths.file_hash(path) != file["sha256"]:
            raise LanterneError(f"{again} was made with --{name} {path}, which is gone or has changed; give it with --{name}.")
    return {name: Path(file["path"]) for name, file in given.items()}


def _interrupted(name: str) -> Order:
    latest_first = sorted(paths.runs().glob("*/order.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in latest_first:
        if name in ("last", path.parent.name):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged, as a full disk or a crash leaves it
                order = json.loads(path.read_text())
                given = {kind: Path(file) for kind, file in order["given"].items()}
                weights = Path(order["weights"]) if order["weights"] else None
                return Order(order["request"], given, Path(order["output"]), weights, order.get("mark", False), resumed=path.parent.name)
    raise LanterneError(f"There is no interrupted run {name!r}; it may be finished already." if name != "last" else
                        "There is no interrupted run to resume; start one with a prompt.")


def peak_memory() -> int | None:
    """The most memory this process has held, in bytes; None on Windows, where Python cannot tell."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _slug(prompt: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", prompt.lower())[:6])[:60] or "video"


def _count(number: int, noun: str) -> str:
    return f"{counted(number, noun)} {'is' if number == 1 else 'are'}"
