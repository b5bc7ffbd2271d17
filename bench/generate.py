"""Whole commands, each in a fresh process: what a second of video costs, and whether memory grows with the length."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROMPT = "ocean waves at sunset, a few clouds, slow pan right"
NATIVE, LARGE = "256x144", "1280x720"
RUNS = {(4, NATIVE): 5, (10, NATIVE): 3, (60, NATIVE): 1, (4, LARGE): 3}


def run(seconds: float, size: str, folder: Path) -> dict:
    """The command's own summary: time with start-up, peak memory."""
    command = [sys.executable, "-m", "lanterne", "generate", PROMPT, "--seconds", str(seconds), "--size", size, "--seed", "1", "--json"]
    done = subprocess.run([*command, "-o", str(folder / f"{seconds}-{size}.mp4")], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure() -> dict[tuple[int, str], dict]:
    """By length and size: medians of seconds and of peak megabytes. They take turns, since the machine is shared."""
    results = {what: [] for what in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(max(RUNS.values())):
            for what, runs in RUNS.items():
                if turn < runs:
                    results[what].append(run(*what, Path(folder)))
    return {
        what: {
            "elapsed": statistics.median(row["elapsed_seconds"] for row in rows),
            "memory": statistics.median(row["peak_memory_mb"] for row in rows),
        }
        for what, rows in results.items()
    }


def table() -> str:
    rows = measure()
    lines = ["| video | whole command | compute per second of video | peak memory | runs |", "|---|---|---|---|---|"]
    for (seconds, size), row in rows.items():
        per_second, runs = row["elapsed"] / seconds, RUNS[seconds, size]
        name = f"{seconds} s" if size == NATIVE else f"{seconds} s, {size}"
        lines.append(f"| {name} | {row['elapsed']:.1f} s | {per_second:.2f} s | {row['memory']:.0f} MB | {runs} |")
    # Start-up and the first chunk are the same at every length: the cost of more video is the slope.
    native = {seconds: row for (seconds, size), row in rows.items() if size == NATIVE}
    slope = {b: (native[b]["elapsed"] - native[a]["elapsed"]) / (b - a) for a, b in ((4, 10), (10, 60))}
    lines.append(
        f"\nOne more second costs {slope[10]:.2f} s between 4 and 10 s, and {slope[60]:.2f} s between 10 and 60 s; "
        f"the memory of 60 s is {native[60]['memory'] / native[10]['memory']:.2f} times that of 10 s."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
