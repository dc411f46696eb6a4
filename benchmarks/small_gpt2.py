"""How fast a small GPT-2 is trained whole and decides on this machine, beside transformers' own.

    python benchmarks/small_gpt2.py                  # one thread, 4 layers of width 128
    python benchmarks/small_gpt2.py --layers 3 --width 96 --batch 64

Decisions look like those of a grid world: a view of about 50 tokens and the same 7 candidates of 2
tokens, by a tokenizer that is trained on such views. A step is the loss of a batch (cross-entropy
of the candidates' mean log-probabilities), its gradient for all weights, clipping and AdamW; no
dropout. The rows of transformers have the loss as people write it: each candidate behind its own
copy of the view in a padded batch; and, more thoughtfully, the view once with all candidates behind
it under a mask of four dimensions. `gelu_new` is GPT-2's activation, `gelu` the one that `aegis
model new` chooses. `loss` and `gradient` are relative differences from transformers' padded batch
with the same weights and activation.

A decision begins with the view and ends with log-probabilities, tokens and all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as aegis.neural has it
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from measuring.lora_rivals import optimizer, step, transformers_model
from measuring.stopwatch import Sample, machine, timed, typical
from torch.nn import functional as F  # noqa: N812 - the usual name

import aegis
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.view import View
from aegis.neural import ModuleLearner, use_threads
from aegis_gpt2_lora.building import build_engine
from aegis_gpt2_lora.examples import Choice, Example
from aegis_gpt2_lora.full_trainer import full_objective
from aegis_gpt2_lora.gpt2 import Gpt2
from aegis_gpt2_lora.making import Plan, make, trained_tokenizer
from aegis_gpt2_lora.packing import Tree
from aegis_gpt2_lora.settings import EngineSettings
from aegis_gpt2_lora.trainer_settings import FullTrainerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aegis_gpt2_lora.engine import GptEngine

MOVES: Final = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
COLOURS: Final = ("red", "green", "blue", "purple", "yellow", "grey")
THINGS: Final = ("ball", "box", "key")
CANDIDATES: Final = tuple(aegis.Action(move) for move in MOVES)
VOCABULARY: Final = 1000
CONTEXT: Final = 128


class Row(NamedTuple):
    """One way of doing something: what it is called, how many at once, and how."""

    group: str
    name: str
    size: int
    work: Callable[[], object]
    errors: tuple[float, float] | None = None  # of loss and gradient, relative


def views(count: int) -> Iterator[View]:
    """Yield views of a grid world that nobody lives in."""
    draw = random.Random(0)  # noqa: S311 - no secret
    for _ in range(count):
        things = [(draw.choice(COLOURS), draw.choice(THINGS)) for _ in range(6)]
        seen = [
            f"{colour} {thing} {'f' * draw.randrange(1, 5)}{draw.choice('lr') * draw.randrange(3)}"
            for colour, thing in things
        ]
        colour, thing = draw.choice(things)
        recent = " ".join(draw.choice(MOVES) for _ in range(3))
        walls = " ".join(str(draw.randrange(7)) for _ in range(3))
        yield View(
            goal=f"go to the {colour} {thing}",
            step=draw.randrange(1, 65),
            limit=64,
            observation=("front empty", "hold nothing", f"walls {walls}", *seen, f"last {recent}"),
        )


def steps(count: int) -> list[Experience]:
    """Return recorded decisions."""
    even = (0.0,) * len(CANDIDATES)
    return [
        Experience(
            step=number,
            run="",
            episode=number,
            index=1,
            environment="grid",
            origin="teacher",
            seed=0,
            generator="",
            key="",
            started="",
            view=view,
            decision=Decision(CANDIDATES, number % len(MOVES), even, even, None),
        )
        for number, view in enumerate(views(count))
    ]


def engine_of(asked: argparse.Namespace, activation: str) -> GptEngine:
    """Return a new engine of the shape that is asked for."""
    plan = Plan(
        layers=asked.layers, width=asked.width, heads=max(1, asked.width // 32), context=CONTEXT
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "model")
        make(str(place), plan, trained_tokenizer(steps(1000), VOCABULARY, "grid"))
        config = json.loads((place / "config.json").read_text())
        config["activation_function"] = activation
        (place / "config.json").write_text(json.dumps(config))
        runtime = aegis.Runtime(Path(), Path(), device="cpu", threads=asked.threads)
        return build_engine(EngineSettings(model=str(place)), {}, runtime)


def examples(engine: GptEngine, count: int) -> list[Example]:
    """Return decisions as the trainer has them."""
    encoding = engine.encoding
    branches = tuple(tuple(encoding.candidate(action)) for action in CANDIDATES)
    return [
        Example(1.0, Choice(Tree(encoding.prompt(view).ids, branches), number % len(MOVES)), None)
        for number, view in enumerate(views(count))
    ]


def rows_loss(model: Any, batch: Sequence[Choice]) -> torch.Tensor:
    """Return the loss of a padded batch in which each candidate stands behind its own view."""
    rows = [(tree.prompt, branch) for tree, _ in map(_parts, batch) for branch in tree.branches]
    length = max(len(prompt) + len(branch) for prompt, branch in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    attention, wanted = torch.zeros_like(ids), torch.zeros(len(rows), length)
    for number, (prompt, branch) in enumerate(rows):
        stop = len(prompt) + len(branch)
        ids[number, :stop] = torch.tensor(prompt + branch)
        attention[number, :stop] = 1
        wanted[number, len(prompt) : stop] = 1 / len(branch)
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits[:, :-1]
    each = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    scores = -(each.view(len(rows), -1) * wanted[:, 1:]).sum(-1).view(len(batch), -1)
    return F.cross_entropy(scores, torch.tensor([choice.chosen for choice in batch]))


def masked_loss(model: Any, batch: Sequence[Choice]) -> torch.Tensor:
    """Return the same loss of views that stand once, their candidates behind them under a mask."""
    lines = [[t for branch in choice.tree.branches for t in branch[:-1]] for choice in batch]
    longest = max(
        len(choice.tree.prompt) + len(line) for choice, line in zip(batch, lines, strict=True)
    )
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    places = torch.zeros_like(ids)
    seen = torch.eye(longest, dtype=torch.bool).repeat(len(batch), 1, 1)
    asking: list[list[int]] = []
    targets: list[list[int]] = []
    for number, (choice, line) in enumerate(zip(batch, lines, strict=True)):
        tree = choice.tree
        start = len(tree.prompt)
        ids[number, : start + len(line)] = torch.tensor([*tree.prompt, *line])
        places[number, :start] = torch.arange(start)
        seen[number, :start, :start] = torch.ones(start, start).tril().bool()
        at = start
        for branch in tree.branches:
            stop = at + len(branch) - 1
            places[number, at:stop] = torch.arange(start, start + stop - at)
            seen[number, at:stop, :start] = True
            seen[number, at:stop, at:stop] = torch.ones(stop - at, stop - at).tril().bool()
            asking.append([number * longest + p for p in (start - 1, *range(at, stop))])
            targets.append(list(branch))
            at = stop
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)[:, None]
    logits = model(ids, attention_mask=mask, position_ids=places, use_cache=False).logits
    each = F.cross_entropy(
        logits.flatten(0, 1)[torch.tensor(asking).flatten()],
        torch.tensor(targets).flatten(),
        reduction="none",
    )
    scores = -each.view(len(asking), -1).mean(-1).view(len(batch), -1)
    return F.cross_entropy(scores, torch.tensor([choice.chosen for choice in batch]))


def _parts(choice: Choice) -> tuple[Tree, int]:
    return choice.tree, choice.chosen


def training(asked: argparse.Namespace, activation: str) -> Iterator[Row]:
    """Yield the ways of training with one activation."""
    engine = engine_of(asked, activation)
    module = engine.module
    assert isinstance(module, Gpt2)
    batch = examples(engine, asked.batch)
    choices = [example.choice for example in batch if example.choice is not None]
    rival = transformers_model(module, 0.0).train()
    objective, settings = full_objective(engine), FullTrainerSettings()
    learner: ModuleLearner[Example] = ModuleLearner(
        module,
        lambda examples, training: objective.trained(examples, settings, training=training),
        weight_decay=settings.weight_decay,
    )
    learner.optimiser.param_groups[0]["lr"] = learner.optimiser.param_groups[1]["lr"] = 2e-4

    def loss() -> torch.Tensor:
        return learner.attempt(batch).losses().total.mean()

    expected = gradient(rows_loss(rival, choices), rival)
    for name, ways in (
        ("transformers, a row each", rows_loss),
        ("transformers, one mask", masked_loss),
    ):
        other = transformers_model(module, 0.0).train()
        adam = optimizer(other)
        errors = compared(expected, gradient(ways(other, choices), other))

        def work(way: Any = ways, other: Any = other, adam: torch.optim.Optimizer = adam) -> None:
            step(other, adam, way(other, choices))

        yield Row("train", f"{name}, {activation}", asked.batch, work, errors)
    errors = compared(expected, gradient(loss(), module))
    name = f"aegis, {activation}"
    yield Row("train", name, asked.batch, lambda: step(module, learner.optimiser, loss()), errors)


def gradient(loss: torch.Tensor, module: torch.nn.Module) -> tuple[float, torch.Tensor]:
    """Return a loss and its gradient for all weights, by name and in linear layers' layout."""
    names, weights = zip(*module.named_parameters(), strict=True)
    found = dict(zip(names, torch.autograd.grad(loss, weights), strict=True))
    turned = not isinstance(module, Gpt2)  # transformers' layers have the weights transposed
    square = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    parts = [
        (part.T if turned and name.endswith(square) else part).flatten()
        for name, part in sorted(found.items())
    ]
    return loss.item(), torch.cat(parts)


def compared(
    expected: tuple[float, torch.Tensor], found: tuple[float, torch.Tensor]
) -> tuple[float, float]:
    """Return relative differences of loss and gradient."""
    (loss, want), (mine, got) = expected, found
    return abs(mine - loss) / loss, float((got - want).norm() / want.norm())


def deciding(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the ways of deciding, each about the same new views."""
    engine = engine_of(asked, "gelu")
    module = engine.module
    assert isinstance(module, Gpt2)
    rival = transformers_model(module, 0.0).eval()
    shown = list(views(asked.decisions))
    encoding = engine.encoding

    def theirs() -> None:
        with torch.inference_mode():
            for view in shown:
                ids = encoding.prompt(view).ids
                lines = [encoding.candidate(action) for action in CANDIDATES]
                rows = torch.tensor([[*ids, *line] for line in lines])
                logits = rival(rows, use_cache=False).logits[:, len(ids) - 1 : -1]
                targets = torch.tensor(lines)[:, :, None]
                logits.log_softmax(-1).gather(-1, targets).mean((1, 2)).log_softmax(-1)

    def one_by_one() -> None:
        for view in shown:
            engine.score(view, CANDIDATES)

    def together() -> None:
        for at in range(0, len(shown), 32):
            engine.score_batch([(view, CANDIDATES) for view in shown[at : at + 32]])

    yield Row("decide", "transformers, a row each", len(shown), theirs)
    yield Row("decide", "aegis, score", len(shown), one_by_one)
    yield Row("decide", "aegis, score_batch of 32", len(shown), together)


def measured(rows: Sequence[Row], rounds: int, threads: int) -> list[dict[str, Any]]:
    """Return the figures of rows, which take turns."""
    samples: list[list[Sample]] = [[] for _ in rows]
    for row in rows:
        row.work()
    for _ in range(rounds):
        for row, taken in zip(rows, samples, strict=True):
            taken.append(timed(row.work))
    found: list[dict[str, Any]] = []
    for row, taken in zip(rows, samples, strict=True):
        facts = row._asdict() | {"milliseconds": 1000 * typical(taken, threads) / row.size}
        del facts["work"]
        first = next((other for other in found if other["group"] == row.group), facts)
        found.append(facts | {"ratio": first["milliseconds"] / facts["milliseconds"]})
    return found


def show(found: Sequence[dict[str, Any]]) -> None:
    print(f"{'':46s} ms each   ratio     loss  gradient")
    for facts in found:
        errors = "".join(f"{error:9.0e}" for error in facts["errors"] or ())
        print(
            f"{facts['group']:7s} {facts['name']:38s} {facts['milliseconds']:7.2f} "
            f"{facts['ratio']:7.2f}{errors}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--decisions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    use_threads(asked.threads)
    print(machine(asked.threads))
    print(f"{asked.layers} layers of width {asked.width}, batches of {asked.batch}", flush=True)
    rows = [*training(asked, "gelu_new"), *training(asked, "gelu"), *deciding(asked)]
    found = measured(rows, asked.rounds, asked.threads)
    show(found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
