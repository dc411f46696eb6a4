"""Do both ways of training learn the same? Held-out loss of the mini model on the sample library.

The rival is transformers' GPT-2 under PEFT, padded batches of 4, adapters' dropout 0.1 and the
model's own left off; ours has the same weights, adapters, batches, order, optimizer and dropout.
The examples are passages of the library's notes, of which the last quarter is to be completed;
whole notes are held out. Dropout is drawn differently, so losses agree up to its noise, of which
the spread over seeds is a measure; without dropout they agree to rounding.
"""

from __future__ import annotations

import hashlib
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from aegis.neural import FileTokenizer
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.models import open_model
from aegis_gpt2_lora.packed_model import PackedModel
from aegis_gpt2_lora.packing import Tree
from measuring import lora_rivals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aegis_gpt2_lora.gpt2 import Gpt2

LIBRARY: Final = Path(__file__).resolve().parents[2] / "data" / "library"
SEEDS: Final = 3
SIZE: Final = 4
PASSAGE: Final = (40, 120)  # fewest and most tokens


def compared(steps: int) -> dict[str, Any]:
    """Return held-out losses before training and after `steps` batches each way, by seed."""
    folder = open_model("builtin:mini")
    opened = Gpt2Model.open(folder, torch.device("cpu"))
    assert opened is not None
    module = opened.module.requires_grad_(requires_grad=False)
    train, held = passages(FileTokenizer(folder.tokenizer))
    before = loss_of(PackedModel(module), held)
    table = []
    for seed, dropout in ((0, 0.0), *((seed, 0.1) for seed in range(SEEDS))):
        torch.manual_seed(seed)
        rival = lora_rivals.rival(module, dropout, own_dropout=False)
        ours = adapted_like(module, rival, dropout)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randint(0, len(train), (steps, SIZE), generator=generator).tolist()
        batches = [[train[number] for number in numbers] for numbers in order]
        learn(rival, partial(lora_rivals.padded_loss, rival), batches)
        learn(ours.module, partial(lora_rivals.packed_loss, ours), batches)
        losses = (loss_of(adapted_like(module, rival, 0.0), held), loss_of(ours, held))
        table.append({"seed": seed, "dropout": dropout, "peft": losses[0], "aegis": losses[1]})
    return {"steps": steps, "train": len(train), "held": len(held), "before": before, "rows": table}


def show(result: dict[str, Any]) -> None:
    """Print the losses."""
    print(
        f"{result['train']} passages, {result['held']} held out, {result['steps']} batches of "
        f"{SIZE}; nats a token before: {result['before']:.4f}"
    )
    print("dropout  seed    PEFT   Aegis  difference")
    for row in result["rows"]:
        difference = row["aegis"] - row["peft"]
        print(
            f"{row['dropout']:7.1f} {row['seed']:5d} {row['peft']:7.4f} {row['aegis']:7.4f} "
            f"{difference:+11.5f}"
        )
    dropped = [row for row in result["rows"] if row["dropout"] > 0]
    means = [statistics.mean(row[name] for row in dropped) for name in ("peft", "aegis")]
    print(f"mean under dropout: PEFT {means[0]:.4f}, Aegis {means[1]:.4f}")


def passages(tokenizer: FileTokenizer) -> tuple[list[Tree], list[Tree]]:
    """Return the passages of most notes and, of the rest, those that are held out."""
    kept: tuple[list[Tree], list[Tree]] = ([], [])
    for path in sorted(LIBRARY.glob("*.md")):
        text = path.read_text(encoding="utf-8").rpartition("---\n")[2]
        ids = tokenizer.encode(text)
        held = int(hashlib.sha256(path.stem.encode()).hexdigest(), 16) % 8 == 0
        for at in range(0, len(ids), PASSAGE[1]):
            part = tuple(ids[at : at + PASSAGE[1]])
            if len(part) >= PASSAGE[0]:
                cut = len(part) * 3 // 4
                kept[held].append(Tree(part[:cut], (part[cut:],)))
    return kept


def adapted_like(module: Gpt2, rival: Any, dropout: float) -> PackedModel:
    """Return our model with the adapters of `rival`, copied."""
    model = lora_rivals.adapted(module, dropout)
    adapters = {
        name.removeprefix("base_model.model."): weight
        for name, weight in rival.named_parameters()
        if weight.requires_grad
    }
    with torch.no_grad():
        for name, weight in model.module.named_parameters():
            if name in adapters:
                weight.copy_(adapters[name])
    return model


def learn(
    model: torch.nn.Module,
    loss: Callable[[Sequence[Tree]], torch.Tensor],
    batches: Sequence[Sequence[Tree]],
) -> None:
    """Train on the batches in their order."""
    adam = lora_rivals.optimizer(model, rate=1e-3)
    for batch in batches:
        lora_rivals.step(model, adam, loss(batch))


@torch.no_grad()
def loss_of(model: PackedModel, trees: Sequence[Tree]) -> float:
    """Return the mean loss of a token of the completions."""
    total, tokens = 0.0, 0
    for at in range(0, len(trees), 16):
        values = model.log_probabilities(trees[at : at + 16], training=False)
        total -= values.sum().item()
        tokens += len(values)
    return total / tokens
