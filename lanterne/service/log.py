"""The service's log: lines on standard error, each with its time, level and origin. Prompts and keys are never in it."""

import logging
import sys


def start() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("lanterne").setLevel(logging.INFO)
