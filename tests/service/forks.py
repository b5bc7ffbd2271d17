"""The command `lanterne` without the wait for imports: a process that has imported all once, and forks itself for each command."""

import atexit
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

# What is run in the place of `lanterne`: it hands its arguments, folder, environment and files over, and ends with the command's code.
_COMMAND = """#!{python} -SE
import json, os, socket, sys
asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asking.connect({place!r})
socket.send_fds(asking, [json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()], [0, 1, 2])
sys.exit(int(asking.recv(16)))
"""


@cache
def lanterne() -> Path:
    """The path of the command. Forty new processes would spend most of their time on imports. Only for what is done in the foreground: a
    signal reaches the one who asked, not the process that works."""
    folder = Path(tempfile.mkdtemp(prefix="lanterne-forks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place, command = folder / "socket", folder / "lanterne"
    command.write_text(_COMMAND.format(python=sys.executable, place=str(place)))
    command.chmod(0o755)
    process = subprocess.Popen([sys.executable, __file__, str(place)], stdin=subprocess.PIPE)
    atexit.register(process.stdin.close)
    while not place.exists():
        assert process.poll() is None, "the process that forks itself ended"
        time.sleep(0.05)
    return command


def _serve(place: str) -> None:
    from lanterne import cli

    late = ("face", "generate", "upscale", "service.dossier", "service.releasing", "programme.report", "programme.statements")
    for module in (*(f"lanterne.{name}" for name in late), *(module for module, *_ in cli._LAZY.values())):
        import_module(module)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{place}.made")
    listener.listen()
    os.rename(f"{place}.made", place)  # there only when it listens
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # forks share what was imported as long as nobody touches it
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:  # it closes when the tests are gone, however they end
        asking, _ = listener.accept()
        told, files, *_ = socket.recv_fds(asking, 2**18, 3)
        if os.fork() == 0:
            listener.close()
            _be(asking, files, json.loads(told))
        asking.close()
        for file in files:
            os.close(file)


def _be(asking: socket.socket, files: list[int], told: list) -> NoReturn:
    """The command that was asked for."""
    from lanterne import cli

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for at, file in enumerate(files):
        os.dup2(file, at)
        os.close(file)
    sys.stdout, sys.stderr = (os.fdopen(at, "w", buffering=1, closefd=False) for at in (1, 2))  # the old ones remember what these were
    arguments, folder, env = told
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
        gc.collect()  # closes databases, as the end of a process does
        sys.stdout.flush()
        sys.stderr.flush()
        asking.send(str(code).encode())
        os._exit(code)  # taking apart what was imported would take as long as its import


if __name__ == "__main__":
    _serve(sys.argv[1])
