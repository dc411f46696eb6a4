"""A folder with a causal language model: what it holds and what is wrong with it.

Read from config.json, the headers of the safetensors files and tokenizer.json. No weights are
read, no code of the model is run, and files that could run code (pickles) are never opened.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from attrs import define, frozen

from aegis import ModelError, Problem
from aegis.neural import Header, read_headers

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG_LIMIT: Final = 256 * 1024  # bytes; real ones have about 2,000
_CAUSAL: Final = re.compile(r".*(ForCausalLM|LMHeadModel)")
_SHARD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors")
_EMBEDDING: Final = re.compile(
    r"(.*\.)?(wte|embed_tokens|embed_in|word_embeddings|tok_embeddings)\.weight"
)
_NO_LINEAR: Final = frozenset(
    {"wte", "wpe", "embed_tokens", "embed_in", "embed_out", "embed_positions", "lm_head"}
    | {"word_embeddings", "tok_embeddings"}
)
# Files of older versions store the attention's constant masks among the weights.
_BUFFER: Final = re.compile(r".*\.attn\.(bias|masked_bias)|.*rotary_emb\.inv_freq")
_PICKLES: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth")


@define(slots=False)
class ModelFolder:
    """A folder that can be served as a causal language model.

    Attributes:
        folder: Where it lies.
        config: The content of its config.json.
        weights: Its safetensors files.
    """

    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]

    @cached_property
    def header(self) -> Header:
        """Names, types and shapes of its tensors."""
        return read_headers(self.weights)

    @property
    def model_type(self) -> str:
        """The architecture, as config.json names it."""
        return str(self.config.get("model_type", ""))

    @property
    def tokenizer(self) -> Path:
        """Its tokenizer.json."""
        return self.folder / "tokenizer.json"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that decide what it answers: weights, config.json, tokenizer.json."""
        return (*self.weights, self.folder / "config.json", self.tokenizer)

    @property
    def context_length(self) -> int | None:
        """Tokens that fit at once, or None where config.json does not say."""
        for key in ("n_positions", "max_position_embeddings", "n_ctx", "max_sequence_length"):
            if isinstance(self.config.get(key), int):
                return int(self.config[key])
        return None

    @property
    def embedding_rows(self) -> int | None:
        """Rows of the token embedding."""
        for name, facts in self.header.tensors.items():
            if _EMBEDDING.fullmatch(name):
                return facts.shape[0]
        rows = self.config.get("vocab_size")
        return rows if isinstance(rows, int) else None

    @property
    def parameters(self) -> int:
        """Number of weights; a head tied to the embedding counts once, masks do not count."""
        tied = self.config.get("tie_word_embeddings", self.model_type == "gpt2")
        return sum(
            facts.size
            for name, facts in self.header.tensors.items()
            if not _BUFFER.fullmatch(name) and not (tied and name == "lm_head.weight")
        )

    @property
    def linear_modules(self) -> frozenset[str]:
        """Names of the linear modules in the blocks, which an adapter can attach to."""
        modules = (
            name.removesuffix(".weight").rsplit(".", 1)[-1]
            for name, facts in self.header.tensors.items()
            if name.endswith(".weight") and len(facts.shape) == 2
        )
        return frozenset(modules) - _NO_LINEAR

    @property
    def bytes(self) -> int:
        """Size of its weights on disk."""
        return sum(path.stat().st_size for path in self.weights)


@frozen
class _Findings:
    config: dict[str, Any]
    weights: tuple[Path, ...]
    problems: tuple[Problem, ...]


def open_model_folder(folder: Path, where: str = "") -> ModelFolder:
    """Return the model of a folder.

    Args:
        folder: A folder with config.json, safetensors files and tokenizer.json.
        where: Where the folder was named, for messages.

    Raises:
        ModelError: With everything that is wrong: files that are absent, pickled weights only,
            code that would have to be run, a model that is no causal language model.
    """
    where = where or str(folder)
    config, problems = _config(folder, where)
    weights, weight_problems = _weights(folder, where)
    problems += weight_problems
    if not (folder / "tokenizer.json").is_file():
        problems.append(
            Problem(
                "model-no-tokenizer",
                f"{folder} has no tokenizer.json",
                where,
                "save the tokenizer with the tokenizers library, or transformers' "
                "PreTrainedTokenizerFast.save_pretrained",
            )
        )
    if problems:
        raise ModelError(problems)
    return ModelFolder(folder, config, weights)


def _config(folder: Path, where: str) -> tuple[dict[str, Any], list[Problem]]:
    path = folder / "config.json"
    try:
        config = _json_object(path)
    except FileNotFoundError:
        return {}, [Problem("model-no-config", f"{folder} has no config.json", where)]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        return {}, [Problem("model-damaged", f"config.json cannot be read: {error}", where)]
    return config, _config_problems(config, where)


def _json_object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _CONFIG_LIMIT:
        raise ValueError(f"larger than {_CONFIG_LIMIT} bytes")
    value = json.loads(path.read_bytes())
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _config_problems(config: dict[str, Any], where: str) -> list[Problem]:
    problems = []
    if "auto_map" in config:
        problems.append(
            Problem(
                "model-remote-code",
                "config.json asks for code of the model's own to be run (auto_map); "
                "no code from a model is ever run",
                where,
                "use a model whose architecture transformers knows",
            )
        )
    architectures = config.get("architectures") or []
    known = [name for name in architectures if _CAUSAL.fullmatch(str(name))]
    if not known and not (not architectures and config.get("model_type") == "gpt2"):
        problems.append(
            Problem(
                "model-not-causal",
                f"the architecture {architectures or config.get('model_type')!r} is no causal "
                "language model",
                where,
                "use a model whose architecture ends in ForCausalLM or LMHeadModel",
            )
        )
    return problems


def _weights(folder: Path, where: str) -> tuple[tuple[Path, ...], list[Problem]]:
    single = folder / "model.safetensors"
    if single.is_file():
        return (single,), []
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return _shards(index, where)
    pickles = [name for name in _PICKLES if (folder / name).exists()]
    if not pickles:
        return (), [Problem("model-no-weights", f"{folder} has no model.safetensors", where)]
    convert = (
        "where you trust the file, run transformers' "
        f"AutoModelForCausalLM.from_pretrained({str(folder)!r}).save_pretrained(NEW_FOLDER) "
        "and use the new folder"
    )
    message = f"{folder} has only pickled weights ({', '.join(pickles)}), which can run code and are never loaded"  # noqa: E501 - one sentence
    return (), [Problem("model-not-safetensors", message, where, convert)]


def _shards(index: Path, where: str) -> tuple[tuple[Path, ...], list[Problem]]:
    try:
        names = sorted(
            {str(name) for name in json.loads(index.read_bytes())["weight_map"].values()}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return (), [Problem("model-damaged", f"{index.name} cannot be read: {error!r}", where)]
    strange = [name for name in names if not _SHARD.fullmatch(name)]
    absent = [name for name in names if name not in strange and not (index.parent / name).is_file()]
    problems = [
        Problem("model-damaged", f"{index.name} names {name!r}, no plain file name", where)
        for name in strange
    ]
    problems += [
        Problem("model-incomplete", f"{name} is missing in {index.parent}", where, "fetch it again")
        for name in absent
    ]
    return tuple(index.parent / name for name in names), problems
