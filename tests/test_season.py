"""A whole season, as docs/season.sh goes through it: against a real server and worker, in a home of its own."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def server(tiny_weights, tmp_path):
    server = Server(tmp_path / "season" / "home", tiny_weights).start()
    yield server
    assert server.stop() == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def test_the_script_goes_through_a_whole_season(server, tmp_path):
    command = tmp_path / "bin" / "lanterne"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lanterne.cli "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    env = server.env | {
        "LANTERNE_PORT": str(server.port), "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(["bash", DOCS / "season.sh"], env=env, capture_output=True, text=True, timeout=590)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    for words in (
        "Hours: 35.00 EUR", "signed by", "second look, now refused", "appeal look, now approved", "70.00 EUR", "81.67 EUR", "figure by figure",
        "lines hold", "opens nothing more",
    ):
        assert words in said, said
