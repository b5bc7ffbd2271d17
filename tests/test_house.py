"""The house's own rules: who may import whom, what the tree may weigh, what the README promises."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Into the packages on the left, nothing on the right is imported, not even inside a function.
FORBIDDEN = {
    "models": ("service", "generate", "video", "face", "cli", "train", "evaluate", "world"),
    "world": ("service", "models", "generate", "train", "evaluate", "face", "cli"),
    "train": ("service", "face", "cli"),
    "evaluate": ("service", "face", "cli"),
    "programme": ("service", "generate", "models", "world", "train", "evaluate", "face", "cli"),
    "service": ("train", "evaluate", "face", "cli"),
    "generate.py": ("service", "world", "train", "evaluate", "face", "cli"),
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package):
    place = ROOT / "lanterne" / package
    for path in [place] if place.is_file() else place.rglob("*.py"):
        for name in _imports(path):
            top, _, inner = name.partition(".")
            assert not (top == "lanterne" and inner.partition(".")[0] in FORBIDDEN[package]), f"{path} imports {name}"
            assert not (top in ("torch", "fastapi") and package in ("world", "programme")), f"{path} imports {name}"


def _tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_tree_travels_light():
    """At most 46 MiB, of which 40 MB are weights, one copy."""
    sizes = {path: path.stat().st_size for path in _tracked()}
    weights = [path for path in sizes if path.suffix == ".safetensors"]
    assert sum(sizes.values()) <= 46 * 2**20
    assert sum(sizes[path] for path in weights) <= 40e6
    assert sorted(path.stem for path in weights) == ["judge", "lanterne", "prompt-classifier"]


def test_the_readme_shows_the_two_commands_and_pictures_that_exist():
    text = (ROOT / "README.md").read_text()
    assert "make video" in text and "make test" in text
    pictures = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert pictures
    for target in pictures:
        assert target.startswith(("http", "#")) or (ROOT / target).exists(), target
