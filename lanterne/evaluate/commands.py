"""`lanterne evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def evaluate(
    weights: Annotated[Path | None, typer.Option(help="Another weights file than the embedded one.", show_default=False)] = None,
    prompts: Annotated[int | None, typer.Option(min=8, help="Only so many of the held-out prompts.", show_default=False)] = None,
    quick: Annotated[bool, typer.Option(help="Without the rollout of a minute.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model card to write.")] = Path("docs/model-card.md"),
    runs: Annotated[Path, typer.Option(help="Folder for what is kept between runs; training data is looked for there.")] = Path("runs"),
):
    """Measure the model and write its card: accuracy on held-out prompts, motion, drift, variety, copying."""
    import time

    from lanterne.evaluate.card import write_card
    from lanterne.evaluate.evaluate import Evaluation
    from lanterne.evaluate.judge import load_judge
    from lanterne.generate import Engine
    from lanterne.paths import EMBEDDED
    from lanterne.request import GUIDANCE, STEPS

    def say(line):
        typer.echo(f"{time.monotonic() - start:6.0f} s  {line}", err=True)

    start = time.monotonic()
    engine = Engine.load(weights)
    evaluation = Evaluation(engine, load_judge(), runs, say, prompts)
    report, pairs = evaluation.all(quick)
    parts = ("transformer", "autoencoder", "classifier")
    sizes = {name: sum(p.numel() for p in getattr(engine, name).parameters()) / 1e6 for name in parts}
    about = {
        "Transformer": f"{sizes['transformer']:.1f} M parameters, block-causal over chunks of 4 latent frames",
        "Autoencoder": f"{sizes['autoencoder']:.1f} M parameters, 16 x 16 x 4 pixels to 32 channels",
        "Prompts": f"read by word lists and a classifier of {sizes['classifier']:.1f} M parameters",
        "File": f"{(weights or EMBEDDED).stat().st_size / 1e6:.1f} MB, int8 blockwise",
        "Sampling": f"{STEPS} steps of Adams and Bashforth, guidance {GUIDANCE:g}, {str(engine.dtype).removeprefix('torch.')}",
    } | {name.capitalize(): str(value) for name, value in engine.metadata.get("training", {}).items()}
    command = "lanterne evaluate" + (f" --prompts {prompts}" if prompts else "") + (" --quick" if quick else "")
    write_card(report, evaluation.clips()["model"], evaluation.rows, pairs, output, about, command,
               evaluation.samples(), engine.metadata.get("sources", []), None if quick else evaluation.minute())
    say(f"wrote {output} and its pictures")
    for axis, value in report["attributes"]["model"].items():
        if value is None:
            continue
        ceiling = report["attributes"]["reconstructions"][axis]["accuracy"]
        floor = report["attributes"]["floor"][axis]["accuracy"]
        typer.echo(f"{axis}: {value['accuracy']:.3f} (ceiling {ceiling:.3f}, floor {floor:.3f}, n = {value['count']})")
