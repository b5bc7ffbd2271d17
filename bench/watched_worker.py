"""A worker that writes down when the network computes: `python -m bench.watched_worker FILE`, in the environment of a server.

It is the worker of `lanterne worker`, with one method wrapped: each line of FILE is one step's pass or passes through the transformer,
as their begin and end on the system's monotonic clock, which all processes share.
"""

import sys
import time

from lanterne.guidance import GuidedNetwork
from lanterne.service import log, worker
from lanterne.service.settings import Settings


def main() -> None:
    inner = GuidedNetwork.velocity
    with open(sys.argv[1], "a", buffering=1) as passes:

        def velocity(*args, **kwargs):
            began = time.monotonic()
            try:
                return inner(*args, **kwargs)
            finally:
                passes.write(f"{began:.6f} {time.monotonic():.6f}\n")

        GuidedNetwork.velocity = velocity
        settings = Settings.load()
        log.start(settings)
        worker.work(settings)


if __name__ == "__main__":
    main()
