"""How the program starts: with what libraries read from the environment once, before they run."""

import os
import signal
import sys
from contextlib import suppress

# OpenMP's threads wait asleep: those that spin made compiled torch ten times slower on two cores.
_THREADS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
# glibc keeps what is freed and takes it in huge pages. By default it hands large arrays back to the system, which then clears them page by
# page, again and again: 1.3 to 2.3 times the processor time of a training step, 1.15 times that of a generation.
_MEMORY = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"


def begin() -> None:
    """Set both, where the user has not; the process then starts once more, as the same program with the same arguments."""
    for name, value in _THREADS.items():
        os.environ.setdefault(name, value)
    if sys.platform != "linux":
        return
    if sys.executable and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = _MEMORY  # read before a process has run a line: so once more from the start
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C waits until there is somebody to answer
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def main() -> None:
    try:
        begin()
        from lanterne.cli import main as run

        run()
    except KeyboardInterrupt:  # before or after those that the command line answers itself
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    except SystemExit as done:
        if sys.argv[1:2] == ["generate"] and isinstance(done.code, int):
            _leave(done.code)
        raise


def _leave(code: int) -> None:
    """End at once: nothing is open any more, and taking torch apart module by module takes 0.3 s."""
    with suppress(OSError, ValueError):  # whoever read it is gone, or it is closed
        for stream in filter(None, (sys.stdout, sys.stderr)):  # there is none where it was closed from the start
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
