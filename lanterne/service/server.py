"""`lanterne serve`: brings the databases up to date, starts the worker beside itself and keeps it alive, and answers requests."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from lanterne.errors import LanterneError
from lanterne.paths import make_home
from lanterne.service import keys, queue
from lanterne.service.database import Database
from lanterne.service.deployment import store_of
from lanterne.service.settings import Settings

_log = logging.getLogger("lanterne.server")


def serve(settings: Settings, with_worker: bool = True) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises LanterneError where the port is taken, or a database or the weights cannot be used."""
    # Not above: commands such as `lanterne keys` prepare the databases, too, and should not wait for torch.
    import uvicorn

    from lanterne.service import app
    from lanterne.service.protocol import Protocol, Web

    if with_worker and settings.weights:
        check_weights(settings.weights)
    database = prepare(settings)
    store_of(settings).check()
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    settings = settings.model_copy(update={"port": port})  # links begin with it, and 0 is none
    if settings.unreachable:
        _log.warning(settings.unreachable)
    config = uvicorn.Config(
        app.build(settings), http=Protocol, ws="none", loop="uvloop", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=settings.grace_seconds,
    )
    web = Web(config)
    # uvicorn ends in order on SIGTERM and then raises it again, for this handler: the worker is still to be ended in order, too.
    signal.signal(signal.SIGTERM, lambda *_: setattr(web, "should_exit", True))
    keeper = WorkerKeeper(settings) if with_worker else None
    try:
        place = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        print(f"Lanterne listens on {place}/v1 (documentation: {place}/docs).", flush=True)
        if not keys.listed(database):
            print("There is no key yet; make one with: lanterne keys create --name me", flush=True)
        web.run(sockets=[listener])
    finally:
        if keeper:
            keeper.stop()


def prepare(settings: Settings) -> Database:
    """Databases, brought to this version, in a home folder that is its user's alone if it is made now."""
    make_home()
    database = Database(settings.database)
    database.migrate()
    try:
        queue.migrate(settings.jobs_database)
    except Exception as error:
        raise LanterneError(f"The jobs' database cannot be used: {str(error).splitlines()[0]}; check its address and its disk.") from error
    return database


def check_weights(path: Path) -> None:
    """By the header alone, without torch; the worker reads the rest. Raises LanterneError where there is no file of ours."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise LanterneError(f"There is no weights file at {path}; check the path, or leave it out to use the embedded model.")
    try:
        with safe_open(path, "numpy") as file:
            ours = "modules" in json.loads((file.metadata() or {}).get("lanterne", "{}"))
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise LanterneError(f"{path} is not a whole safetensors file ({error}); download or copy it again.") from None
    if not ours:
        raise LanterneError(f"{path} is a safetensors file but not one of Lanterne's; give one that Lanterne wrote.")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)  # from here on who connects waits instead of being refused
    except (OSError, OverflowError) as error:
        listener.close()
        raise LanterneError(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror or error}); give another with --host and --port."
        ) from None
    return listener


class WorkerKeeper:
    """Runs `lanterne worker` and starts it again when it dies. The worker ends by itself when this process does: its standard input
    is a pipe from here."""

    def __init__(self, settings: Settings):
        self._command = [sys.executable, "-m", "lanterne", "worker", "--slot", settings.worker, "--with-parent"]
        if settings.weights:
            self._command += ["--weights", str(settings.weights)]
        self._stopping = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen:
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, env=os.environ)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._process.wait()
            if self._stopping.is_set():
                return
            _log.error("the worker ended with code %s; it is started again", code)
            # A worker that cannot start would otherwise be started forever at full speed.
            self._stopping.wait(0 if time.monotonic() - began > 5 else 2)
            if not self._stopping.is_set():
                self._process = self._start()

    def stop(self) -> None:
        self._stopping.set()
        self._process.terminate()
        try:
            self._process.wait(45)
        except subprocess.TimeoutExpired:
            self._process.kill()
