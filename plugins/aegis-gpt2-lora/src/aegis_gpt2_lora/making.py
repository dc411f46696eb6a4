"""Making a small GPT-2 anew: a folder with random weights and a tokenizer of one's own."""

from __future__ import annotations

import math
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from attrs import frozen

from aegis import InputError, Problem
from aegis.neural import FileTokenizer, derived_seed, read_tokenizer_facts, save_bytes
from aegis_gpt2_lora.facts import characters_per_token
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.models import is_path, open_model, place_for
from aegis_gpt2_lora.tokenizer_training import (
    END,
    SMALLEST,
    Texts,
    low_end,
    split_words,
    train,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aegis import Experience

LARGEST: Final = 65_536
"""Most entries of a tokenizer that is trained here."""

# GELU itself, of which GPT-2's own "gelu_new" is an approximation that takes a CPU several times as
# long: a tenth of a training step.
_ACTIVATION: Final = "gelu"
_LIMITS: Final = {"layers": 64, "width": 4096, "heads": 256, "context": 65_536}
_LEAST_CONTEXT: Final = 16  # tokens
_MOST_WEIGHTS: Final = 200_000_000


@frozen(kw_only=True)
class Plan:
    """What is to be made.

    Attributes:
        layers: Layers.
        width: Width of the residual stream; four times as wide inside the feed-forward layers.
        heads: Heads of the attention.
        context: Tokens of context.
        seed: Seed of the weights.
    """

    layers: int
    width: int
    heads: int
    context: int
    seed: int = 0

    @property
    def deviation(self) -> float:
        """Standard deviation of the weights, before residual projections are scaled by depth.

        GPT-2's 0.02 at its width of 768. By 1 / sqrt(width), what a unit sums up is as large at
        other widths; at 96, weights drawn with 0.02 learn less from the same examples (README.md).
        """
        return 0.02 * math.sqrt(768 / self.width)

    def check(self) -> None:
        """Refuse what no model can have.

        Raises:
            InputError: With everything that is wrong.
        """
        problems = list(self._problems())
        if problems:
            raise InputError(problems)

    def _problems(self) -> Iterator[Problem]:
        for name, most in _LIMITS.items():
            value = getattr(self, name)
            least = _LEAST_CONTEXT if name == "context" else 1
            if not least <= value <= most:
                yield Problem(
                    "model-size",
                    f"{name} is {least} to {most}, not {value}",
                    where=f"--{name}",
                )
        blocks = self.layers * self.width**2 * 12
        if blocks + self.context * self.width > _MOST_WEIGHTS:
            yield Problem(
                "model-size",
                f"{self.layers} layers of width {self.width} have {blocks:,} weights; models of "
                f"{_MOST_WEIGHTS:,} at most are made here",
                where="--layers, --width",
            )
        if self.heads > 0 and self.width % self.heads:
            yield Problem(
                "model-size",
                f"a width of {self.width} cannot be divided among {self.heads} heads",
                where="--heads",
                fix="choose a number of heads that divides the width",
            )


@frozen
class Source:
    """A tokenizer for a model, and what was measured of it.

    Attributes:
        data: Its tokenizer.json.
        entries: Rows that the model's embedding needs.
        characters: Characters of a view that a token holds at the low end, or None if not known.
        end: Id of its special token for the end of a text, or None where it has none.
        split: Frequent words that are more than one token; None where there is no data.
    """

    data: bytes
    entries: int
    characters: float | None
    end: int | None
    split: tuple[str, ...] | None = None


@frozen
class Made:
    """A model that was made.

    Attributes:
        model: What to write behind ``model =``.
        folder: Where it lies.
        parameters: Its weights.
        source: Its tokenizer.
    """

    model: str
    folder: Path
    parameters: int
    source: Source


def trained_tokenizer(steps: Iterable[Experience], size: int, where: str) -> Source:
    """Return a tokenizer trained on recorded steps.

    Args:
        steps: The steps.
        size: Entries at most.
        where: Where they come from, for messages.

    Raises:
        InputError: If the size is none that a tokenizer can have, or there are no steps.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError.of(
            "tokenizer-size",
            f"a vocabulary has {SMALLEST} (the bytes and the end of a text) to {LARGEST} entries, "
            f"not {size}",
            where="--vocabulary",
        )
    texts = Texts.of(steps)
    if not texts.views:
        raise InputError.of(
            "no-experience",
            "the file holds no experience",
            where=where,
            fix="write one with aegis data collect, or with aegis data export FILE",
        )
    data = train(texts, size)
    tokenizer = _opened(data)
    known = tokenizer.capabilities
    assert known.max_token_id is not None
    return Source(
        data,
        known.max_token_id + 1,
        low_end(tokenizer, texts),
        known.special_tokens[END],
        split_words(tokenizer, texts),
    )


def tokenizer_of(model: str) -> Source:
    """Return the tokenizer of another model.

    Raises:
        ModelError: If the model is absent or damaged.
    """
    folder = open_model(model)
    facts = read_tokenizer_facts(folder.tokenizer)
    data = folder.tokenizer.read_bytes()
    end = facts.special_tokens.get(END)
    return Source(data, facts.max_token_id + 1, characters_per_token(folder, facts), end)


def make(name: str, plan: Plan, source: Source) -> Made:
    """Write a model with random weights; the same plan and tokenizer give the same bytes.

    Args:
        name: A folder, or the name of a model in the store.
        plan: Its sizes.
        source: Its tokenizer.

    Raises:
        InputError: If something is there already, the name is none, or it cannot be written.
    """
    plan.check()
    folder = place_for(name)
    shape = Shape(
        vocab_size=source.entries,
        n_positions=plan.context,
        n_embd=plan.width,
        n_layer=plan.layers,
        n_head=plan.heads,
        activation_function=_ACTIVATION,
    )
    generator = torch.Generator().manual_seed(derived_seed(plan.seed, "weights"))
    module = Gpt2(shape).initialise(generator, plan.deviation)
    # Without the ids transformers assumes those of the published GPT-2.
    config: dict[str, Any] = {
        "bos_token_id": source.end,
        "eos_token_id": source.end,
        "initializer_range": plan.deviation,
        # Else transformers cuts words as GPT-2 does, whatever tokenizer.json says.
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    if source.characters is not None:
        config["aegis"] = {"characters_per_token": source.characters}
    try:
        _write(folder, Gpt2Model(module, config), source.data)
    except OSError as error:
        raise InputError.of(
            "unwritable",
            f"the model cannot be written: {error.strerror}",
            where=str(folder),
            fix="choose a folder that may be written",
        ) from error
    parameters = sum(weight.numel() for weight in module.parameters())
    return Made(str(folder) if is_path(name) else name, folder, parameters, source)


def _write(folder: Path, model: Gpt2Model, tokenizer: bytes) -> None:
    """Write a folder that is whole or not there."""
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    beside.mkdir(parents=True)
    try:
        model.save(beside)
        save_bytes(beside / "tokenizer.json", tokenizer)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _opened(data: bytes) -> FileTokenizer:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_bytes(data)
        return FileTokenizer(path)
