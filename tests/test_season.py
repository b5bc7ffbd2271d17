"""A whole season: docs/season.sh and the page that explains it."""

from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_goes_through_the_same_steps():
    """Every command of the season on the page is in the script, word for word."""
    script = (DOCS / "season.sh").read_text().splitlines()
    page = (DOCS / "programme.md").read_text()
    season = page[page.index("## A season"):page.index("\n## ", page.index("## A season") + 1)]
    blocks = [block.partition("```")[0] for block in season.split("```sh\n")[1:]]
    steps = [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]
    assert len(steps) > 40
    assert not [line for line in steps if line not in script]
