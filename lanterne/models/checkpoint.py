"""One file for everything a checkpoint is: tensors, the configs to build their modules from, and where they came from.

A safetensors file. Its header's metadata holds one JSON text under "lanterne": format version, each module's config, free metadata.
Tensors are named `<module>.<name in its state dict>`. In int8 files, large matrices are stored blockwise (Dettmers et al. 2022):
blocks of 64 values along the flattened last axes share one float16 scale, kept beside as `<name>.scale`; what is small or read as
it is stays float16. Loading is strict: a tensor too many, too few or of another shape is an error, never a guess.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lanterne.errors import LanterneError
from lanterne.models.autoencoder import AutoencoderConfig, StreamingAutoencoder
from lanterne.models.transformer import SpacetimeTransformer, TransformerConfig
from lanterne.models.upscaler import Upscaler, UpscalerConfig

FORMAT = 1
BLOCK = 64
_SMALLEST_INT8 = 4096  # values; below, the scales and the rounding are not worth it
_KINDS = {
    "transformer": (TransformerConfig, SpacetimeTransformer), "autoencoder": (AutoencoderConfig, StreamingAutoencoder),
    "upscaler": (UpscalerConfig, Upscaler),
}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "int8": torch.float16}
# Rounding these costs more than it saves: what faces the data, the noise level or the prompt.
_NEVER_INT8 = ("patch_embedding", "proj_out", "time_embedder", "conv_in", "conv_out", "scale_shift_table")

_DRAWING = ("uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_")  # a tensor's, and torch.nn.init's


class CheckpointError(LanterneError):
    """A file that is missing, foreign, damaged or does not fit the modules it names."""


@dataclass(frozen=True)
class Checkpoint:
    """What `load` read. state_dicts are float32; metadata is what `save` was given."""

    path: Path
    configs: dict[str, TransformerConfig | AutoencoderConfig | UpscalerConfig]
    state_dicts: dict[str, dict[str, Tensor]]
    metadata: dict

    def build(self, name: str) -> SpacetimeTransformer | StreamingAutoencoder | Upscaler:
        """The module `name` with its weights, float32, for inference.

        Raises CheckpointError where the file has no such module or its tensors do not fit its config.
        """
        if name not in self.configs:
            raise CheckpointError(
                f"{self.path} holds {_listed(self.configs)} but no {name}; give a checkpoint that has one."
            )
        with Undrawn():
            module, state = _KINDS[name][1](self.configs[name]), self.state_dicts[name]
        expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        given = {key: tuple(value.shape) for key, value in state.items()}
        for key in sorted(expected.keys() | given.keys()):
            if expected.get(key) != given.get(key):
                raise CheckpointError(
                    f"{self.path} does not fit its own config: {name}.{key} has shape {given.get(key, 'none')} where "
                    f"{expected.get(key, 'none')} belongs; the file is damaged or from another version, get it again."
                )
        module.load_state_dict(state)
        return module.requires_grad_(False).eval()


class Undrawn(TorchFunctionMode):
    """Within it modules are built without drawing their weights, which a file then gives: half a second less for ours.

    torch's own way, the meta device, makes it import sympy: a second more.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        return (args or (kwargs["tensor"],))[0] if func.__name__ in _DRAWING else func(*args, **kwargs)


def save(path: Path, modules: dict[str, nn.Module], metadata: dict, dtype: str = "int8") -> None:
    """Write modules {"transformer": ..., "autoencoder": ...} to one file, whole or not at all.

    dtype: "int8" (blockwise, the rest float16), "float16", "bfloat16" or "float32".
    """
    tensors = {}
    for module_name, module in modules.items():
        for name, value in module.state_dict().items():
            value, name = value.detach().cpu().float().contiguous(), f"{module_name}.{name}"
            if dtype == "int8" and value.numel() >= _SMALLEST_INT8 and value.ndim > 1 and not any(p in name for p in _NEVER_INT8):
                tensors[name], tensors[f"{name}.scale"] = quantise(value)
            else:
                tensors[name] = value.to(_DTYPES[dtype])
    header = {
        "format": FORMAT,
        "modules": {name: asdict(module.config) for name, module in modules.items()},
        "metadata": metadata,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    save_file(tensors, temporary, metadata={"lanterne": json.dumps(header, sort_keys=True)})
    temporary.chmod(0o644)  # safetensors makes it the owner's alone
    temporary.replace(path)


def load(path: Path) -> Checkpoint:
    """Raises CheckpointError, one sentence, for a file that is missing, foreign, damaged or of another version."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no weights file at {path}; check the path, or leave it out to use the embedded model.")
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get("lanterne")
            tensors = {name: file.get_tensor(name) for name in file.keys()} if header else {}  # noqa: SIM118 (no iterator)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); download or copy it again.") from None
    if header is None:
        raise CheckpointError(
            f"{path} is a safetensors file but not one of Lanterne's: its header names no modules; give one that Lanterne wrote."
        )
    try:
        header = json.loads(header)
        version, modules, metadata = header["format"], header["modules"], header["metadata"]
        configs = {name: _config(path, name, values) for name, values in modules.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path} has a header that cannot be read; the file is damaged, get it again.") from None
    if version != FORMAT:
        raise CheckpointError(f"{path} has format {version}, and this version reads {FORMAT}; update Lanterne or the file.")
    return Checkpoint(path, configs, _state_dicts(path, tensors, configs), metadata)


def quantise(value: Tensor) -> tuple[Tensor, Tensor]:
    """int8 (same shape) and float16 scales (rows, blocks), of blocks of 64 along the flattened last axes."""
    rows = value.flatten(1)
    blocks = nn.functional.pad(rows, (0, -rows.shape[1] % BLOCK)).unflatten(1, (-1, BLOCK))
    # Scales are rounded first, so that the integers make up for it; up, so that nothing leaves the range, but where they need no rounding:
    # what was quantised stays as it is, however often it is read and written.
    largest = blocks.abs().amax(dim=-1)
    scale = (largest / 127).clamp_min(2**-24).half()
    scale = torch.where(127 * scale.float() < largest, (scale.float() * (1 + 2**-10)).half(), scale)
    integers = (blocks / scale.float()[..., None]).round().clamp(-127, 127).to(torch.int8)
    return integers.flatten(1)[:, : rows.shape[1]].reshape(value.shape).contiguous(), scale.contiguous()


def dequantise(integers: Tensor, scale: Tensor) -> Tensor:
    """float32, of the shape of `integers`."""
    rows = integers.flatten(1)
    return (rows.float() * scale.float().repeat_interleave(BLOCK, dim=1)[:, : rows.shape[1]]).reshape(integers.shape)


def _config(path: Path, name: str, values: dict):
    if name not in _KINDS:
        raise CheckpointError(f"{path} holds a module {name!r}; this version knows {_listed(_KINDS)}.")
    kind = _KINDS[name][0]
    known = {field.name for field in fields(kind)}
    for odd in sorted(values.keys() ^ known):
        problem = "unknown" if odd in values else "missing"
        raise CheckpointError(f"{path}: the {name}'s config field {odd!r} is {problem}; the file is from another version.")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _state_dicts(path: Path, tensors: dict[str, Tensor], configs: dict) -> dict[str, dict[str, Tensor]]:
    state_dicts = {name: {} for name in configs}
    for full_name, value in tensors.items():
        module_name, _, name = full_name.partition(".")
        if module_name not in configs:
            raise CheckpointError(f"{path} holds a tensor {full_name!r} of no module it names; the file is damaged, get it again.")
        if value.dtype == torch.int8:
            scale = tensors.get(f"{full_name}.scale")
            blocks = (value.shape[0], -(-value[0].numel() // BLOCK))
            if scale is None or tuple(scale.shape) != blocks:
                raise CheckpointError(f"{path} has no fitting scales for {full_name!r}; the file is damaged, get it again.")
            state_dicts[module_name][name] = dequantise(value, scale)
        elif not (name.endswith(".scale") and tensors.get(full_name.removesuffix(".scale"), value).dtype == torch.int8):
            state_dicts[module_name][name] = value.float()
    return state_dicts


def _listed(names) -> str:
    return ", ".join(names) or "nothing"
