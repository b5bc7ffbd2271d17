"""The service's commands, as a person runs them."""

import os
import socket
import sqlite3
import subprocess
import sys

import forks
import pytest
from PIL import Image
from serving import Server


@pytest.fixture
def lanterne(tiny_weights, home):
    def run(*arguments, **settings):
        env = os.environ | {"LANTERNE_WEIGHTS": str(tiny_weights), "COLUMNS": "200"} | settings
        command = [sys.executable, "-m", "lanterne"] if "PYTHONPATH" in settings else [forks.lanterne()]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, env=env)

    return run


def test_help_names_the_commands_and_imports_nothing_heavy():
    code = (
        "import sys, lanterne.cli\nsys.argv = ['lanterne', '--help']\ntry: lanterne.cli.main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'fastapi', 'sqlalchemy', 'pydantic', 'dbos'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert told.splitlines()[-1] == "[]"
    assert all(name in told for name in ("serve", "worker", "keys", "webhooks", "doctor"))


def test_a_missing_extra_is_named(lanterne, tmp_path):
    (tmp_path / "broken" / "fastapi").mkdir(parents=True)
    (tmp_path / "broken" / "fastapi" / "__init__.py").write_text("raise ModuleNotFoundError('no', name='fastapi')")
    done = lanterne("serve", PYTHONPATH=f"{tmp_path / 'broken'}:{os.environ.get('PYTHONPATH', '')}")
    assert done.returncode == 2 and "lanterne[serve]" in done.stderr and "Traceback" not in done.stderr


def test_keys_from_making_to_revoking(lanterne):
    made = lanterne("keys", "create", "--name", "laptop", "--days", "3")
    assert made.stdout.startswith("ltn_") and "shown once" in made.stderr
    listed = lanterne("keys", "list").stdout
    assert "laptop" in listed and "until" in listed and made.stdout.strip() not in listed
    assert lanterne("keys", "revoke", listed.split()[0]).returncode == 0
    assert "revoked" in lanterne("keys", "list").stdout
    assert lanterne("keys", "create", "--name", "x", "--scope", "all").stderr.startswith("Error: There is no scope 'all'")
    lanterne("keys", "create", "--name", "limited", "--videos", "5", "--seconds", "60", "--period", "7")
    assert "0 of 5 videos and 0 of 60 seconds in 7 days" in lanterne("keys", "list").stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--days", "99999999999"), "'--days'"), (("--seconds", "99999999999999999999"), "'--seconds'"),
        (("--period", "99999999999"), "'--period'"), (("--owner", " "), "The owner ' ' cannot be used"),
        (("--name", ""), "The name '' cannot be used"),
    ],
)
def test_keys_have_bounds(lanterne, given, said):
    done = lanterne("keys", "create", "--name", "x", *given)
    assert done.returncode == 2 and said in done.stderr


def test_a_key_of_an_absurd_date_is_listed(lanterne, home):
    lanterne("keys", "create", "--name", "laptop", "--days", "3")
    with sqlite3.connect(home / "service.db") as database:
        database.execute("UPDATE keys SET expires_at = 8640000000000000")
    database.close()
    assert "until 9999-12-31" in lanterne("keys", "list").stdout


def test_a_home_that_cannot_be_is_a_sentence(lanterne, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for command in (("serve", "--port", "0"), ("worker",), ("keys", "list"), ("webhooks", "list")):
        done = lanterne(*command, LANTERNE_HOME=str(file))
        assert done.returncode == 2 and "could not be written: a part of that path is a file" in done.stderr, done.stderr
    assert "file could not be written" in lanterne("doctor", LANTERNE_HOME=str(file)).stdout


def test_weights_that_cannot_be_read_are_told_before_listening(lanterne, tmp_path):
    done = lanterne("serve", "--port", "0", LANTERNE_WEIGHTS=str(tmp_path / "none"))
    assert done.returncode == 2 and "There is no weights file" in done.stderr and "listens" not in done.stdout
    (tmp_path / "text").write_text("no weights")
    assert "is not a whole safetensors file" in lanterne("serve", "--port", "0", LANTERNE_WEIGHTS=str(tmp_path / "text")).stderr


def test_a_worker_ends_when_its_parent_does_and_in_order_when_it_cannot_start(tiny_weights, home, tmp_path):
    env = os.environ | {"LANTERNE_WEIGHTS": str(tmp_path / "none")}
    command = [sys.executable, "-m", "lanterne", "worker", "--with-parent"]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.wait(120) == 2 and "Fatal" not in process.stderr.read()
    with subprocess.Popen(command, env=env | {"LANTERNE_WEIGHTS": str(tiny_weights)}, stdin=subprocess.PIPE) as process:
        process.stdin.close()
        assert process.wait(120) == 1


def test_verify_needs_the_base_alone(tmp_path):
    """What `pip install lanterne` does not bring is hidden; pydantic comes with typer."""
    file = tmp_path / "still.png"
    Image.new("RGB", (64, 64)).save(file)
    code = (
        "import sys\nfor name in ('pydantic_settings', 'sqlalchemy', 'fastapi', 'dbos', 'alembic', 'argon2'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['lanterne', 'verify', {str(file)!r}, *sys.argv[1:]]\nfrom lanterne.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 5 and not done.stderr, done.stderr
    done = subprocess.run([sys.executable, "-c", code, "--trust", "nothere.pem"], capture_output=True, text=True)
    assert done.returncode == 2 and "There is no file nothere.pem" in done.stderr


def test_doctor_finds_what_is_wrong(lanterne, home, tmp_path):
    wrong = {"WEIGHTS": str(tmp_path / "none.safetensors"), "RESERVE_BYTES": str(2**60), "HOST": "0.0.0.0", "KEEP_DAY": "3"}
    ill = lanterne("doctor", **{f"LANTERNE_{name}": value for name, value in wrong.items()})
    assert ill.returncode == 1 and "LANTERNE_KEEP_DAYS" in ill.stdout and "LANTERNE_PUBLIC_URL" in ill.stdout
    told = [line.split()[1].rstrip(":") for line in ill.stdout.splitlines() if line.startswith("MEND")]
    assert told == ["settings", "home", "model", "links", "keys"]
    lanterne("keys", "create", "--name", "laptop")
    well = lanterne("doctor")
    assert well.returncode == 0 and "MEND" not in well.stdout, well.stdout
    (home / "service.db").write_bytes(b"nothing of a database" * 1000)
    assert "not a database" in lanterne("doctor").stdout


def test_a_taken_port_and_a_wrong_setting_are_sentences(lanterne):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = lanterne("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2 and "cannot be listened on" in done.stderr
    assert "port='many'" in lanterne("serve", LANTERNE_PORT="many").stderr


def test_the_first_start_says_how_to_make_a_key(tiny_weights, tmp_path):
    server = Server(tmp_path / "first", tiny_weights, fresh=True).start("--no-worker")
    try:
        assert "lanterne keys create" in server.process.stdout.readline()
        assert (tmp_path / "first").stat().st_mode & 0o777 == 0o700
    finally:
        assert server.stop() == 0
