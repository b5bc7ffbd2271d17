"""The command line. Heavy modules are imported where they are used, so that help and completion answer at once."""

import errno
import io
import os
import sys
import traceback
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from lanterne import __version__
from lanterne.errors import Cancelled, LanterneError

# The base of typer's errors of usage, whether typer brings its own copy of click or uses the installed one.
_UsageError = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
ASPECTS = {"16:9": (256, 144), "9:16": (144, 256), "1:1": (192, 192)}

app = typer.Typer(
    name="lanterne",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A text becomes a video, on this computer. Start with: lanterne generate \"a lake at dawn, fog, slow pan left\"",
)


def _print_version(value: bool):
    if value:
        typer.echo(f"lanterne {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and stop.")
    ] = False,
):
    pass


@app.command()
def generate(
    prompt: Annotated[str | None, typer.Argument(help="What the video should show, in English.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, .mp4 (or .png for a still). By default "
                                  "lanterne-output/ and a name made of the prompt.", show_default=False)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Length: 0.25 to 600, or 0 for a still picture; an edit has its source's. \\[default: 4]")
    ] = None,
    aspect: Annotated[str | None, typer.Option(help="Shape: 16:9, 9:16 or 1:1. \\[default: 16:9]")] = None,
    size: Annotated[
        str | None, typer.Option(help="Size in pixels, such as 1280x720; beyond the model's own it is scaled up. "
                                 "\\[default: the model's own, 256x144 for 16:9]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same video. \\[default: drawn anew]")] = None,
    negative: Annotated[str | None, typer.Option(help="What it should not show.", show_default=False)] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to start from.", show_default=False)] = None,
    continue_: Annotated[
        Path | None, typer.Option("--continue", help="A video to go on from; the result holds it and --seconds more.",
                                  show_default=False)
    ] = None,
    edit: Annotated[Path | None, typer.Option(help="A video to remake as the prompt says.", show_default=False)] = None,
    strength: Annotated[float | None, typer.Option(help="With --edit: how much may change, above 0 to 1. \\[default: 0.6]")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampling steps per chunk, 1 to 200; more is slower and finer. \\[default: 8]")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="How strictly to follow the prompt, 1 to 20. \\[default: 3]")
    ] = None,
    again: Annotated[
        Path | None, typer.Option(help="Repeat what made this file; other options given change it.", show_default=False)
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help='Finish an interrupted run: its name, or "last"; --output may be another.', show_default=False)
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Another weights file than the embedded one.", show_default=False)] = None,
    mark: Annotated[bool, typer.Option("--mark", help='Show "made with AI" in a corner.')] = False,
    preview: Annotated[Path | None, typer.Option(help="Keep a rough picture of the work in this PNG.", show_default=False)] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON; progress goes to standard error.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary, errors only.")] = False,
):
    """Make a video (or a still) from a prompt.

    Ctrl-C stops cleanly; what was finished can be taken up again with --resume last.

    Examples:

      lanterne generate "waves on a rocky coast at sunset"

      lanterne generate "a canyon at night, storm" --seconds 60 -o film.mp4

      lanterne generate "waves on a rocky coast, snow falling" --continue film.mp4
    """
    from lanterne.face import Order, fulfil, require_preview

    chosen = {
        "prompt": prompt, "negative_prompt": negative, "seconds": seconds, "seed": seed, "steps": steps,
        "guidance": guidance, "strength": strength,
    }
    width, height = _size_of(size, aspect)
    given = {"image": image, "continue": continue_, "edit": edit}
    order = Order.of(chosen | {"width": width, "height": height}, given, output, weights, mark, again, resume)
    if preview:
        require_preview(preview, [order.output, *order.given.values(), *([again] if again else [])])
    fulfil(order, preview=preview, as_json=json_, quiet=quiet)


@app.command()
def read(
    prompt: Annotated[str, typer.Argument(help="What to read.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
):
    """Say how a prompt is read, in a second and without making a video: what of it is understood, what not, and what the model is told."""
    import json

    from lanterne.models.prompt_classifier import load_classifier
    from lanterne.models.text_encoder import TextEncoder
    from lanterne.request import Request
    from lanterne.world.prompts import expand, understand
    from lanterne.world.reading import report, values_said

    Request(prompt, seed=0)  # refuses what `generate` would
    guesses = load_classifier().guess(prompt, TextEncoder.load())
    said, told = understand(prompt, guess=lambda _: guesses), expand(prompt, guess=lambda _: guesses)
    if as_json:
        unknown, left_out = [word for word, _ in said.unknown_words], list(said.left_out)
        found = {"understood": values_said(said), "unknown_words": unknown, "left_out": left_out, "told": told}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    line, lacking = report(prompt, said)
    typer.echo("\n".join([line, *lacking, f"Told to the model: {told}"]))


def _size_of(size: str | None, aspect: str | None) -> tuple[int | None, int | None]:
    if aspect is not None and aspect not in ASPECTS:
        raise LanterneError(f"The aspect {aspect!r} is unknown; give one of {', '.join(ASPECTS)}.")
    if size is None:
        return ASPECTS[aspect] if aspect else (None, None)
    from lanterne.request import read_size

    found = read_size(size)
    if not found:
        raise LanterneError(f"The size {size!r} cannot be read; give width x height in pixels, such as 1280x720.")
    width, height = found
    if aspect and abs(width / max(height, 1) / (ASPECTS[aspect][0] / ASPECTS[aspect][1]) - 1) > 0.02:
        raise LanterneError(f"The size {size} does not have the aspect {aspect}; leave one of the two out.")
    return width, height


_POSIX = ("fcntl", "resource")  # modules of Python's own that Windows has not


def _needs(extra: str, error: ImportError) -> LanterneError:
    if error.name in _POSIX:
        return LanterneError("This command does not run on Windows, which lacks the locks it takes; run it in WSL, on Linux or on macOS.")
    return LanterneError(
        f"This command needs {error.name}, which is not installed; run `pip install 'lanterne[{extra}]'` first."
    )


_SERVICE = "lanterne.service.commands"
_PROGRAMME = "lanterne.service.pay_commands"
_ACCESS = "lanterne.service.access_commands"
_REVIEW = "lanterne.service.review_commands"
_VOICE = "lanterne.service.voice_commands"
_LAZY = {  # command: where it is, and the extra that it needs
    "serve": (_SERVICE, "serve_app", "serve"),
    "worker": (_SERVICE, "worker_app", "serve"),
    "keys": (_SERVICE, "keys_app", "serve"),
    "doctor": (_SERVICE, "doctor_app", "serve"),
    "backup": (_SERVICE, "backup_app", "serve"),
    "restore": (_SERVICE, "restore_app", "serve"),
    "trace": (_SERVICE, "trace_app", "serve"),
    "webhooks": (_SERVICE, "webhooks_app", "serve"),
    "verify": ("lanterne.service.verify_commands", "verify_app", "serve"),
    "people": (_ACCESS, "people_app", "programme"),
    "cohort": (_ACCESS, "cohort_app", "programme"),
    "invite": (_ACCESS, "invite_app", "programme"),
    "revoke": (_ACCESS, "revoke_app", "programme"),
    "leaks": (_ACCESS, "leaks_app", "programme"),
    "drill": (_ACCESS, "drill_app", "programme"),
    "policy": (_REVIEW, "policy_app", "programme"),
    "release": (_REVIEW, "release_app", "programme"),
    "review": (_REVIEW, "review_app", "programme"),
    "ledger": (_PROGRAMME, "ledger_app", "programme"),
    "pay": (_PROGRAMME, "pay_app", "programme"),
    "audit": (_PROGRAMME, "audit_app", "programme"),
    "report": ("lanterne.service.report_commands", "report_app", "programme"),
    "feedback": (_VOICE, "feedback_app", "programme"),
    "consent": (_VOICE, "consent_app", "programme"),
    "data": (_VOICE, "data_app", "programme"),
    "world": ("lanterne.world.commands", "app", "world"),
    "train": ("lanterne.train.commands", "app", "train"),
    "evaluate": ("lanterne.evaluate.commands", "app", "train"),
}


class _Lazy(typer.core.TyperGroup):
    """Commands of the groups below are imported only when one of them is called."""

    def get_command(self, ctx, name):
        if name not in _LAZY:
            return super().get_command(ctx, name)
        from importlib import import_module

        module, attribute, extra = _LAZY[name]
        try:
            command = typer.main.get_command(getattr(import_module(module), attribute))
        except ImportError as error:
            raise _needs(extra, error) from error
        command.name = name
        return command

    def list_commands(self, ctx):
        return [*super().list_commands(ctx), *_LAZY]


app.info.cls = _Lazy


def main() -> None:
    """Entry point: every error becomes one sentence and an exit code."""
    _write_any_letter()
    try:
        code = typer.main.get_command(app).main(prog_name="lanterne", standalone_mode=False)
        if code == 130:  # typer's for Ctrl-C, which it keeps to itself
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except Cancelled as stopped:
        _say(str(stopped))
        sys.exit(130)
    except (KeyboardInterrupt, typer.Abort):
        _say("Stopped.")
        sys.exit(130)
    except LanterneError as error:
        _say(f"Error: {error}")
        sys.exit(2)
    except _UsageError as error:
        if message := error.format_message():  # there is none where the help was the answer
            if "unexpected extra argument" in message:
                message += "; put a text of several words in quotes"
            _say(f"Error: {message}" if message.endswith("?") else f"Error: {message.removesuffix('.')}.")
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone: nobody is left to tell
        sys.exit(1)
    except MemoryError:
        _say("Error: there is not enough memory; close other programs or ask for a smaller video.")
        sys.exit(1)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and sys.argv[1:] and (lazy := _LAZY.get(sys.argv[1])):
            _say(f"Error: {_needs(lazy[2], error)}")
            sys.exit(2)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to be written would fail again at the end
            _say("Error: the disk is full where this was to be written; free some space, or choose another place.")
            sys.exit(2)
        _say(f"Lanterne failed, and not through anything you did; please report it with the details in {_log_fault()}.")
        sys.exit(1)


def _write_any_letter() -> None:
    """UTF-8 into files and pipes, whatever the system's encoding: JSON is to be read elsewhere, and a prompt holds letters that an older
    encoding lacks. At a terminal, whose encoding stands, those are written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def _log_fault() -> Path | str:
    from lanterne.paths import home

    try:
        folder = home() / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{datetime.now():%Y%m%d-%H%M%S-%f}.txt"
        path.write_text(f"lanterne {__version__}, Python {sys.version}\n{traceback.format_exc()}", encoding="utf-8")
        return path
    except OSError:
        traceback.print_exc()
        return "the lines above"


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
