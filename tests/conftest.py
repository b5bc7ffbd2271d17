"""Shared by the tests: a tiny model in a file, and a home of its own for every test."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the program does; threads that spin would starve each other
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import pytest
import torch

from lanterne.models import checkpoint
from lanterne.models.autoencoder import AutoencoderConfig, StreamingAutoencoder
from lanterne.models.transformer import SpacetimeTransformer, TransformerConfig

# What takes longest is handed out first, or one of the test processes would end with it alone. The kernels are compiled by test_things,
# before the others that render need them.
_FIRST = "jobs things season revocation week fuzz evaluate cli trouble train traces backup".split()

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # test processes share the cores


def pytest_collection_modifyitems(items):
    places = {f"test_{name}.py": place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("LANTERNE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """A checkpoint of the embedded model's shape in the large and tiny in the small, with random weights that do something."""
    torch.manual_seed(7)
    transformer = SpacetimeTransformer(
        TransformerConfig(in_channels=8, out_channels=8, num_heads=2, head_dim=16, num_layers=3, ffn_width=48)
    )
    autoencoder = StreamingAutoencoder(
        AutoencoderConfig(
            latent_channels=8, encoder_widths=(8, 8, 16), encoder_blocks=(1, 1, 1), decoder_widths=(8, 8, 16), decoder_blocks=(1, 2, 1)
        )
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    checkpoint.save(path, {"transformer": transformer, "autoencoder": autoencoder}, {"training": {"data": "none"}}, dtype="float32")
    return path
