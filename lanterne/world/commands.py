"""`lanterne world`: look at the world that the model learns from."""

from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError

app = typer.Typer(no_args_is_help=True, help="Look at the rendered world that the model learns from.")


@app.command()
def sheet(
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture to write (.png or .jpg).")] = Path(
        "lanterne-output/world.png"
    ),
    by: Annotated[str, typer.Option(help="What is shown: time, weather, season, subject, camera, event or family.")] = "time",
    seed: Annotated[int, typer.Option(min=0, help="Which world.")] = 0,
):
    """Write a contact sheet: families by time of day (or another axis), or camera moves and events second by second."""
    from lanterne.world.sheet import BY, contact_sheet

    if by not in BY:
        raise LanterneError(f"--by {by!r} is unknown; give one of {', '.join(BY)}.")
    _write_picture(contact_sheet(by, seed), output)
    typer.echo(f"wrote {output}", err=True)


@app.command()
def render(
    prompt: Annotated[str | None, typer.Argument(help="What to show, in words; without it, what the seed draws.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The video to write (.mp4).")] = Path("lanterne-output/world.mp4"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same scene.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.0625, max=60, help="Length.")] = 4,
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "256x144",
    family: Annotated[str | None, typer.Option(help="mountains, lake, street, planet, table, ...")] = None,
    time: Annotated[str | None, typer.Option(help="dawn, morning, noon, sunset, dusk or night.")] = None,
    weather: Annotated[str | None, typer.Option(help="clear, cloudy, overcast, fog, rain, snow or storm.")] = None,
    camera: Annotated[str | None, typer.Option(help="static, pan_left, push_in, orbit, ...")] = None,
    subject: Annotated[str | None, typer.Option(help="boat, train, lighthouse, ...")] = None,
    event: Annotated[str | None, typer.Option(help="sunrise, nightfall, storm_coming, lights_on or timelapse.")] = None,
    truth: Annotated[bool, typer.Option(help="Also write depth, flow and classes beside it (.npz).")] = False,
):
    """Render one scene to a video and print its captions.

    The scene is the one that the words and the options ask for, at a clear noon where they say nothing else; without any, the seed's.
    """
    import numpy as np

    from lanterne.errors import writing
    from lanterne.request import read_size
    from lanterne.video import FPS, VideoWriter, require_name, require_writable
    from lanterne.world.captions import captions
    from lanterne.world.render import render as render_scene
    from lanterne.world.scene import draw_scene, to_dict

    width, height = read_size(size) or (1, 1)
    if width % 2 or height % 2:
        raise LanterneError(f"The size {size!r} cannot be rendered; give two even numbers, such as 256x144.")
    if not (16 <= width <= 1920 and 16 <= height <= 1920):
        raise LanterneError(f"The size {size} is out of range; give 16 to 1920 pixels a side.")
    require_name(output, "video", ".mp4")
    require_writable(output)
    chosen = {"family": family, "time_of_day": time, "weather": weather, "camera": camera, "subject": subject, "event": event}
    chosen = {name: value for name, value in chosen.items() if value}
    scene = _asked(prompt or "", chosen, seed) if prompt or chosen else draw_scene(seed, "any")
    result = render_scene(scene, width, height, max(1, round(seconds * FPS)))
    with VideoWriter(output, width, height, {"scene": to_dict(scene)}) as writer:
        writer.write(result.frames_THWC)
    if truth:
        path = output.with_suffix(".npz")
        with writing(path):
            np.savez_compressed(path, depth=result.depth_THW, flow=result.flow_THW2, classes=result.classes_THW)
    for text in captions(scene, scene.seed).values():
        typer.echo(text)
    typer.echo(f"wrote {output}", err=True)


def _asked(prompt: str, chosen: dict, seed: int):
    """The scene that a prompt and chosen values of its axes ask for. Raises LanterneError where the world has none."""
    from dataclasses import replace

    from lanterne.world.prompts import scene_of, understand
    from lanterne.world.scene import SUBJECTS, beginning

    try:
        said = understand(prompt)
        if "event" in chosen:
            chosen = beginning(chosen["event"]) | chosen
        if chosen.get("subject") in SUBJECTS and not said.family:
            chosen = {"family": understand(chosen["subject"]).family} | chosen
        return replace(scene_of(replace(said, **chosen), seed), **chosen)  # the second raises where they do not go together
    except ValueError as error:
        raise LanterneError(str(error)) from None


def _write_picture(picture, path: Path) -> None:
    from PIL import Image

    from lanterne.errors import writing

    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise LanterneError(f"{path} is no picture's name; end it in .png or .jpg.")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, quality=90)
