"""How much of what prompts say is read rightly: by the word lists alone, and with the classifier's guesses.

python -m bench.reading

By axis, of the prompts that state it the share read rightly, and of the others the share in which something is read. Which prompts are
which: `lanterne/world/held_out_prompts.txt`; the development ones are those by which the reading was chosen.
"""

from pathlib import Path

from lanterne.evaluate.evaluate import read_prompts
from lanterne.evaluate.judge import AXES
from lanterne.models.prompt_classifier import load_classifier
from lanterne.models.text_encoder import TextEncoder
from lanterne.world.prompts import understand

DEVELOPMENT = Path(__file__).parent.parent / "tests" / "development_prompts.txt"


def main() -> None:
    classifier, text_encoder = load_classifier(), TextEncoder.load()
    parts = {"development": read_prompts(path=DEVELOPMENT)}
    for row in read_prompts():
        parts.setdefault(row["part"], []).append(row)
    print(f"| prompts | read by | {' | '.join(AXES)} |\n|{'---|' * (len(AXES) + 2)}")
    for part, rows in parts.items():
        for reading, guess in (("lists", None), ("lists and classifier", lambda prompt: classifier.guess(prompt, text_encoder))):
            said = [understand(row["prompt"], guess=guess) for row in rows]
            print(f"| {part} ({len(rows)}) | {reading} | {' | '.join(_shares(rows, said, axis) for axis in AXES)} |", flush=True)


def _shares(rows, said, axis) -> str:
    pairs = [(row[axis], getattr(one, axis)) for row, one in zip(rows, said, strict=True)]
    stated, other = [(asked, read) for asked, read in pairs if asked], [read for asked, read in pairs if not asked]
    right = f"{sum(asked == read for asked, read in stated) / len(stated):.2f}" if stated else "–"
    return right + (f" ({sum(map(bool, other)) / len(other):.2f})" if other else "")


if __name__ == "__main__":
    main()
