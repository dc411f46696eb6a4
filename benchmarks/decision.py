"""How fast GPT-2 decides on this machine, beside what people write with transformers.

    python benchmarks/decision.py                        # one thread, about two minutes
    python benchmarks/decision.py --full --threads 2     # more rounds
    python benchmarks/decision.py --model mini           # the small shape and the gym's views alone

One decision: a view of 256 tokens (150 of them a static prompt, the same at every decision), choose
1 of 6 candidates of 6 tokens, then write 16 tokens. Weights and ids are random, which costs the
same time; 124M has the published shape and vocabulary. Rows take turns, round by round.

`of limit`: share of the time that the machine needs at least. Reading: the operations, 2 per weight
of the layers and token, at the speed of the layers' matrix products alone at the same number of
tokens. Writing: the bytes of all weights at the speed of reading memory. Both measured in this run.
`error` is the largest difference of a token's log-probability from that of six whole forwards; for
writing, whether the greedy text is the same. `memory` is what the row
takes at most, beyond what the process holds before it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as aegis.neural has it

import torch
from attrs import define, field
from measuring.decision_ways import Decision, Ours, Transformers, pair
from measuring.practice import decisions
from measuring.stopwatch import PeakMemory, Sample, machine, timed, typical
from torch.nn import functional as F  # noqa: N812 - the usual name

from aegis.contracts.action import Action
from aegis.contracts.component import Runtime
from aegis.neural import use_threads
from aegis_gpt2_lora.building import build_engine
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable


SHAPES: Final = {
    "124M": Shape(),
    "mini": Shape(vocab_size=4096, n_embd=192, n_layer=4, n_head=6),
}
SEVERAL: Final = (30, 60, 90, 120, 150, 180, 210, 240)  # tokens of the views of a batch
NOTE: Final = Action("write_note", slot="text")


@define
class Row:
    """One way of doing something.

    Attributes:
        group: What it does.
        name: How.
        work: Does it once.
        prepare: Called before each sample, not timed.
        error: Largest difference from the plainest way, or None.
    """

    group: str
    name: str
    work: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    error: float | None = None
    samples: list[Sample] = field(factory=list[Sample])
    memory: float = 0.0  # megabytes

    def once(self, least: float) -> None:
        """Take one sample: the mean of as many calls as take `least` seconds together."""
        if not self.samples:
            self.prepare()
            peak = PeakMemory()
            self.work()
            self.memory = peak.taken()
        calls: list[Sample] = []
        while not calls or sum(call.wall for call in calls) < least:
            self.prepare()
            calls.append(timed(self.work))
        mean = (sum(part) / len(calls) for part in zip(*calls, strict=True))
        self.samples.append(Sample(*mean))


def rows(theirs: Transformers, ours: Ours) -> list[Row]:
    """Return the rows of one model, checked against its six whole forwards."""
    expected = theirs.six_forwards()

    def choosing(
        name: str, work: Callable[[], torch.Tensor], prepare: Callable[[], object] = lambda: None
    ) -> Row:
        prepare()
        return Row("choose", name, work, prepare, float((work() - expected).abs().max()))

    found = [
        choosing("six forwards", theirs.six_forwards),
        choosing("one batch of six", theirs.batch),
        choosing("the same, logits_to_keep", theirs.batch_keeping_few_logits),
        choosing("cache, repeated", theirs.cache),
        choosing("static prompt cached", theirs.static_cache),
        choosing("ours", ours.choose),
        choosing("ours, static prompt cached", ours.choose_static, ours.read_static),
    ]
    text = theirs.generate()
    same = [float(other != text) for other in (theirs.loop(), ours.greedy())]
    found += [
        Row("write", "generate()", theirs.generate, error=0.0),
        Row("write", "loop over the kept cache", theirs.loop, error=same[0]),
        Row("write", "ours, over what is kept", ours.write, ours.choose_static, same[1]),
        Row("decide", "six forwards, generate()", theirs.naive_decision),
        Row("decide", "static cache, kept cache", theirs.competent_decision),
        Row("decide", "ours, static cache", ours.decide, ours.read_static),
        Row("limits", "ours, read 256 tokens", ours.read_view),
        Row("batch", "views one by one", partial(ours.one_by_one, SEVERAL)),
        Row("batch", "views at once", partial(ours.batch, SEVERAL)),
    ]
    return found


def gym_rows() -> list[Row]:
    """Return the rows of the bundled model on real views of the gym."""
    shown = list(itertools.islice(decisions(), 0, 64, 4))
    view, candidates = max(shown, key=lambda item: len(item[1]))
    settings = EngineSettings(max_text_tokens=16)
    engine = build_engine(settings, {}, Runtime(Path(), Path(), threads=torch.get_num_threads()))
    single = [engine.score(*item) for item in shown]
    several = engine.score_batch(shown)
    error = max(float(abs(a - b).max()) for a, b in zip(single, several, strict=True))
    tokens = len(engine.encoding.prompt(view).ids)
    name = f"{len(candidates)} candidates, {tokens} tokens"
    return [
        Row("gym", f"choose 1 of {name}", lambda: engine.score(view, candidates)),
        Row(
            "text",
            "write after choosing, at most 16 tokens",
            lambda: engine.write(view, NOTE, "text"),
            lambda: engine.score(view, candidates),
        ),
        Row("views", f"{len(shown)} views one by one", lambda: [engine.score(*i) for i in shown]),
        Row("views", f"{len(shown)} views at once", lambda: engine.score_batch(shown), error=error),
    ]


def limits(module: Gpt2, threads: int) -> dict[str, float]:
    """Return the machine's speeds, and the least milliseconds that a model's work takes."""
    layers = [
        weight for name, weight in module.named_parameters() if ".h." in name and weight.dim() == 2
    ]
    size = sum(weight.numel() for weight in layers)
    inputs = {width: torch.randn(256, width) for width in {w.shape[1] for w in layers}}
    square = torch.randn(2048, 2048)
    block = torch.randn(48 * 2**20)
    speeds: dict[str, tuple[Callable[[], object], float]] = {
        "layers at 256 tokens, GFLOP/s": (
            lambda: [F.linear(inputs[w.shape[1]], w) for w in layers],
            2e-9 * size * 256,
        ),
        "2048 x 2048, GFLOP/s": (lambda: square @ square, 2e-9 * 2048**3),
        "reading memory, GB/s": (block.sum, 4e-9 * block.numel()),
    }
    found: dict[str, float] = {}
    for name, (work, amount) in speeds.items():
        row = Row("speed", name, work)
        for _ in range(3):
            row.once(0.2)
        found[name] = amount / typical(row.samples, threads)
    computing, _, reading = found.values()
    found["read 256 tokens, ms"] = 2e-6 * size * 256 / computing
    whole = size + module.embedding.numel()
    found["write 16 tokens, ms"] = 16 * 4e-6 * whole / reading
    return found


def measured(table: list[Row], rounds: int, least: float) -> None:
    """Take the samples, the rows in turn."""
    for _ in range(rounds):
        for row in table:
            row.once(least)


def facts(table: list[Row], threads: int) -> list[dict[str, Any]]:
    """Return what is printed and written of each row."""
    first: dict[str, float] = {}
    found = []
    for row in table:
        seconds = typical(row.samples, threads)
        first.setdefault(row.group, seconds)
        found.append(
            {
                "group": row.group,
                "name": row.name,
                "milliseconds": 1e3 * seconds,
                "times_as_fast": first[row.group] / seconds,
                "error": row.error,
                "memory_megabytes": row.memory,
            }
        )
    return found


def show(name: str, found: list[dict[str, Any]], least: dict[str, float]) -> None:
    """Print one model's table."""
    print(f"\n{name}")
    for row in found:
        error = "" if row["error"] is None else f"error {row['error']:.1e}"
        print(
            f"  {row['group']:7s} {row['name']:40s} {row['milliseconds']:9.1f} ms"
            f" {row['times_as_fast']:6.2f}x  memory +{row['memory_megabytes']:4.0f} MB  {error}"
        )
    for speed, value in least.items():
        print(f"  limit   {speed:40s} {value:9.1f}")
    if least:
        ours = {row["name"]: row["milliseconds"] for row in found}
        reading = least["read 256 tokens, ms"] / ours["ours, read 256 tokens"]
        writing = least["write 16 tokens, ms"] / ours["ours, over what is kept"]
        rival = ours["static cache, kept cache"] / ours["ours, static cache"]
        print(f"  reading {reading:.0%} of limit, writing {writing:.0%} of limit")
        print(f"  a whole decision {rival:.2f}x as fast as the loop over kept caches")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=[*SHAPES, "all"], default="all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    use_threads(given.threads)
    rounds = 7 if given.full else 3
    print(f"{machine(given.threads)}, torch {torch.__version__}, {rounds} rounds")
    written: dict[str, Any] = {"machine": machine(given.threads), "rounds": rounds, "models": {}}
    for name in SHAPES if given.model == "all" else (given.model,):
        reference, model = pair(SHAPES[name])
        decision = Decision.random(SHAPES[name].vocab_size)
        with torch.inference_mode():
            table = rows(Transformers(reference, decision), Ours(model, decision))
        if name == "mini":
            table += gym_rows()
        with torch.inference_mode():
            measured(table, rounds, 0.0 if name == "124M" else 0.1)
            least = limits(model.module, given.threads)
        found = facts(table, given.threads)
        show(name, found, least)
        written["models"][name] = {"rows": found, "limits": least}
    if given.json:
        given.json.write_text(json.dumps(written, indent=2) + "\n")


if __name__ == "__main__":
    main()
