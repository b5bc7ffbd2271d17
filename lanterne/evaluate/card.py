"""The model card: what `lanterne evaluate` measured, as one page and one contact sheet."""

from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image

from lanterne.evaluate.judge import AXES
from lanterne.world.sheet import captioned, grid

_ROWS = {
    "renders": "renders of the same words, unseen seeds",
    "reconstructions": "those through the autoencoder (**ceiling**)",
    "model": "**the model**",
    "unseen": "the model, on combinations never trained on",
    "paraphrases": "the model, on prompts in words that no caption uses",
    "roundabout": "the model, on prompts told in a roundabout way",
    "floor": "the model against other prompts' words (**floor**)",
}
_COUNTED = {
    "model": "all that state the axis", "unseen": "combinations never trained on", "paraphrases": "words that no caption uses",
    "roundabout": "told in a roundabout way",
}

_SAMPLES = {
    "chosen": "{} prompts chosen by hand, seeds 0 to {}, one try each:",
    "random": "{} of the held-out prompts drawn blindly, seeds 0 to {}, one try each:",
}


def write_card(
    report: dict, made_NTHWC: np.ndarray, rows: list[dict], pairs: list[list[np.ndarray]], path: Path, about: dict, command: str,
    samples: dict[str, tuple[list[str], np.ndarray]], sources: list[dict] = (),
    minute: tuple[list[str], list[list[np.ndarray]]] | None = None,
) -> None:
    """Write `path` (Markdown) and, beside it, its pictures: the contact sheet, the nearest training clips, the long rollouts.

    made_NTHWC: the model's clips of the prompts in rows; pairs: of Evaluation.all; samples: of Evaluation.samples; about: what is known
    of the model, in the order in which it is shown; sources: the data sets that the weights' file says it was trained on, as
    train/consented.py has them; minute: of Evaluation.minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = path.with_name("model-card.jpg")
    Image.fromarray(_contact_sheet(made_NTHWC, rows)).save(sheet, quality=82)
    text = [f"# Model card\n\nMeasured on {date.today().isoformat()} by `{command}`, weights `{report['weights'][:12]}`, "
            f"judge `{report['judge']}`.\n"]
    text.append(_table(["", ""], [[key, value] for key, value in about.items()]))
    text.append(f"![What the model makes of held-out prompts]({sheet.name})\n")
    for name, said in _SAMPLES.items():
        prompts, pictures_NHWC = samples[name]
        sheet = path.with_name(f"model-card-{name}.jpg")
        Image.fromarray(captioned(list(pictures_NHWC), prompts, across=5)).save(sheet, quality=82)
        text.append(f"{said.format(len(prompts), len(prompts) - 1)}\n\n![{name}]({sheet.name})\n")
    text.append("## Does it show what it is told?\n")
    text.append(
        f"{report['prompts']} prompts of `lanterne/world/held_out_prompts.txt`, written by hand before anything was seen of what a model "
        "makes, but for those of unseen pairs of place and subject, which count in the row of unseen combinations alone, and those told "
        "in a roundabout way, by somebody who avoided the plain word for everything. A classifier "
        "trained on renders of all combinations, and on their reconstructions, judges 17 frames of each; events, 17 of four seconds. "
        "Accuracy over the prompts that state the axis, 90 % bootstrap intervals in brackets; those in words that no caption uses and the "
        "roundabout ones have rows of their own.\n"
    )
    text.append(_table(["", *AXES], [[_ROWS[name], *map(_cell, table.values())] for name, table in _in_order(report["attributes"])]))
    counts = [[text, *(_count(report["attributes"][name][axis]) for axis in AXES)] for name, text in _COUNTED.items()]
    text.append(_table(["number of prompts", *AXES], counts))
    ceiling, model = report["attributes"]["reconstructions"], report["attributes"]["model"]
    measured = [axis for axis in AXES if model[axis]]
    share = ", ".join(f"{axis} {model[axis]['accuracy'] / max(ceiling[axis]['accuracy'], 1e-6):.2f}" for axis in measured)
    text.append(f"Share of the ceiling: {share}.\n")
    cameras = report["cameras"]
    names = {name: _ROWS[name] for name in ("reconstructions", "model")}
    names |= {"painted_motion": "what the autoencoder leaves of the renders' motion", "motion": "the model's motion over the renders'"}
    broad = "the same in means of 4 x 4 pixels"
    names |= {"painted_broad_motion": f"{broad}: the autoencoder", "broad_motion": f"{broad}: the model"}
    shares = [[text, *(f"{one[name]:.2f}" for one in cameras.values())] for name, text in names.items()]
    text.append(_table(["camera moves that the judge sees", *(f"{name} ({one['count']})" for name, one in cameras.items())], shares))
    text.append("## Does it move, and steadily?\n")
    measured = report["dynamics"]
    text.append(
        _table(
            ["", "motion", "flicker", "sharpness"],
            [[_ROWS[name], *(f"{measured[name][key]:.2f}" for key in ("motion", "flicker", "sharpness"))] for name in measured],
        )
    )
    text.append(
        "Motion is the mean absolute difference of successive frames, flicker the mean second difference of brightness, sharpness the "
        "mean absolute difference of neighbouring pixels; all of 255.\n"
    )
    text.append("## Does it last?\n")
    text.append(_rollouts(report))
    if "rollout_60" in report:
        sheet = path.with_name("model-card-minute.jpg")
        pictures = [picture for row in minute[1] for picture in row]
        captions = [f"{12 * place} s" if place else prompt for prompt, row in zip(*minute, strict=True) for place in range(len(row))]
        Image.fromarray(captioned(pictures, captions, across=5)).save(sheet, quality=82)
        text.append(f"A picture every 12 s of each video of a minute:\n\n![A minute of each]({sheet.name})\n")
        _plot(report["rollout_60"]["windows"], path.with_name("rollout.png"))
        text.append("![Brightness, saturation, sharpness and motion by 4 s window over a minute](rollout.png)\n")
    text.append("## Autoencoder, variety, copying\n")
    nearest, diversity = report["nearest"], report["diversity"]
    lines = [
        ["autoencoder, unseen renders at 256x144: PSNR", f"{report['autoencoder']['psnr']:.2f} dB"],
        ["autoencoder: sharpness over the renders'", f"{report['autoencoder']['sharpness_ratio']:.2f}"],
        ["spread of 4 seeds of a prompt over that of 4 renders", f"{diversity['model'] / max(diversity['renders'], 1e-6):.2f}"],
    ]
    if nearest:
        lines.append(
            [f"median distance to the nearest of {nearest['pictures']} training pictures, over that of unseen renders",
             f"{nearest['model'] / max(nearest['renders'], 1e-6):.2f}"]
        )
    text.append(_table(["", ""], lines))
    if pairs:
        nearest_sheet = path.with_name("model-card-nearest.jpg")
        sheet = grid([list(row) for row in zip(*pairs, strict=True)], ["made", "trained on"], [""] * len(pairs))
        Image.fromarray(sheet).save(nearest_sheet, quality=82)
        text.append(f"![The generations nearest to any training picture, and those pictures]({nearest_sheet.name})\n")
    text.append((Path(__file__).parent / "card_text.md").read_text().replace("$SOURCES", sources_text(sources)))
    path.write_text("\n".join(text))


def sources_text(sources: list[dict]) -> str:
    """What a model was trained on, beside the renders: data sets with everybody's consent, by what its file registered."""
    if not sources:
        return "Renders of this project's own procedural world, nothing else: no photograph, film or artwork of anybody."
    listed = ", ".join(
        f"{one['records']} records of {one['kind']} (release `{one['release']}`, SHA-256 `{one['sha256'][:12]}`; {one['licence']})"
        for one in sources
    )
    return f"Renders of this project's own procedural world, and what artists said, with the consent of everybody in a record: {listed}."


def _in_order(table: dict):
    return [(name, table[name]) for name in _ROWS if name in table]


def _cell(value: dict | None) -> str:
    return f"{value['accuracy']:.2f} ({value['low']:.2f}–{value['high']:.2f})" if value else "–"


def _rollouts(report: dict) -> str:
    names = {
        "drift_mean": "drift of brightness, %", "drift_saturation": "drift of saturation, %", "drift_sharpness": "drift of sharpness, %",
        "seam": "frame difference at chunk starts over elsewhere", "motion": "motion", "flicker": "flicker",
    }
    columns = {"renders_8": "renders, 8 s", "rollout_8": "the model, 8 s", "rollout_60": "the model, 60 s"}
    columns = {name: head for name, head in columns.items() if name in report}

    def cell(figures, key):
        worst = f" (worst {figures[f'worst_{key}']:.1f})" if f"worst_{key}" in figures else ""
        return f"{figures[key]:.2f}{worst}"

    rows = [[text, *(cell(report[column], key) for column in columns)] for key, text in names.items()]
    note = "Drift: the largest change of any 4 s window against the first. Means over the rollouts, which move their camera or hold it.\n"
    return _table(["", *columns.values()], rows) + "\n" + note


def _count(value: dict | None) -> int:
    return value["count"] if value else 0


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)]) + "\n"


def _contact_sheet(clips: np.ndarray, rows: list[dict], across: int = 4) -> np.ndarray:
    """Middle frames: a row for each family, evenly over its prompts; not chosen by eye."""
    by_family: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_family.setdefault(row["family"], []).append(index)
    chosen = {
        family: [places[number * len(places) // across] for number in range(across)] for family, places in by_family.items()
    }
    pictures = [[np.asarray(clips[index][clips.shape[1] // 2]) for index in places] for places in chosen.values()]
    return grid(pictures, list(chosen), [""] * across)


def _plot(windows: list, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(12, 2.4))
    for index, name in enumerate(("brightness", "saturation", "sharpness", "motion")):
        for rollout in windows:
            axes[index].plot([4 * number for number in range(len(rollout))], [window[index] for window in rollout])
        axes[index].set_title(name, fontsize=10)
        axes[index].set_ylim(bottom=0)
        axes[index].set_xlabel("seconds", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
