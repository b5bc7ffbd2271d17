"""A whole season, as docs/season.sh goes through it: against a real server and worker, in a home of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server, until

DOCS = Path(__file__).parent.parent / "docs"
# A process that has imported all once, and forks itself for each command; and the command, which hands it arguments and files.
_FORKS = """
import json, os, signal, socket, sys
from lanterne import cli
from lanterne.programme import report, statements
from lanterne.service import access_commands, dossier, pay_commands, releasing, report_commands, review_commands, voice_commands

listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    asking, _ = listener.accept()
    told, files, *_ = socket.recv_fds(asking, 2**18, 3)
    if os.fork() == 0:
        break
    asking.close()
    for file in files:
        os.close(file)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
for place, file in enumerate(files):
    os.dup2(file, place)
arguments, folder, env = json.loads(told)
os.chdir(folder)
os.environ.clear()
os.environ.update(env)
sys.argv = ["lanterne", *arguments]
code = 1
try:
    cli.main()
except SystemExit as ended:
    code = ended.code or 0
finally:
    sys.stdout.flush()
    asking.send(str(code).encode())
"""
_COMMAND = """#!{python} -SE
import json, os, socket, sys
asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asking.connect({place!r})
socket.send_fds(asking, [json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()], [0, 1, 2])
sys.exit(int(asking.recv(16)))
"""


@pytest.fixture
def server(tiny_weights, tmp_path):
    server = Server(tmp_path / "season" / "home", tiny_weights).start()
    yield server
    assert server.stop() == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def commands(server, tmp_path):
    """A folder with the command `lanterne`: forty new processes would spend most of their time on imports."""
    place, folder = tmp_path / "forks", tmp_path / "bin"
    folder.mkdir()
    command = folder / "lanterne"
    command.write_text(_COMMAND.format(python=sys.executable, place=str(place)))
    command.chmod(0o755)
    process = subprocess.Popen([sys.executable, "-c", _FORKS, str(place)], env=server.env)
    until(lambda: place.exists() or process.poll() is not None)
    yield folder
    process.kill()
    process.wait()


def test_the_script_goes_through_a_whole_season(server, commands, tmp_path):
    env = server.env | {"LANTERNE_PORT": str(server.port), "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
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
