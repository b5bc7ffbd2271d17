"""Run all benchmarks and write docs/performance.md: `python -m bench`."""

import os
import platform
from datetime import date
from pathlib import Path

from lanterne.__main__ import begin


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    begin()
    import torch

    from bench import generate, service, transformer

    version = torch.__version__.partition("+")[0]
    text = f"""# Performance

Measured on {date.today().isoformat()} by `make bench` on {processor()}, {os.cpu_count()} cores, torch {version}.
Machines are shared and noisy: trust the ratios, which come from runs side by side, more than the times.

## A whole command

`lanterne generate "{generate.PROMPT}" --seconds N`, 256x144, start-up and writing included; medians.

{generate.table()}

## One forward of the transformer

The embedded model's shape against `diffusers.WanTransformer3DModel` with the same weights, full attention, turn by turn in one process,
medians of {transformer.PAIRS} pairs.

{transformer.table()}

## The server

{service.report()}
"""
    path = Path("docs/performance.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
