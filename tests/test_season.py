"""A whole season, as docs/season.sh goes through it: against a real server and worker, in a home of its own."""

import os
import subprocess
from pathlib import Path

import forks
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
    path = f"{forks.lanterne().parent}{os.pathsep}{os.environ['PATH']}"
    env = server.env | {"LANTERNE_PORT": str(server.port), "PATH": path, "TMPDIR": str(tmp_path)}
    done = subprocess.run(["bash", DOCS / "season.sh"], env=env, capture_output=True, text=True, timeout=900)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    for words in (
        "Hours: 35.00 EUR", "By a machine-learning model", "second look, now refused", "It looks like a recording",
        "appeal look, now approved",
        "Approved for release: by 'reviewer-", "70.00 EUR, to be paid by", "81.67 EUR, to be paid by", "figure by figure",
        "has the steps that it says", "lines hold, 0 of them erased", "The key opens nothing more", "revoked",
    ):
        assert words in said, said


def test_the_page_goes_through_the_same_steps():
    """Every command of the season on the page is in the script, word for word."""
    script = (DOCS / "season.sh").read_text().splitlines()
    page = (DOCS / "programme.md").read_text()
    season = page[page.index("## A season"):page.index("\n## ", page.index("## A season") + 1)]
    blocks = [block.partition("```")[0] for block in season.split("```sh\n")[1:]]
    steps = [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]
    assert len(steps) > 40
    assert not [line for line in steps if line not in script]
