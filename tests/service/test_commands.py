"""The service's commands, as a person runs them."""

import os
import socket
import subprocess
import sys

import forks
import pytest
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


def test_doctor_finds_what_is_wrong(lanterne, home, tmp_path):
    ill = lanterne("doctor", LANTERNE_WEIGHTS=str(tmp_path / "none.safetensors"), LANTERNE_RESERVE_BYTES=str(2**60))
    assert ill.returncode == 1
    assert [line.split()[1].rstrip(":") for line in ill.stdout.splitlines() if line.startswith("MEND")] == ["home", "model", "keys"]
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
