"""GPT-2 from a folder and back, and its two ways of reading: with gradients, and fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from attrs import asdict
from torch.nn.utils.rnn import pad_sequence

from aegis import ModelError, Problem
from aegis.neural import save_json, save_tensors
from aegis_gpt2_lora.decoding import has_plain_layers
from aegis_gpt2_lora.gpt2 import Gpt2, Memory, Shape
from aegis_gpt2_lora.language_model import Prefix, along
from aegis_gpt2_lora.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from aegis_gpt2_lora.language_model import Branches
    from aegis_gpt2_lora.model_folder import ModelFolder

_ROOT: Final = "transformer."  # files of the original release leave it out
_TRANSPOSED: Final = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # stored (in, out)
_NOT_LOADED: Final = (".attn.bias", ".attn.masked_bias")  # constant masks in older files
_HEAD: Final = "lm_head.weight"  # the token embedding again


class Gpt2Model:
    """A GPT-2 as the engine uses it.

    Args:
        module: The weights.
        config: config.json, kept for `save`.
    """

    def __init__(self, module: Gpt2, config: Mapping[str, Any] | None = None) -> None:
        self.module = module
        self._config = dict(config or {})
        self._fast: Reader | None = None
        self._looked = False

    @classmethod
    def open(cls, model: ModelFolder, device: torch.device) -> Gpt2Model | None:
        """Return the model of a folder in float32, or None if it is no GPT-2 that is served here.

        Raises:
            ModelError: Naming every tensor that is missing, unknown or of another shape.
        """
        shape = Shape.of(model.config)
        if shape is None:
            return None
        with torch.device("meta"):  # no time is spent on weights that are replaced
            module = Gpt2(shape)
        tensors = loaded(_stored(model))
        _check(module, tensors, model.folder)
        module.load_state_dict(tensors, assign=True)
        return cls(module.to(device).requires_grad_(requires_grad=True).eval(), model.config)

    def renew(self) -> None:
        """Look at the module again, whose weights were changed, exchanged or wrapped."""
        self._looked = False

    def read(self, ids: Sequence[int], after: Prefix | None = None) -> Prefix:
        """Return the prefix `after` with ids added."""
        reader = self._reader()
        if reader is not None:
            return reader.read(ids, after)
        past = after.memory if after is not None else None
        hidden, new = self.module(self._tensor(ids)[None], past, last_only=True)
        memory = [Memory(k[0], v[0]) for k, v in new]
        if after is not None:
            memory = [_joined(old, added) for old, added in zip(after.memory, memory, strict=True)]
        whole = (*after.ids, *ids) if after is not None else tuple(ids)
        return Prefix(whole, memory, self.module.head(hidden[0, -1]))

    def branch(self, prefix: Prefix, branches: Branches) -> torch.Tensor:
        """Return logits (M, V) of what follows each token of continuations."""
        reader = self._reader()
        if reader is not None:
            return reader.branch(prefix, branches)
        ids = pad_sequence([self._tensor(branch) for branch in branches], batch_first=True)
        lengths = torch.tensor([len(branch) for branch in branches], device=ids.device)
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]  # (N, L)
        return self.module.head(self.module.branches(ids, real, prefix.memory))

    def consider(
        self, ids: Sequence[int], branches: Branches, after: Prefix | None = None
    ) -> tuple[Prefix, list[torch.Tensor]]:
        """Return the prefix `after` with ids added, and the log-probabilities of branches, (L,)."""
        reader = self._reader()
        if reader is not None:
            return reader.consider(ids, branches, after)
        prefix = self.read(ids, after)
        return prefix, along(self, prefix, branches)

    def batch(
        self, items: Sequence[tuple[Sequence[int], Branches]], after: Prefix | None = None
    ) -> list[list[torch.Tensor]]:
        """Return the log-probabilities of the branches of several texts after one prefix."""
        reader = self._reader()
        if reader is not None:
            return reader.batch(items, after)
        return [self.consider(ids, branches, after)[1] for ids, branches in items]

    def _reader(self) -> Reader | None:
        """Return what reads without gradients; None where there are some, or adapters in place."""
        if torch.is_grad_enabled():
            return None
        if not self._looked:
            self._fast = Reader(self.module) if has_plain_layers(self.module) else None
            self._looked = True
        return self._fast

    def _tensor(self, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor(ids, dtype=torch.long, device=self.module.embedding.device)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights as files hold them."""
        return {
            name: weight.T if name.endswith(_TRANSPOSED) else weight
            for name, weight in self.module.state_dict().items()
        }

    def save(self, directory: Path) -> None:
        """Write config.json and model.safetensors in the form that transformers reads too."""
        config = {
            **self._config,
            **asdict(self.module.shape),
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "tie_word_embeddings": True,
            "dtype": "float32",
        }
        config.pop("torch_dtype", None)
        save_tensors(directory / "model.safetensors", self.tensors())
        save_json(directory / "config.json", config)


def _joined(old: Memory, new: Memory) -> Memory:
    return Memory(torch.cat([old.keys, new.keys], 1), torch.cat([old.values, new.values], 1))


def loaded(tensors: Iterable[tuple[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the state of a `Gpt2` from tensors as files hold them, in float32."""
    state = {}
    for name, tensor in tensors:
        full = name if name.startswith((_ROOT, _HEAD)) else _ROOT + name
        if full == _HEAD or full.endswith(_NOT_LOADED):
            continue
        # Copied: results depend on alignment, and a mapped file must not change under the model.
        weight = tensor.detach().to(torch.float32, copy=True)
        state[full] = weight.T.contiguous() if full.endswith(_TRANSPOSED) else weight
    return state


def _stored(model: ModelFolder) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import safe_open

    for path in model.weights:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                yield name, file.get_tensor(name)


def _check(module: Gpt2, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    expected = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    problems = [f"tensor {name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"tensor {name} is unknown" for name in found.keys() - expected.keys()]
    problems += [
        f"tensor {name} has shape {found[name]}, config.json says {expected[name]}"
        for name in expected.keys() & found.keys()
        if expected[name] != found[name]
    ]
    if problems:
        fix = "fetch or save the model again"
        raise ModelError(
            Problem("model-damaged", text, str(folder), fix) for text in sorted(problems)
        )
