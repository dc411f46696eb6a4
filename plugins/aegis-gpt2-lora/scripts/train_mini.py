"""Train ``builtin:mini`` from this repository's own text and write it with its model card.

    python scripts/train_mini.py --length-neutral    # the shipped model: 11.5 minutes of CPU
    python scripts/train_mini.py --steps 20 --out /tmp/mini    # a try

With the same text, seed, number of threads and machine the weights are the same byte by byte.
"""

# ruff: noqa: INP001, S311, T201 - a script that prints; its randomness is seeded, not secret

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import tokenizers
import torch
from attrs import asdict, field, frozen
from mini_card import Figures, card
from mini_text import Decided, Note, held_out, practice, read_notes, test_topics
from tokenizers import decoders, models, pre_tokenizers, trainers

from aegis.neural.saving import save_bytes, save_json, save_tensors
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parents[3]
OUT: Final = Path(__file__).resolve().parents[1] / "src" / "aegis_gpt2_lora" / "mini"
END: Final = "<|endoftext|>"


@frozen
class Recipe:
    """Everything that decides the weights, besides the text."""

    seed: int = 0
    threads: int = 2  # another number rounds differently
    steps: int = 1000
    warm_up: int = 50  # steps
    learning_rate: float = 2e-3  # at its highest; falls to a tenth along a cosine
    weight_decay: float = 0.1  # of matrices
    clip: float = 1.0  # largest norm of a gradient
    batch_tokens: int = 2048
    notes_share: float = 0.25  # of the batches
    view_share: float = (
        0.3  # of a view's tokens that are targets, drawn once; a candidate's all are
    )
    length_neutral: bool = False  # draw the candidates shown by `length_neutral_shares`
    episodes: int = 600
    held_out_episodes: int = 20
    tokenizer_views: int = 1000
    shape: Shape = field(
        factory=lambda: Shape(vocab_size=4096, n_positions=1024, n_embd=192, n_layer=4, n_head=6)
    )


class Row(NamedTuple):
    """One training sequence: ids, and which of them are targets."""

    ids: list[int]
    targets: list[bool]


class Text(NamedTuple):
    """All text, divided."""

    notes: list[Note]
    held_notes: list[Note]
    views: list[Decided]
    held_views: list[Decided]


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--library", type=Path, default=ROOT / "data" / "library")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--threads", type=int, default=Recipe().threads)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--length-neutral", action="store_true")
    given = parser.parse_args()
    recipe = Recipe(
        seed=given.seed,
        steps=given.steps,
        threads=given.threads,
        length_neutral=given.length_neutral,
    )
    train(recipe, given.library, given.out)


def train(recipe: Recipe, library: Path, out: Path) -> Figures:
    """Train by a recipe, write the model into `out`, and return what was measured."""
    began = time.monotonic()
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(mode=True)
    text = gather(recipe, library)
    tokenizer = train_tokenizer(recipe, text)
    note_rows = list(packed(tokenizer, text.notes, recipe.shape.n_positions))
    rng = random.Random(recipe.seed)
    view_rows = [decision(tokenizer, d, recipe.view_share, rng) for d in text.views]
    generator = torch.Generator().manual_seed(recipe.seed)
    module = Gpt2(recipe.shape).initialise(generator)
    losses = fit(module, recipe, note_rows, view_rows)
    figures = Figures(
        losses=losses,
        parameters=sum(weight.numel() for weight in module.parameters()),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time(),
        notes=[(note.slug, note.sha256) for note in text.notes + text.held_notes],
        held_notes=[note.slug for note in text.held_notes],
        stream=stream_digest(note_rows, view_rows),
        views=len(text.views),
        tokens=recipe.steps * recipe.batch_tokens,
        characters_per_token=low_end(tokenizer, text.held_views),
        perplexity=measure(module, tokenizer, text, note_rows, view_rows),
        machine=f"{platform.machine()}, {recipe.threads} thread(s), torch {torch.__version__}",
    )
    write(module, tokenizer, recipe, figures, out)
    return figures


def gather(recipe: Recipe, library: Path) -> Text:
    """Return the notes and views, those that are held out apart."""
    named = test_topics(library)
    every = read_notes(library, named)
    notes = [note for note in every if not held_out(note.slug)]
    rng = random.Random(recipe.seed)
    first, neutral = recipe.episodes, recipe.length_neutral
    return Text(
        notes,
        [note for note in every if held_out(note.slug)],
        list(practice(notes, range(first), rng, named, length_neutral=neutral)),
        list(
            practice(
                every,
                range(first, first + recipe.held_out_episodes),
                rng,
                named,
                length_neutral=neutral,
            )
        ),
    )


def train_tokenizer(recipe: Recipe, text: Text) -> tokenizers.Tokenizer:
    """Return a byte-level BPE of the notes and some of the views."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.shape.vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    views = [d.prompt + d.answer for d in text.views[: recipe.tokenizer_views]]
    tokenizer.train_from_iterator([*(note.text for note in text.notes), *views], trainer)
    return tokenizer


def packed(tokenizer: tokenizers.Tokenizer, notes: Sequence[Note], length: int) -> Iterator[Row]:
    """Yield notes one after the other, in rows of at most `length` tokens.

    The rows begin at each note once, so that every note is seen at many positions.
    """
    encoded = [[0, *tokenizer.encode(note.text + "\n").ids] for note in notes]
    for start in range(len(encoded)):
        ids: list[int] = []
        for note in encoded[start:] + encoded[:start]:
            if len(ids) >= length:
                break
            ids += note
        yield Row(ids[:length], [True] * min(length, len(ids)))


def decision(
    tokenizer: tokenizers.Tokenizer, decided: Decided, share: float, rng: random.Random
) -> Row:
    """Return a view and the candidate taken, encoded as the engine does.

    A `share` of the view's tokens are targets, and all of the candidate's.
    """
    prompt, answer = tokenizer.encode(decided.prompt).ids, tokenizer.encode(decided.answer).ids
    return Row(prompt + answer, [rng.random() < share for _ in prompt] + [True] * len(answer))


def fit(
    module: Gpt2, recipe: Recipe, notes: Sequence[Row], views: Sequence[Row]
) -> list[tuple[int, float]]:
    """Train the module and return (step, loss) at about twenty points."""
    rng = random.Random(recipe.seed)
    note_batches, view_batches = batches(notes, recipe, rng), batches(views, recipe, rng)
    matrices = [weight for weight in module.parameters() if weight.dim() > 1]
    vectors = [weight for weight in module.parameters() if weight.dim() == 1]
    optimiser = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.95),
    )
    losses, recent = [], 0.0
    every = max(1, recipe.steps // 20)
    for step in range(1, recipe.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * schedule(step, recipe)
        source = note_batches if rng.random() < recipe.notes_share else view_batches
        loss = batch_loss(module, next(source))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)
        optimiser.step()
        recent += loss.item() / every
        if step % every == 0:
            losses.append((step, recent))
            print(f"step {step} loss {recent:.3f}", flush=True)
            recent = 0.0
    return losses


def batches(rows: Sequence[Row], recipe: Recipe, rng: random.Random) -> Iterator[list[Row]]:
    """Yield batches of about equal numbers of tokens, rows of near lengths together, forever."""
    while True:
        order = sorted(rows, key=lambda row: (len(row.ids) // 16, rng.random()))
        whole: list[list[Row]] = [[]]
        for row in order:
            if (len(whole[-1]) + 1) * len(row.ids) > recipe.batch_tokens and whole[-1]:
                whole.append([])
            whole[-1].append(row)
        rng.shuffle(whole)
        yield from whole


def schedule(step: int, recipe: Recipe) -> float:
    """Return the share of the highest learning rate at a step: linear up, then a cosine."""
    if step < recipe.warm_up:
        return step / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def batch_loss(module: Gpt2, rows: Sequence[Row]) -> torch.Tensor:
    """Return the mean loss over the targets of a batch of rows."""
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows])  # (N, L)
    keep = torch.tensor([row.targets + [False] * (width - len(row.ids)) for row in rows])[:, 1:]
    hidden, _ = module(ids[:, :-1])
    return torch.nn.functional.cross_entropy(module.head(hidden[keep]), ids[:, 1:][keep])


def measure(
    module: Gpt2,
    tokenizer: tokenizers.Tokenizer,
    text: Text,
    note_rows: Sequence[Row],
    view_rows: Sequence[Row],
) -> dict[str, dict[str, float]]:
    """Return held-out perplexities of the model and of counts, for notes and for candidates."""
    encoded = [[0, *tokenizer.encode(note.text + "\n").ids] for note in text.held_notes]
    notes = [Row(ids, [True] * len(ids)) for ids in encoded]
    answers = [decision(tokenizer, d, 0.0, random.Random(0)) for d in text.held_views]
    with torch.inference_mode():
        return {
            "notes": {
                "mini": math.exp(mean_loss(module, notes)),
                **counted(note_rows[0::8], notes, module.shape.vocab_size),
            },
            "candidates": {
                "mini": math.exp(mean_loss(module, answers)),
                **counted(view_rows, answers, module.shape.vocab_size),
            },
        }


def mean_loss(module: Gpt2, rows: Sequence[Row]) -> float:
    """Return the mean loss over all targets of the rows."""
    counts = [sum(row.targets[1:]) for row in rows]
    totals = [
        batch_loss(module, [row]).item() * count for row, count in zip(rows, counts, strict=True)
    ]
    return sum(totals) / sum(counts)


def counted(train: Iterable[Row], test: Iterable[Row], size: int) -> dict[str, float]:
    """Return perplexities of a unigram and a bigram model of the training rows.

    Unigram with add-one counts; bigram interpolated with it, half and half.
    """
    one = torch.ones(size)
    two: dict[int, dict[int, int]] = {}
    for row in train:
        for before, token in zip(row.ids, row.ids[1:], strict=False):
            one[token] += 1
            after = two.setdefault(before, {})
            after[token] = after.get(token, 0) + 1
    share = (one / one.sum()).tolist()
    loss_one = loss_two = 0.0
    count = 0
    for row in test:
        for before, token, target in zip(row.ids, row.ids[1:], row.targets[1:], strict=False):
            if not target:
                continue
            after = two.get(before, {})
            seen = after.get(token, 0) / sum(after.values()) if after else share[token]
            loss_one -= math.log(share[token])
            loss_two -= math.log(0.5 * seen + 0.5 * share[token])
            count += 1
    return {"unigram": math.exp(loss_one / count), "bigram": math.exp(loss_two / count)}


def low_end(tokenizer: tokenizers.Tokenizer, views: Sequence[Decided]) -> float:
    """Return the characters per token of the view in a hundred that has the fewest."""
    ratios = sorted(len(d.prompt) / len(tokenizer.encode(d.prompt).ids) for d in views)
    return math.floor(100 * ratios[len(ratios) // 100]) / 100


def stream_digest(*rows: Sequence[Row]) -> str:
    """Return the sha256 of everything that is trained on, in order."""
    text = json.dumps([row.ids for part in rows for row in part], separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def write(
    module: Gpt2, tokenizer: tokenizers.Tokenizer, recipe: Recipe, figures: Figures, out: Path
) -> None:
    """Write the model in float16 with its tokenizer, configuration and card."""
    out.mkdir(parents=True, exist_ok=True)
    model = Gpt2Model(module)
    model.save(out)
    save_tensors(
        out / "model.safetensors",
        {name: weight.to(torch.float16) for name, weight in model.tensors().items()},
    )
    config = json.loads((out / "config.json").read_text())
    config |= {
        "dtype": "float16",
        "bos_token_id": 0,
        "eos_token_id": 0,
        "aegis": {"characters_per_token": figures.characters_per_token},
    }
    save_json(out / "config.json", config)
    save_bytes(out / "tokenizer.json", tokenizer.to_str().encode("utf-8"))
    digest = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    save_bytes(out / "README.md", card(asdict(recipe), figures, digest).encode("utf-8"))


if __name__ == "__main__":
    main()
