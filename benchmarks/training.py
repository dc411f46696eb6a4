"""How fast LoRA trains GPT-2 124M on this machine, beside what a typical project does.

    python benchmarks/training.py                        # one thread, about three minutes
    python benchmarks/training.py --full --threads 2     # more rounds and batches
    python benchmarks/training.py --whole --threads 2    # 1,000 examples x 3 epochs, no projection
    python benchmarks/training.py --train                # held-out loss of both ways, mini model

1,000 examples of log-normal length (mean 109 tokens, 15 of them a completion) times 3 epochs,
r = 8, alpha = 16 on c_attn and both c_proj (811,008 numbers train), AdamW, clipped gradients,
loss on completions in every row; weights and ids are random, which costs the same time. Steps are
timed on batches of about mean cost, rows interleaved, and projected by the tokens of all batches.

`MB step` is the most memory that a step takes beyond all that is loaded (TRL's: its model too).
`limit` is the share of the time that the machine's matrix products would need for the operations
which the examples need (see `lora_examples.operations`), at the speed measured in the same run.
`loss` and `gradient` are relative differences from PEFT on the padded batch, dropout off.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as aegis.neural has it
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from attrs import define, field
from measuring import held_out, lora_rivals
from measuring.lora_examples import (
    LONGEST,
    SHARED,
    batches,
    examples,
    multiplication_rate,
    nearest_mean,
    operations,
    packed_tokens,
    padded_tokens,
)
from measuring.stopwatch import PeakMemory, Sample, machine, timed, typical

from aegis.neural import use_threads
from aegis_gpt2_lora.gpt2 import Gpt2, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aegis_gpt2_lora.packing import Tree

COUNT: Final = 1000
EPOCHS: Final = 3
DROPOUT: Final = 0.1


@define
class Row:
    """One way of training, and what was measured of it."""

    name: str
    weights: torch.nn.Module
    loss: Callable[[Sequence[Tree]], torch.Tensor]
    epoch: list[list[Tree]]  # batches
    cost: Callable[[Sequence[Tree]], int]  # tokens that a batch computes
    exact: bool = False  # compared with PEFT
    samples: list[Sample] = field(factory=list)  # seconds for a token
    megabytes: float = 0.0
    errors: tuple[float, float] | None = None  # of loss and gradient, relative
    tokens: list[int] = field(init=False)  # of each batch
    adam: torch.optim.Optimizer | None = None

    def __attrs_post_init__(self) -> None:
        self.tokens = [self.cost(batch) for batch in self.epoch]

    def sample(self, number: int) -> None:
        """Time a step, on one of the batches of about mean cost; number 0 warms up."""
        chosen = nearest_mean(self.tokens, 3)[number % 3]
        batch = self.epoch[chosen]
        adam = self.adam or lora_rivals.optimizer(self.weights)
        self.adam = adam
        peak = PeakMemory() if number == 0 else None
        taken = timed(lambda: lora_rivals.step(self.weights, adam, self.loss(batch)))
        if peak is not None:
            self.megabytes = peak.taken()
        else:
            self.add(taken, self.tokens[chosen])

    def add(self, taken: Sample, tokens: int) -> None:
        """Keep a timing of a step that computed so many tokens."""
        self.samples.append(Sample(taken.wall / tokens, taken.cpu / tokens, taken.others))

    def facts(self, threads: int, rate: float, shape: Shape) -> dict[str, Any]:
        """Return what is printed and written of the row."""
        seconds = typical(self.samples, threads) * sum(self.tokens)  # of an epoch
        needed = sum(operations(batch, shape) for batch in self.epoch)
        return {
            "row": self.name,
            "seconds_per_example": seconds / COUNT,
            "minutes": seconds * EPOCHS / 60,
            "limit": needed / rate / seconds,
            "tokens_per_example": sum(self.tokens) / COUNT,
            "megabytes": self.megabytes,
            "loss_error": self.errors[0] if self.errors else None,
            "gradient_error": self.errors[1] if self.errors else None,
            "others": statistics.median(sample.others for sample in self.samples),
        }


def rows(module: Gpt2) -> Iterator[Row]:
    """Yield the ways of training; the first is what the others are compared with."""
    apart = examples(COUNT, module.shape.vocab_size, shared=False)
    alike = examples(COUNT, module.shape.vocab_size, shared=True)
    usual = lora_rivals.rival(module, DROPOUT, own_dropout=True)
    still = lora_rivals.rival(module, 0.0, own_dropout=False)
    by_four = batches(apart, 4, by_length=False)
    by_length = batches(apart, 8, by_length=True)
    whole = partial(padded_tokens, longest=LONGEST)
    loss = lora_rivals.padded_loss
    with_p, without = f"dropout {DROPOUT}", "no dropout"
    name = f"padded to {LONGEST}, batch 4, {with_p}"
    yield Row(name, usual, partial(loss, usual, longest=LONGEST), by_four, whole)
    name = f"padded to longest, batch 4, {with_p}"
    yield Row(name, usual, partial(loss, usual), by_four, padded_tokens)
    name = f"buckets by length, batch 8, {with_p}"
    yield Row(name, usual, partial(loss, usual), by_length, padded_tokens)
    name = f"+ {without}"
    yield Row(name, still, partial(loss, still), by_length, padded_tokens, exact=True)
    labels = partial(lora_rivals.label_loss, still)
    yield Row("+ head at labels", still, labels, by_length, padded_tokens, exact=True)
    for dropout in (DROPOUT, 0.0):
        ours = lora_rivals.adapted(module, dropout)
        stated = with_p if dropout else without
        for text, trees, size in (
            ("Aegis, batch 4", apart, 4),
            ("Aegis, batch 16", apart, 16),
            (f"Aegis, batch 16, prefix {SHARED} shared", alike, 16),
        ):
            taken = batches(trees, size, by_length=False)
            mean = partial(lora_rivals.packed_loss, ours)
            exact = dropout == 0
            yield Row(f"{text}, {stated}", ours.module, mean, taken, packed_tokens, exact)


def compare(row: Row, module: Gpt2) -> tuple[float, float]:
    """Return relative differences of loss and gradient from PEFT on one padded batch."""
    reference = lora_rivals.rival(module, 0.0, own_dropout=False)
    generator = torch.Generator().manual_seed(0)
    theirs = {n.removeprefix("base_model.model."): w for n, w in reference.named_parameters()}
    mine = {n.removeprefix("base_model.model."): w for n, w in row.weights.named_parameters()}
    names = [name for name, weight in theirs.items() if weight.requires_grad]
    before = {name: mine[name].detach().clone() for name in names}
    with torch.no_grad():
        for name in names:  # B too: at 0 half of the gradient is 0
            theirs[name].normal_(0.0, 0.02, generator=generator)
            mine[name].copy_(theirs[name])
    batch = row.epoch[nearest_mean(row.tokens, 1)[0]]
    results = []
    for loss, weights in (
        (lora_rivals.padded_loss(reference, batch), theirs),
        (row.loss(batch), mine),
    ):
        gradients = torch.autograd.grad(loss, [weights[name] for name in names])
        results.append((loss.item(), torch.cat([part.flatten() for part in gradients])))
    with torch.no_grad():
        for name in names:
            mine[name].copy_(before[name])
    (expected, want), (found, got) = results
    return abs(found - expected) / expected, ((got - want).norm() / want.norm()).item()


def trl_rows(module: Gpt2, steps: int) -> Iterator[Row]:
    """Yield rows of TRL's trainer, measured already; the first step of each does not count."""
    apart = examples(COUNT, module.shape.vocab_size, shared=False)
    for name, size, checkpointing in (
        ("TRL SFTTrainer, its defaults (batch 8)", 8, True),
        ("TRL SFTTrainer, batch 4, no checkpointing", 4, False),
    ):
        epoch = batches(apart, size, by_length=False)
        row = Row(name, module, lambda _: torch.zeros(()), epoch, padded_tokens)
        trees = [tree for number in nearest_mean(row.tokens, steps + 1) for tree in epoch[number]]
        peak = PeakMemory()
        taken = lora_rivals.trl_samples(module, trees, size, DROPOUT, checkpointing=checkpointing)
        row.megabytes = peak.taken()
        for sample, tokens in taken[1:]:
            row.add(sample, tokens)
        yield row


def show(table: list[dict[str, Any]]) -> None:
    """Print the rows."""
    first = table[0]["minutes"]
    print(f"{'':50s} s/example  minutes  ratio  limit  MB step     loss  gradient  others")
    for row in table:
        errors = (row["loss_error"], row["gradient_error"])
        same = " ".join("        -" if e is None else f"{e:9.0e}" for e in errors)
        print(
            f"{row['row']:50s} {row['seconds_per_example']:9.3f} {row['minutes']:8.1f} "
            f"{first / row['minutes']:6.2f} {row['limit']:6.1%} {row['megabytes']:8.0f} {same} "
            f"{row['others']:7.2f}"
        )


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return all figures of one run."""
    shape = Shape()
    module = Gpt2(shape).initialise(torch.Generator().manual_seed(0))
    module.requires_grad_(requires_grad=False)
    rounds = 6 if arguments.full else 2
    table = list(rows(module))
    if arguments.only:
        table = [row for row in table if any(part in row.name for part in arguments.only)]
    for row in table:
        row.errors = compare(row, module) if row.exact else None
    rates = []
    for number in range(rounds + 1):
        rates.append(multiplication_rate(shape, arguments.threads))
        for row in table:
            row.sample(number)
    if lora_rivals.trl_version() and (not arguments.only or "TRL" in arguments.only):
        table += trl_rows(module, rounds)
    rate = statistics.median(rates)
    return {
        "machine": machine(arguments.threads),
        "torch": torch.__version__,
        "trl": lora_rivals.trl_version(),
        "gflops": rate / 1e9,
        "rounds": rounds,
        "rows": [row.facts(arguments.threads, rate, shape) for row in table],
    }


def whole(threads: int) -> dict[str, Any]:
    """Train all examples for all epochs, as the trainer would, and return the minutes."""
    module = Gpt2(Shape()).initialise(torch.Generator().manual_seed(0))
    module.requires_grad_(requires_grad=False)
    ours = lora_rivals.adapted(module, DROPOUT)
    adam = lora_rivals.optimizer(ours.module)
    trees = examples(COUNT, module.shape.vocab_size, shared=False)
    steps = [batch for _ in range(EPOCHS) for batch in batches(trees, 16, by_length=False)]

    def step(batch: Sequence[Tree]) -> None:
        lora_rivals.step(ours.module, adam, lora_rivals.packed_loss(ours, batch))

    taken = [timed(partial(step, batch)) for batch in steps]
    return {
        "machine": machine(threads),
        "row": f"Aegis, batch 16, dropout {DROPOUT}",
        "examples": COUNT,
        "epochs": EPOCHS,
        "minutes": sum(sample.wall for sample in taken) / 60,
        "cpu_minutes": sum(sample.cpu for sample in taken) / 60,
        "others": statistics.mean(sample.others for sample in taken),
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="two rounds (the default)")
    size.add_argument("--full", action="store_true", help="six rounds")
    size.add_argument("--whole", action="store_true", help="1,000 examples x 3 epochs for real")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], help="rows whose name holds this")
    parser.add_argument("--train", action="store_true", help="held-out loss instead of speed")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    use_threads(arguments.threads)
    print(machine(arguments.threads), flush=True)
    if arguments.train:
        result = held_out.compared(steps=400 if arguments.full else 150)
        held_out.show(result)
    elif arguments.whole:
        result = whole(arguments.threads)
        print(
            f"{result['row']}: {COUNT:,} examples x {EPOCHS} epochs in {result['minutes']:.1f} "
            f"minutes ({result['cpu_minutes']:.1f} CPU minutes, {result['others']:.2f} cores "
            "busy with others)"
        )
    else:
        result = measured(arguments)
        print(f"matrix products at a layer's shapes: {result['gflops']:.0f} GFLOP/s")
        show(result["rows"])
        print(f"TRL {result['trl'] or 'is not installed: its rows are left out'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
