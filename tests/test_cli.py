"""The command as a user runs it: a process, its output, its exit code and the files it leaves."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import av
import forks
import numpy as np
import pytest
import torch
from PIL import Image

from lanterne.__main__ import _MEMORY
from lanterne.request import GUIDANCE, STEPS, STRENGTH
from lanterne.video import VideoWriter


@pytest.fixture
def lanterne(tiny_weights, tmp_path, home):
    """Run the command in an empty folder; options for a quick run are added to `generate`. start: as a process that can get signals;
    whole: as one that imports all itself."""

    def run(*arguments, check=True, start=False, whole=False):
        arguments = [str(argument) for argument in arguments]
        if arguments[:1] == ["generate"] and "--weights" not in arguments and "--resume" not in arguments:
            arguments += ["--weights", str(tiny_weights)]
        command = [*([sys.executable, "-m", "lanterne"] if start or whole else [forks.lanterne()]), *arguments]
        options = {"cwd": tmp_path, "text": True, "env": os.environ | {"COLUMNS": "200"}}
        if start:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        done = subprocess.run(command, capture_output=True, timeout=120, **options)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _count(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_prompt_becomes_a_file_with_a_summary(lanterne, tmp_path):
    done = lanterne("generate", "a lake at dawn with a dragon", "--seconds", 1, "--steps", 2, "--json", "--size", "320x180")
    summary = json.loads(done.stdout)
    path = tmp_path / summary["file"]
    assert path.exists() and _count(path) == summary["frames"] == 16
    assert (summary["width"], summary["height"], summary["made_at"]) == (320, 180, "256x144")
    assert summary["sha256"] == _hash(path)
    assert summary["unknown_words"] == ["dragon"] and '"dragon"' in done.stderr
    assert summary["peak_memory_mb"] > 50


def test_again_repeats_to_the_byte_and_can_change_things(lanterne, tmp_path):
    lanterne("generate", "dunes at night", "--seconds", 0.5, "--steps", 2, "-o", "a.mp4")
    lanterne("generate", "--again", "a.mp4", "-o", "b.mp4")
    lanterne("generate", "--again", "a.mp4", "-o", "c.mp4", "--seed", 5)
    assert _hash(tmp_path / "a.mp4") == _hash(tmp_path / "b.mp4") != _hash(tmp_path / "c.mp4")


def test_zero_seconds_is_a_picture(lanterne, tmp_path):
    lanterne("generate", "a forest", "--seconds", 0, "--steps", 2, "--aspect", "1:1", "-o", "p.png", "--quiet")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (192, 192)


def test_start_image_continue_and_edit(lanterne, tmp_path):
    Image.new("RGB", (300, 200), (200, 80, 20)).save(tmp_path / "p.png")
    quick = ("--steps", 2, "--seed", 1)
    lanterne("generate", "a lake", "--seconds", 0.5, "--image", "p.png", "-o", "i.mp4", *quick)
    lanterne("generate", "a lake in fog", "--seconds", 0.5, "--continue", "i.mp4", "-o", "c.mp4", *quick)
    lanterne("generate", "a lake at night", "--edit", "i.mp4", "--strength", 0.5, "-o", "e.mp4", *quick)
    assert [_count(tmp_path / name) for name in ("i.mp4", "c.mp4", "e.mp4")] == [8, 16, 8]
    lanterne("generate", "--again", "c.mp4", "-o", "c2.mp4")
    assert _hash(tmp_path / "c.mp4") == _hash(tmp_path / "c2.mp4")


def test_a_video_of_somebody_else_is_continued(lanterne, tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 320, 240, {}, fps=30) as writer:
        writer.write(np.full((30, 240, 320, 3), 120, np.uint8))
    lanterne("generate", "a lake", "--seconds", 1, "--continue", "v.mp4", "-o", "c.mp4", "--steps", 1)
    assert _count(tmp_path / "c.mp4") == 32


def test_ctrl_c_keeps_what_is_done_and_resume_finishes_it(lanterne, tmp_path):
    options = ("generate", "a city at night", "--seconds", 4, "--steps", 6, "--seed", 2)
    lanterne(*options, "-o", "whole.mp4")
    process = lanterne(*options, "-o", "cut.mp4", start=True)
    runs = tmp_path / "home" / "runs"
    deadline = time.monotonic() + 60
    while not list(runs.glob("*/chunk-0000.npy")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told and "--resume" in told
    assert not list(tmp_path.glob("*cut*"))
    lanterne("generate", "--resume", "last")
    assert _hash(tmp_path / "cut.mp4") == _hash(tmp_path / "whole.mp4")
    assert not list(runs.iterdir())


def test_what_is_kept_of_an_interrupted_run_can_be_written_elsewhere(lanterne, tmp_path, home, tiny_weights):
    """Its own place is gone; beside it are orders that a crash left empty or in pieces."""
    (tmp_path / "text.txt").write_text("a file, not a folder")
    request = {"prompt": "a lake", "seed": 3, "seconds": 0.25, "steps": 1}
    order = {"request": request, "given": {}, "output": str(tmp_path / "text.txt" / "v.mp4"), "weights": str(tiny_weights)}
    for name, text in (("whole", json.dumps(order)), ("empty", ""), ("broken", json.dumps(order)[:40]), ("other", "[]")):
        (home / "runs" / name).mkdir(parents=True)
        (home / "runs" / name / "order.json").write_text(text)
    done = lanterne("generate", "--resume", "last", check=False)
    assert done.returncode == 2 and "not a folder" in done.stderr and "--output" in done.stderr
    assert "no interrupted run" in lanterne("generate", "--resume", "broken", check=False).stderr
    assert "*.mp4" in lanterne("generate", "--resume", "whole", "-o", "v.png", check=False).stderr
    done = lanterne("generate", "--resume", "last", "-o", "v.mp4")
    assert _count(tmp_path / "v.mp4") == 4 and "4 frames" in done.stderr


def test_a_video_that_can_no_longer_be_written_says_how_its_chunks_are_not_lost(tmp_path, home, tiny_weights, monkeypatch):
    from lanterne import face
    from lanterne.errors import LanterneError

    def fill_the_disk(*_):
        raise OSError(errno.ENOSPC, "full")

    given = {"prompt": "a lake", "seed": 3, "seconds": 0.25, "steps": 1}
    with monkeypatch.context() as patch, pytest.raises(LanterneError, match="the disk is full") as told:
        patch.setattr(face, "_sign", fill_the_disk)
        face.fulfil(face.Order.of(given, {}, tmp_path / "v.mp4", tiny_weights, False, None, None), quiet=True)
    name = next((home / "runs").iterdir()).name
    assert str(told.value).endswith(f" 1 chunk is kept; go on with: lanterne generate --resume {name} --output FILE.")
    face.fulfil(face.Order.of({}, {}, tmp_path / "w.mp4", None, False, None, name), quiet=True)
    assert _count(tmp_path / "w.mp4") == 4 and not (tmp_path / "v.mp4").exists()


@pytest.mark.parametrize("module", ["typer", "av"])  # before there is a command line, and in a command
def test_ctrl_c_at_any_time_says_stopped(lanterne, tmp_path, monkeypatch, module):
    (tmp_path / "slow" / module).mkdir(parents=True)
    (tmp_path / "slow" / module / "__init__.py").write_text("raise KeyboardInterrupt")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "slow"))
    done = lanterne("generate", "a lake", check=False, whole=True)
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


def test_without_a_command_the_help_is_all_that_is_said(lanterne):
    for group in ([], ["world"], ["train"], ["keys"]):
        done = lanterne(*group, check=False)
        assert done.returncode == 2 and "Usage: " in done.stdout and done.stderr == ""


def test_a_preview_is_written_over_no_file_that_is_needed(lanterne, tmp_path):
    Image.new("RGB", (256, 144)).save(tmp_path / "p.png")
    before = _hash(tmp_path / "p.png")
    for options in (("--preview", "p.png", "--image", "p.png"), ("--preview", "./s.png", "--seconds", 0, "-o", "s.png")):
        done = lanterne("generate", "a lake", *options, check=False)
        assert done.returncode == 2 and "written over" in done.stderr
    assert _hash(tmp_path / "p.png") == before
    lanterne("generate", "a lake", "--seconds", 0.25, "--steps", 1, "-o", "v.mp4", "--preview", "p.png")
    assert _hash(tmp_path / "p.png") != before


def test_an_edit_is_as_long_as_its_source_and_only_an_edit_has_a_strength(lanterne, tmp_path):
    quick = ("--steps", 1, "--seed", 1)
    lanterne("generate", "a lake", "--seconds", 0.5, "-o", "a.mp4", *quick)
    lanterne("generate", "a lake at night", "--edit", "a.mp4", "-o", "e.mp4", *quick)
    lanterne("generate", "--again", "e.mp4", "-o", "e2.mp4")
    assert _hash(tmp_path / "e.mp4") == _hash(tmp_path / "e2.mp4")
    for options, message in (
        (("a lake", "--edit", "a.mp4", "--seconds", 3), "--seconds 3"), (("--again", "e.mp4", "--seconds", 3), "--seconds 3"),
        (("--again", "a.mp4", "--strength", 0.5), "--strength"),
    ):
        done = lanterne("generate", *options, "-o", "x.mp4", check=False)
        assert done.returncode == 2 and message in done.stderr and not (tmp_path / "x.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate"], "There is no prompt"),
        (["generate", ""], "prompt is empty"),
        (["generate", "x" * 40_000], "40,000 characters"),
        (["generate", "a lake", "--seconds", "0.01"], "0.01 seconds"),
        (["generate", "a lake", "--seconds", "10000"], "10000 seconds"),
        (["generate", "a lake", "--seconds", "long"], "valid"),
        (["generate", "a lake", "--size", "255x143"], "width of 255"),
        (["generate", "a lake", "--size", "big"], "cannot be read"),
        (["generate", "a lake", "--size", "²x²"], "cannot be read"),
        (["generate", "a lake", "--aspect", "4:3"], "aspect '4:3'"),
        (["generate", "a lake", "--size", "100x100", "--aspect", "16:9"], "does not have the aspect"),
        (["generate", "a lake", "--image", "text.txt"], "cannot be read as a picture"),
        (["generate", "a lake", "--image", "none.png"], "no file"),
        (["generate", "a lake", "--continue", "half.mp4"], "cut short"),
        (["generate", "a lake", "--continue", "text.txt"], "cannot be read as a video"),
        (["generate", "a lake", "--edit", "half.mp4"], "cut short"),
        (["generate", "a lake", "--edit", "half.mp4", "--image", "text.txt"], "exclude each other"),
        (["generate", "a lake", "--strength", "0.5"], "--edit"),
        (["generate", "a lake", "--weights", "text.txt"], "not a whole safetensors file"),
        (["generate", "a lake", "--weights", "none.safetensors"], "no weights file"),
        (["generate", "a lake", "-o", "text.txt/v.mp4"], "not a folder"),
        (["generate", "a lake", "-o", "n" * 300 + ".mp4", "--weights", "none.safetensors"], "name is too long"),
        (["generate", "a lake", "-o", "v.avi"], "*.mp4"),
        (["generate", "a lake", "-o", "."], "*.mp4"),
        (["generate", "a lake", "--preview", "."], "*.png"),
        (["generate", "a lake", "--preview", "whole.mp4"], "*.png"),
        (["generate", "--again", "text.txt"], "holds no settings"),
        (["generate", "--resume", "nothing"], "no interrupted run"),
        (["generate", "a lake", "--no-such-option"], "No such option"),
        (["nonsense"], "No such command"),
        (["world", "render", "--family", "moon"], "not in this world"),
        (["world", "render", "--family", "lake", "--subject", "moon"], "or leave it out."),
        (["world", "render", "--size", "²x²"], "two even numbers"),
        (["world", "render", "-o", "w.png"], "*.mp4"),
        (["world", "render", "-o", "home/"], "*.mp4"),
        (["world", "sheet", "--by", "colour"], "--by 'colour'"),
        (["train", "render", "--device", "tpu"], "device 'tpu'"),
        pytest.param(
            ["train", "latents", "--device", "cuda"], "no NVIDIA GPU", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU"),
        ),
        (["train", "latents"], "run `lanterne train render` first"),
        (["train", "judge"], "run `lanterne train render` first"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(lanterne, tmp_path, arguments, message):
    (tmp_path / "text.txt").write_text("This is a text.")
    with VideoWriter(tmp_path / "whole.mp4", 256, 144, {}) as writer:
        writer.write(np.random.default_rng(0).integers(0, 255, (24, 144, 256, 3), dtype=np.uint8))
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    before = sorted(tmp_path.rglob("*.mp4"))
    done = lanterne(*arguments, check=False)
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and message in errors[0] and errors[0].endswith("."), done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*.mp4")) == before


def test_a_fault_of_ours_is_not_shown_as_the_users(lanterne, tmp_path, home, monkeypatch):
    """A broken installation: the road itself cannot be imported."""
    broken = tmp_path / "broken"
    (broken / "av").mkdir(parents=True)
    (broken / "av" / "__init__.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    done = lanterne("generate", "a lake", check=False, whole=True)
    assert done.returncode == 1
    assert "not through anything you did" in done.stderr and "Traceback" not in done.stderr
    assert "RuntimeError: broken" in next((home / "faults").glob("*.txt")).read_text()


def test_help_and_version_answer_without_torch(lanterne):
    assert "generate" in lanterne("--help", whole=True).stdout
    told = " ".join(lanterne("generate", "--help").stdout.split())
    assert "--continue" in told
    for default in (f"slower and finer. [default: {STEPS}]", f"1 to 20. [default: {GUIDANCE:g}]", f"above 0 to 1. [default: {STRENGTH}]"):
        assert default in told
    assert lanterne("--version").stdout.startswith("lanterne ")
    code = "import sys, lanterne.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_it_starts_with_memory_that_is_kept_unless_told_otherwise():
    code = "import os, lanterne.__main__ as start; print(os.environ.get('GLIBC_TUNABLES')); start.main()"
    plain = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    for given, seen in (({}, ["None", _MEMORY]), ({"GLIBC_TUNABLES": "glibc.malloc.check=0"}, ["glibc.malloc.check=0"])):
        command = [sys.executable, "-uc", code, "--version"]  # it begins once more, as the same program with the same arguments
        told = subprocess.run(command, env=plain | given, capture_output=True, text=True).stdout.splitlines()
        assert told[:-1] == seen and told[-1].startswith("lanterne ")


def test_how_a_prompt_is_read_can_be_seen_without_making_it(lanterne):
    said = lanterne("read", "we back away from the breakers as the last sun drowns, a dragon above").stdout
    assert said.startswith("Understood: coast, sunset") and "camera pull back" in said.splitlines()[0]
    assert '"dragon"' in said and "Told to the model: " in said
    found = json.loads(lanterne("read", "--json", "a canyon at noon, storm, the camera rises").stdout)
    assert found["understood"] == {"family": "canyon", "time_of_day": "noon", "weather": "storm", "camera": "rise"}
    assert found["unknown_words"] == [] and "canyon" in found["told"]


def test_the_world_can_be_looked_at(lanterne, tmp_path):
    lanterne("world", "render", "-o", "w.mp4", "--seconds", 0.25, "--size", "64x36", "--family", "coast", "--truth")
    assert _count(tmp_path / "w.mp4") == 4
    truth = np.load(tmp_path / "w.npz")
    assert truth["depth"].shape == truth["classes"].shape == (4, 36, 64) and truth["flow"].shape == (4, 36, 64, 2)
    said = lanterne("world", "render", "a lighthouse by night", "-o", "l.mp4", "--seconds", 0.25, "--size", "64x36", "--camera", "static")
    assert _count(tmp_path / "l.mp4") == 4 and "lighthouse" in said.stdout
    lanterne("world", "sheet", "-o", "s.png", "--by", "season")
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size[0] > 4 * 192


def test_a_name_is_told_as_it_is(lanterne, tmp_path):
    done = lanterne("generate", "a lake", "--seconds", 0, "--steps", 1, "-o", "[red]a[b].png")
    assert (tmp_path / "[red]a[b].png").exists() and "\n[red]a[b].png\n" in done.stderr


def test_what_is_not_a_file_is_refused_by_what_it_is(lanterne, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder").mkdir()
    for given, told in (("pipe.mp4", "is a device or a pipe"), ("folder", "is a folder"), ("nothing", "There is no file nothing")):
        for option in ("--continue", "--image", "--edit"):
            done = lanterne("generate", "a lake", option, given, "-o", "v.mp4", check=False)
            assert done.returncode == 2 and told in done.stderr, done.stderr
    for kind in ("jpg", "png", "webp"):
        Image.new("RGB", (256, 144)).save(tmp_path / f"p.{kind}")
        for option in ("--continue", "--edit"):
            done = lanterne("generate", "a lake", option, f"p.{kind}", "-o", "v.mp4", check=False)
            assert done.returncode == 2 and f"p.{kind} is a picture; give a video." in done.stderr, done.stderr


def test_a_file_that_is_given_is_not_written_over(lanterne, tmp_path):
    picture = tmp_path / "mine.png"
    Image.new("RGB", (256, 144)).save(picture)
    before = picture.read_bytes()
    done = lanterne("generate", "a lake", "--seconds", 0, "--image", "mine.png", "-o", "./mine.png", check=False)
    assert done.returncode == 2 and "written over the file given with --image" in done.stderr
    assert picture.read_bytes() == before


def test_a_second_run_of_the_same_name_or_video_is_refused_while_the_first_goes_on(lanterne, tmp_path, home):
    options = ("generate", "a city at night", "--steps", 6, "--seed", 2)
    first = lanterne(*options, "-o", "one.mp4", start=True)
    deadline = time.monotonic() + 60
    while not list(home.glob("runs/*/chunk-0000.npy")) and time.monotonic() < deadline:
        time.sleep(0.005)
    first.send_signal(signal.SIGSTOP)
    same_name = lanterne("generate", "dunes", "--seed", 3, "-o", "one.mp4", check=False)
    same_video = lanterne(*options, "-o", "two.mp4", check=False)
    first.send_signal(signal.SIGCONT)
    assert same_name.returncode == 2 and "Another run is writing one.mp4" in same_name.stderr
    assert same_video.returncode == 2 and "making this very video" in same_video.stderr
    first.communicate(timeout=60)
    assert first.returncode == 0 and not (tmp_path / "two.mp4").exists()
    assert not list((home / "locks").iterdir())


def test_an_interrupted_run_whose_source_changed_says_so(lanterne, tmp_path, home, tiny_weights):
    lanterne("generate", "dunes", "--seconds", 0.5, "--steps", 1, "-o", "source.mp4")
    (home / "runs" / "begun").mkdir(parents=True)
    order = {"request": {"prompt": "a lake", "seed": 3, "seconds": 0.25, "steps": 1}, "given": {"continue": str(tmp_path / "source.mp4")},
             "output": str(tmp_path / "v.mp4"), "weights": str(tiny_weights)}
    (home / "runs" / "begun" / "order.json").write_text(json.dumps(order))
    assert "it begins anew" in lanterne("generate", "--resume", "begun").stderr
    (tmp_path / "source.mp4").unlink()
    gone = lanterne("generate", "--resume", "begun", check=False)
    assert gone.returncode == 2 and "needs" in gone.stderr and "put it back" in gone.stderr


def test_closed_or_full_output_is_no_fault(lanterne, tmp_path):
    """Closed from the start, there is nowhere to write to; the file is made all the same."""
    command = f"{sys.executable} -m lanterne generate lake --seconds 0 --steps 1 -o v.png"
    for closed in (">&-", "2>&-"):
        done = subprocess.run(["bash", "-c", f"{command} {closed}"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    full = subprocess.run(["bash", "-c", f"{sys.executable} -m lanterne read lake > /dev/full"], capture_output=True, text=True)
    assert full.returncode == 2 and full.stderr.startswith("Error: the disk is full"), full.stderr


def test_a_prompt_without_quotes_is_told_of_them(lanterne):
    done = lanterne("generate", "a", "lake", check=False)
    assert done.returncode == 2 and "in quotes" in done.stderr
