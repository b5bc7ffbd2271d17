"""Checkpoints come back as they were, and whatever is not one is refused in one sentence."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lanterne.models import checkpoint
from lanterne.models.autoencoder import StreamingAutoencoder, autoencoder_tiny
from lanterne.models.checkpoint import CheckpointError, dequantise, quantise
from lanterne.models.transformer import SpacetimeTransformer, nano, tiny


@pytest.fixture
def modules():
    torch.manual_seed(0)
    return {"transformer": SpacetimeTransformer(tiny()), "autoencoder": StreamingAutoencoder(autoencoder_tiny())}


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0), ("float16", 1e-3), ("bfloat16", 1e-2), ("int8", 2e-2)])
def test_comes_back_as_it_was(modules, tmp_path, dtype, error):
    path = tmp_path / "a" / "m.safetensors"
    checkpoint.save(path, modules, {"steps": 3}, dtype)
    loaded = checkpoint.load(path)
    assert loaded.metadata == {"steps": 3}
    for name, module in modules.items():
        built = loaded.build(name)
        assert built.config == module.config
        for key, value in module.state_dict().items():
            assert (built.state_dict()[key] - value).norm() <= error * value.norm() + 1e-6, key


def test_int8_keeps_half_a_percent():
    torch.manual_seed(0)
    for shape in ((256, 1024), (64, 48, 3, 3), (100, 70)):
        value = torch.randn(shape) * torch.rand(shape[0], *[1] * (len(shape) - 1))
        integers, scale = quantise(value)
        assert integers.dtype == torch.int8 and scale.dtype == torch.float16
        assert (dequantise(integers, scale) - value).norm() < 0.008 * value.norm()
        again = quantise(dequantise(integers, scale))  # read and written again, as weights are put together
        assert torch.equal(again[0], integers) and torch.equal(again[1], scale)


def test_zeros_and_huge_values_survive():
    value = torch.zeros(4, 128)
    value[1] = 1000.0
    integers, scale = quantise(value)
    assert torch.allclose(dequantise(integers, scale), value, rtol=1e-2)


def test_int8_is_small(tmp_path):
    path = tmp_path / "n.safetensors"
    model = SpacetimeTransformer(nano())
    checkpoint.save(path, {"transformer": model}, {}, "int8")
    assert path.stat().st_size < 1.2 * sum(p.numel() for p in model.parameters())


def _edit(path, change):
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["lanterne"])
    tensors = load_file(path)
    change(header, tensors)
    save_file(tensors, path, metadata={"lanterne": json.dumps(header)})


def _drop(header, tensors):
    del tensors["transformer.proj_out.bias"]


def _add(header, tensors):
    tensors["transformer.extra"] = torch.zeros(1)


def _reshape(header, tensors):
    tensors["transformer.proj_out.bias"] = torch.zeros(7)


def _lose_scales(header, tensors):
    for name in [name for name in tensors if name.endswith(".scale")][:1]:
        del tensors[name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop, "transformer.proj_out.bias has shape none"),
        (_add, "transformer.extra has shape"),
        (_reshape, "transformer.proj_out.bias has shape"),
        (_lose_scales, "no fitting scales"),
        (lambda header, tensors: header["modules"]["transformer"].update(colour=1), "'colour' is unknown"),
        (lambda header, tensors: header["modules"]["transformer"].pop("num_heads"), "'num_heads' is missing"),
        (lambda header, tensors: header["modules"].update(sound={}), "module 'sound'"),
        (lambda header, tensors: header.update(format=99), "format 99"),
        (lambda header, tensors: header.pop("modules"), "header that cannot be read"),
        (lambda header, tensors: tensors.update({"stray.weight": torch.zeros(1)}), "no module it names"),
    ],
)
def test_what_does_not_fit_is_refused(modules, tmp_path, change, message):
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, modules, {}, "int8")
    _edit(path, change)
    with pytest.raises(CheckpointError, match=message) as error:
        checkpoint.load(path).build("transformer")
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_files_that_are_no_checkpoints_are_refused(modules, tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(CheckpointError, match="no weights file"):
        checkpoint.load(path)
    path.write_text("hello")
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        checkpoint.load(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not one of Lanterne's"):
        checkpoint.load(path)
    checkpoint.save(path, modules, {}, "float32")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        checkpoint.load(path)


def test_a_module_that_is_not_there_is_named(modules, tmp_path):
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, {"autoencoder": modules["autoencoder"]}, {})
    with pytest.raises(CheckpointError, match="holds autoencoder but no transformer"):
        checkpoint.load(path).build("transformer")
