"""An adapter on disk, in PEFT's format, read and written without importing peft.

``adapter_model.safetensors`` and ``adapter_config.json`` are what PEFT's own
``PeftModel.from_pretrained`` reads; ``tokenizer.json`` is the tokenizer that it was trained with;
``aegis.json`` says which base model it belongs to. Reading is strict: only what is written here
is accepted, so that a file from elsewhere can change nothing but numbers of the right shapes.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from attrs import frozen

from aegis import ModelError
from aegis.neural import read_header, read_tokenizer_facts, save_json, save_tensors
from aegis_gpt2_lora.trainer_settings import LARGEST_RANK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
FACTS: Final = "aegis.json"
TOKENIZER: Final = "tokenizer.json"
_FORMAT: Final = "lora-adapter"
_JSON_LIMIT: Final = 256 * 1024  # bytes; real ones have about 2,000
_PREFIX: Final = "base_model.model."
_KEY: Final = re.compile(r"base_model\.model\.([A-Za-z0-9_.]{1,200})\.lora_([AB])\.weight")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
# What decides the arithmetic and is not ours to vary; the rest of PEFT's keys have its defaults.
_FIXED: Final[Mapping[str, Any]] = {
    "auto_mapping": None,
    "bias": "none",
    "inference_mode": True,
    "init_lora_weights": True,
    "modules_to_save": None,
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "use_dora": False,
    "use_rslora": False,
}
_FREE: Final = frozenset(
    {"base_model_name_or_path", "fan_in_fan_out", "lora_alpha", "lora_dropout", "r"}
    | {"target_modules"}
)


class Pair(NamedTuple):
    """The two matrices of one module: A (r, in) and B (out, r)."""

    a: torch.Tensor
    b: torch.Tensor


@frozen
class AdapterShape:
    """What decides an adapter's arithmetic beside its numbers.

    Attributes:
        rank: Rank of the matrices.
        alpha: The product of the matrices is scaled by alpha / rank.
        targets: Last parts of the names of the adapted modules, or full names; sorted.
    """

    rank: int
    alpha: int
    targets: tuple[str, ...]

    @property
    def scaling(self) -> float:
        """What the product of the matrices is multiplied by."""
        return self.alpha / self.rank


@frozen(eq=False)
class StoredAdapter:
    """An adapter as files hold it.

    Attributes:
        shape: Its rank, scale and targets.
        pairs: Its matrices in float32, by the name of the module that they stand on.
        base_model: How the base model was configured when it was trained.
        base_weights: sha256 over the base model's files.
        tokenizer: Fingerprint of the tokenizer.
    """

    shape: AdapterShape
    pairs: Mapping[str, Pair]
    base_model: str
    base_weights: str
    tokenizer: str

    @property
    def parameters(self) -> int:
        """Number of its weights."""
        return sum(a.numel() + b.numel() for a, b in self.pairs.values())


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter rather than a whole model."""
    return (folder / CONFIG).is_file()


def adapter_files(folder: Path) -> tuple[Path, ...]:
    """Return the files that decide what an adapter's engine answers."""
    return folder / WEIGHTS, folder / CONFIG


def save_adapter(folder: Path, adapter: StoredAdapter, *, dropout: float, transposed: bool) -> None:
    """Write an adapter, all but its tokenizer.json, into a folder.

    Args:
        folder: Where to.
        adapter: The adapter.
        dropout: What it was trained with, for who trains on with PEFT.
        transposed: Whether transformers' form of the model stores its layers (in, out), as
            GPT-2's ``Conv1D`` does.
    """
    tensors = {
        f"{_PREFIX}{name}.lora_{letter}.weight": matrix
        for name, pair in adapter.pairs.items()
        for letter, matrix in zip("AB", pair, strict=True)
    }
    config = {
        **_FIXED,
        "base_model_name_or_path": adapter.base_model,
        "fan_in_fan_out": transposed,
        "lora_alpha": adapter.shape.alpha,
        "lora_dropout": dropout,
        "r": adapter.shape.rank,
        "target_modules": list(adapter.shape.targets),
    }
    facts = {
        "format": _FORMAT,
        "base_model": adapter.base_model,
        "base_weights": adapter.base_weights,
        "tokenizer": adapter.tokenizer,
        "parameters": adapter.parameters,
    }
    save_tensors(folder / WEIGHTS, tensors)
    save_json(folder / FACTS, facts)
    save_json(folder / CONFIG, config)  # last: without it the folder is no adapter


def read_adapter(folder: Path) -> StoredAdapter:
    """Return the adapter of a folder.

    Raises:
        ModelError: ``adapter-damaged`` with what is wrong; ``adapter-not-safetensors`` if it is
            pickled, which is never opened; ``tokenizer-mismatch`` if its tokenizer.json is not
            the one that it was trained with.
    """
    if not (folder / WEIGHTS).is_file():
        raise _no_weights(folder)
    try:
        shape = _shape(_object(folder / CONFIG))
        facts = _facts(_object(folder / FACTS))
        pairs = _pairs(folder / WEIGHTS, shape)
        _check_count(pairs, facts["parameters"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ModelError) as error:
        raise _damaged(folder, str(error)) from error
    tokenizer = read_tokenizer_facts(folder / TOKENIZER).fingerprint
    if tokenizer != facts["tokenizer"]:
        raise ModelError.of(
            "tokenizer-mismatch",
            f"the tokenizer.json beside the adapter ({tokenizer[:12]}) is not the one that it was "
            f"trained with ({facts['tokenizer'][:12]})",
            where=str(folder),
        )
    return StoredAdapter(
        shape, pairs, facts["base_model"], facts["base_weights"], facts["tokenizer"]
    )


def _object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _JSON_LIMIT:
        raise ValueError(f"{path.name} is larger than {_JSON_LIMIT} bytes")
    value = json.loads(path.read_bytes())
    if not isinstance(value, dict):
        raise TypeError(f"{path.name} is no object")
    return value


def _shape(config: dict[str, Any]) -> AdapterShape:
    unknown = sorted(config.keys() - _FIXED.keys() - _FREE)
    if unknown:
        raise ValueError(f"{CONFIG} has the unknown keys {', '.join(map(repr, unknown))}")
    for key, value in _FIXED.items():
        if config[key] != value:
            raise ValueError(f"{CONFIG} says {key} = {config[key]!r}; only {value!r} is served")
    rank, alpha, targets = config["r"], config["lora_alpha"], config["target_modules"]
    if type(rank) is not int or not 1 <= rank <= LARGEST_RANK:
        raise ValueError(f"{CONFIG} says r = {rank!r}; 1 to {LARGEST_RANK} are served")
    if type(alpha) is not int or not 1 <= alpha <= 16 * LARGEST_RANK:
        raise ValueError(f"{CONFIG} says lora_alpha = {alpha!r}")
    if not _is_list_of_names(targets):
        raise ValueError(f"{CONFIG} says target_modules = {targets!r}; a list of names is served")
    return AdapterShape(rank, alpha, tuple(sorted(targets)))


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    kinds = {"format": str, "base_model": str, "base_weights": str, "tokenizer": str}
    if facts.keys() != {*kinds, "parameters"} or facts["format"] != _FORMAT:
        raise ValueError(f"{FACTS} does not describe a {_FORMAT}")
    if not all(isinstance(facts[key], kind) for key, kind in kinds.items()):
        raise ValueError(f"{FACTS} holds a value of another type")
    if not _DIGEST.fullmatch(facts["base_weights"]):
        raise ValueError(f"{FACTS} says base_weights = {facts['base_weights']!r}, no sha256")
    return facts


def _pairs(path: Path, shape: AdapterShape) -> dict[str, Pair]:
    from safetensors.torch import load_file

    sizes = {name: facts.shape for name, facts in read_header(path).tensors.items()}
    found: dict[str, dict[str, str]] = {}
    for key in sizes:
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"{path.name} holds {key!r}, no matrix of an adapter")
        found.setdefault(match[1], {})[match[2]] = key
    for name, keys in found.items():
        _check_pair(name, keys, sizes, shape.rank)
    tensors = {key: value.to(torch.float32) for key, value in load_file(path).items()}
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ValueError(f"{path.name} holds numbers that are not finite")
    return {name: Pair(tensors[found[name]["A"]], tensors[found[name]["B"]]) for name in found}


def _check_pair(
    name: str, keys: Mapping[str, str], sizes: Mapping[str, Sequence[int]], rank: int
) -> None:
    if keys.keys() != {"A", "B"}:
        raise ValueError(f"{name} has only one matrix")
    a, b = sizes[keys["A"]], sizes[keys["B"]]
    if len(a) != 2 or len(b) != 2 or a[0] != rank or b[1] != rank:
        raise ValueError(f"{name} has matrices {tuple(a)} and {tuple(b)}, the rank is {rank}")


def _check_count(pairs: Mapping[str, Pair], expected: object) -> None:
    found = sum(a.numel() + b.numel() for a, b in pairs.values())
    if found != expected:
        raise ValueError(f"there are {found} weights, {FACTS} says {expected}")


def _no_weights(folder: Path) -> ModelError:
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if not pickles:
        return _damaged(folder, f"{WEIGHTS} is missing")
    return ModelError.of(
        "adapter-not-safetensors",
        f"{folder} has only pickled weights ({', '.join(pickles)}), which can run code and are "
        "never loaded",
        where=str(folder),
        fix="save the adapter with safetensors",
    )


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError.of(
        "adapter-damaged",
        f"the adapter cannot be read: {what}",
        where=str(folder),
        fix="serve another checkpoint: aegis checkpoints list",
    )
