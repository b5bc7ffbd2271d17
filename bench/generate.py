"""Whole commands, each in a fresh process: what a second of video costs, and whether memory grows with the length."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROMPT = "ocean waves at sunset, a few clouds, slow pan right"
LENGTHS = (4, 10, 60)
RUNS = {4: 5, 10: 3, 60: 1}


def run(seconds: float, folder: Path) -> dict:
    """The command's own summary: time with start-up, peak memory."""
    command = [sys.executable, "-m", "lanterne", "generate", PROMPT, "--seconds", str(seconds), "--seed", "1", "--json"]
    done = subprocess.run([*command, "-o", str(folder / f"{seconds}.mp4")], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure() -> dict[int, dict]:
    """By length: medians of seconds and of peak megabytes. Lengths take turns, since the machine is shared."""
    results = {seconds: [] for seconds in LENGTHS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(max(RUNS.values())):
            for seconds in LENGTHS:
                if turn < RUNS[seconds]:
                    results[seconds].append(run(seconds, Path(folder)))
    return {
        seconds: {
            "elapsed": statistics.median(row["elapsed_seconds"] for row in rows),
            "memory": statistics.median(row["peak_memory_mb"] for row in rows),
            "runs": len(rows),
        }
        for seconds, rows in results.items()
    }


def table() -> str:
    rows = measure()
    lines = ["| video | whole command | compute per second of video | peak memory | runs |", "|---|---|---|---|---|"]
    for seconds, row in rows.items():
        per_second = row["elapsed"] / seconds
        lines.append(f"| {seconds} s | {row['elapsed']:.1f} s | {per_second:.2f} s | {row['memory']:.0f} MB | {row['runs']} |")
    # Start-up and the first chunk are the same at every length: the cost of more video is the slope.
    slope = {b: (rows[b]["elapsed"] - rows[a]["elapsed"]) / (b - a) for a, b in ((4, 10), (10, 60))}
    lines.append(
        f"\nOne more second costs {slope[10]:.2f} s between 4 and 10 s, and {slope[60]:.2f} s between 10 and 60 s; "
        f"the memory of 60 s is {rows[60]['memory'] / rows[10]['memory']:.2f} times that of 10 s."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
