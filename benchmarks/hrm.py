"""How fast the reasoning model decides and learns on this machine, beside the published way.

    python benchmarks/hrm.py                 # one thread, a few minutes
    python benchmarks/hrm.py --threads 2

`naive` computes the network as the published code does (`measuring/hrm_naive.py`): every segment,
each with its own embedding, a vocabulary head of 1,000 rows at every position, in training
StableMax in float64 at every position and one more segment for the value of going on. `ours, same
shape` has the same weights and computes as many segments; its answers are compared with the naive
ones (`error`). `ours, cpu preset` is the engine's default architecture at the same width.

Decisions take `--segments` segments, with random weights: nothing halts early. Training is one
example through that many segments, each with a step of its own. Lengths are tokens of a view with
its candidates; `p95` is that of practice in research-gym.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as aegis.neural has it

import numpy as np
import torch
from attrs import evolve
from measuring.hrm_naive import Naive
from measuring.practice import decisions
from measuring.stopwatch import Sample, machine, timed, typical

from aegis.neural import use_threads
from aegis_hrm.decision.layout import Layout, Row
from aegis_hrm.decision.network import DecisionNetwork
from aegis_hrm.decision.packing import pack
from aegis_hrm.decision.thinking import Budget, think
from aegis_hrm.examples import Example
from aegis_hrm.learner import DeepSupervision
from aegis_hrm.model.optimisers import AdamATan2
from aegis_hrm.settings import DESIGNS, EngineSettings
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_settings import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegis_hrm.model.shape import ModelShape

CANDIDATE: Final = 12  # tokens of a candidate in rows that are made
VIEWS: Final = 400  # practice decisions that the real length is taken from


class Way(NamedTuple):
    """One way of doing something: what it is called, how many at once, and how."""

    group: str
    name: str
    size: int
    work: Callable[[], object]
    error: float | None = None


def made_row(length: int) -> Row:
    """Return a row of a length, half view and half candidates."""
    start = length // 2
    segments, positions, markers = [0] * start, list(range(start)), []
    while len(segments) < length:
        size = min(CANDIDATE, length - len(segments))
        markers.append(len(segments))
        segments += [len(markers)] * size
        positions += range(start, start + size)
    ids = np.random.default_rng(length).integers(42, 1000, length)
    return Row(tuple(ids.tolist()), tuple(positions), tuple(segments), tuple(markers), 0, "bench")


def real_length() -> int:
    """Return the 95th percentile of the lengths of practice decisions."""
    settings = EngineSettings()
    layout = Layout(open_tokenizer(SHIPPED), settings.context, settings.candidate_tokens)
    some = itertools.islice(decisions(), VIEWS)
    lengths = [layout.row(view, candidates).tokens for view, candidates in some]
    return int(np.percentile(lengths, 95))


def shapes(hidden: int) -> dict[str, ModelShape]:
    """Return the published architecture and that of the preset, of the same width."""
    wanted: dict[str, Any] = {"vocabulary": 1000, "hidden": hidden, "heads": 4}
    official = evolve(DESIGNS["official"].shape, h_layers=2, l_layers=2, **wanted)
    return {"same shape": official, "cpu preset": evolve(DESIGNS["cpu"].shape, **wanted)}


def ways(length: int, hidden: int, segments: int, batch: int) -> list[Way]:
    """Return the rows of one length."""
    row = made_row(length)
    one, many = pack([row]), pack([row] * batch)
    budget = Budget(segments=segments, confidence=0.99)
    found = []
    by_name = shapes(hidden)
    plain = Naive(network(by_name["same shape"]), segments)
    expected = plain.decide(one)
    found += deciding("naive", one, many, plain.decide, None)
    for name, shape in by_name.items():
        ours = network(shape)

        def decide(packed: Any, ours: DecisionNetwork = ours) -> torch.Tensor:
            with torch.inference_mode():
                return think(ours, packed, budget).scores

        same = shape == plain.shape
        error = float((decide(one) - expected).abs().max()) if same else None
        found += deciding(f"ours, {name}", one, many, decide, error)
    rate = AdamATan2([*plain.network.parameters(), *plain.head.parameters()], lr=1e-5)
    found.append(Way("train", "naive", batch, lambda: plain.train(many, rate)))
    example = Example(1.0, row, 0, tuple(float(n == 0) for n in range(len(row.markers))))
    found += [
        Way("train", f"ours, {name}", batch, training(shape, [example] * batch, segments))
        for name, shape in by_name.items()
    ]
    return found


def deciding(
    name: str, one: Any, many: Any, decide: Callable[[Any], torch.Tensor], error: float | None
) -> list[Way]:
    """Return the rows of deciding, alone and several at once."""
    return [
        Way("decide", name, 1, lambda: decide(one), error),
        Way("decide, batch", name, len(many.ids), lambda: decide(many)),
    ]


def network(shape: ModelShape) -> DecisionNetwork:
    """Return a network of a shape, the same for the same shape."""
    torch.manual_seed(0)
    return DecisionNetwork(shape, "bench").eval()


def training(shape: ModelShape, examples: list[Example], segments: int) -> Callable[[], object]:
    """Return what trains on a batch once."""
    learner = DeepSupervision(
        network(shape),
        Budget(segments=segments),
        segments=segments,
        ema=0.999,
        halting_loss=0.5,
        learning_rate=1e-5,
        weight_decay=0.1,
    )

    def once() -> None:
        attempt = learner.attempt(examples)
        for _ in range(segments):
            learner.optimiser.zero_grad()
            attempt.losses().total.mean().backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            learner.optimiser.step()
            learner.after_step()

    return once


def measured(rows: list[Way], rounds: int, threads: int) -> list[dict[str, Any]]:
    """Return the figures of rows, which take turns."""
    samples: list[list[Sample]] = [[] for _ in rows]
    for row in rows:
        row.work()
    for _ in range(rounds):
        for row, taken in zip(rows, samples, strict=True):
            taken.append(timed(row.work))
    found = []
    for row, taken in zip(rows, samples, strict=True):
        seconds = typical(taken, threads)
        facts: dict[str, Any] = {
            "group": row.group,
            "name": row.name,
            "per_second": row.size / seconds,
        }
        found.append({**facts, "error": row.error})
    for facts in found:
        first = next(other for other in found if other["group"] == facts["group"])
        facts["ratio"] = facts["per_second"] / first["per_second"]
    return found


def show(title: str, found: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    for facts in found:
        error = "" if facts["error"] is None else f"  error {facts['error']:.1e}"
        what = f"  {facts['group']:14s} {facts['name']:18s}"
        print(f"{what} {facts['per_second']:9.1f}/s  {facts['ratio']:5.2f}x{error}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--segments", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lengths", type=int, nargs="*", default=[64, 128])
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    use_threads(asked.threads)
    print(machine(asked.threads))
    print(f"hidden {asked.hidden}, {asked.segments} segments, batches of {asked.batch}")
    whole = {}
    for length in (*asked.lengths, real_length()):
        rows = ways(length, asked.hidden, asked.segments, asked.batch)
        whole[length] = measured(rows, asked.rounds, asked.threads)
        show(f"length {length}", whole[length])
    if asked.json:
        asked.json.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
