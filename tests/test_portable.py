"""Without what Windows lacks, the modules of Python's own, and in its encoding; and what is in no encoding."""

import json
import os
import subprocess
import sys

import pytest

_ABSENT = "import sys; sys.modules.update(dict.fromkeys(['fcntl', 'resource', 'pwd', 'grp', 'termios', 'uvloop']))"


def _lanterne(*arguments):
    program = f"{_ABSENT}; from lanterne.cli import main; main()"
    command, env = [sys.executable, "-c", program, *map(str, arguments)], os.environ | {"PYTHONIOENCODING": "cp1252"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=env)


def test_a_video_is_made_and_told_and_repeated(tiny_weights, tmp_path):
    made = _lanterne("generate", "a lake → 湖", "--seconds", 0.5, "--weights", tiny_weights, "-o", tmp_path / "a.mp4", "--json")
    assert made.returncode == 0, made.stderr
    summary = json.loads(made.stdout)
    assert summary["peak_memory_mb"] is None and summary["frames"] == 8 and summary["prompt"] == "a lake → 湖"
    again = _lanterne("generate", "--again", tmp_path / "a.mp4", "--weights", tiny_weights, "-o", tmp_path / "b.mp4")
    assert again.returncode == 0, again.stderr
    assert "peak memory" not in again.stdout + again.stderr
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("command", ["read", "verify"])
def test_what_needs_no_server_runs(command, tmp_path):
    told = _lanterne(command, "--help")
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_server_says_where_it_runs(command):
    refused = _lanterne(command)
    assert refused.returncode == 2
    assert "does not run on Windows" in refused.stderr and "WSL" in refused.stderr


@pytest.mark.parametrize("command", ["generate", "read"])
def test_bytes_that_are_no_text_are_refused(command):
    refused = _lanterne(command, os.fsdecode(b"a caf\xe9 at dawn"))
    assert refused.returncode == 2
    assert "is not text in this system's encoding; write it in UTF-8" in refused.stderr


def test_a_file_may_have_any_name(tiny_weights, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    made = _lanterne("generate", "a lake", "--seconds", 0.5, "--weights", tiny_weights, "-o", path)
    assert made.returncode == 0, made.stderr
    assert path.stat().st_size > 1000
