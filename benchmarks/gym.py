"""Who finds what belongs to a topic: random, rules, the oracle, and any profile, in research-gym.

    python benchmarks/gym.py                                   # the sample library
    python benchmarks/gym.py --corpus papers.jsonl.gz --episodes 200
    python benchmarks/gym.py --profile gpt2-lora --episodes 50 --json result.json

A profile decides with the weights that were promoted for it, else with those of its settings.
Every row plays the same seeds of the test split (never used to choose anything; `--split
validation` is for choosing). Policies are sampled from their own distribution; `--greedy` adds
rows that take the most probable candidate. Intervals are 95 % bootstrap intervals, clustered by
topic. Normalised is (return - random) / (oracle - random). Steps/s is steps by CPU time of one
process, environment and engine together; the index is built before and kept in `--cache`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aegis.builtin._engines.rules import RulesEngine
from aegis.builtin._engines.uniform import RandomEngine
from aegis.contracts.component import Runtime
from aegis.evaluation.gym.cache import load_index
from aegis.evaluation.gym.environment import SPLITS, ResearchGym
from aegis.evaluation.gym.oracle import Oracle, best_in_candidates
from aegis.evaluation.gym.version import VERSION
from aegis.evaluation.intervals import mean_interval, normalised, paired_difference
from aegis.evaluation.rollout import rollout
from aegis.host.building import build_engine
from aegis.project import load
from aegis.resources import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.contracts.roles import Engine
    from aegis.evaluation.intervals import Interval
    from aegis.evaluation.rollout import EpisodeResult


class Row(NamedTuple):
    """What one policy did: its episodes, and steps a CPU second."""

    name: str
    episodes: list[EpisodeResult]
    speed: float

    @property
    def returns(self) -> list[float]:
        return [episode.total for episode in self.episodes]


def play(gym: ResearchGym, name: str, engine: Engine, seeds: Sequence[int], *, greedy: bool) -> Row:
    """Return the row of one engine."""
    began = time.process_time()
    episodes = rollout(gym, engine, seeds, greedy=greedy)
    seconds = time.process_time() - began
    return Row(name, episodes, sum(episode.steps for episode in episodes) / seconds)


def engines(arguments: argparse.Namespace) -> Iterator[tuple[str, Engine]]:
    """Yield the engines that are compared besides random and the oracle."""
    yield "rules", RulesEngine()
    for profile in arguments.profile:
        project = load(arguments.config, profile=profile)
        stored = project.serving()
        weights = None if stored is None else project.checkpoints.verified(stored.checkpoint)
        runtime = Runtime(
            project.folder,
            project.run_folder / "cache",
            checkpoint=weights,
            threads=1,
        )
        yield profile, build_engine(project.composition, runtime, stored)


def rows(gym: ResearchGym, arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield random, the oracle, then the others."""
    seeds = range(arguments.first, arguments.first + arguments.episodes)
    yield play(gym, "random", RandomEngine(), seeds, greedy=False)
    yield play(gym, "oracle", Oracle(gym), seeds, greedy=True)
    for name, engine in engines(arguments):
        yield play(gym, name, engine, seeds, greedy=False)
        if arguments.greedy:
            yield play(gym, f"{name} (greedy)", engine, seeds, greedy=True)
        engine.close()


def facts(row: Row, random: Row, oracle: Row, topics: list[str]) -> dict[str, Any]:
    """Return what is printed and written of one row."""
    means = {
        "steps": float(np.mean([episode.steps for episode in row.episodes])),
        "read": float(np.mean([episode.facts["read"] for episode in row.episodes])),
        "relevant_read": float(np.mean([episode.relevant_read for episode in row.episodes])),
    }
    return {
        "policy": row.name,
        "return": mean_interval(row.returns, topics)._asdict(),
        "normalised": normalised(row.returns, random.returns, oracle.returns, topics)._asdict(),
        **means,
        "steps_per_second": row.speed,
    }


def text(interval: dict[str, float]) -> str:
    return f"{interval['mean']:7.2f} [{interval['low']:6.2f}, {interval['high']:6.2f}]"


def show(table: list[dict[str, Any]]) -> None:
    print(f"{'policy':16s} {'return':>24s} {'normalised':>24s} steps  read relevant steps/s")
    for row in table:
        means = f"{row['steps']:5.1f} {row['read']:5.1f} {row['relevant_read']:8.2f}"
        figures = f"{text(row['return'])} {text(row['normalised'])} {means}"
        print(f"{row['policy']:16s} {figures} {row['steps_per_second']:7.0f}")


def line(name: str, interval: Interval) -> None:
    print(f"{name}: {interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", type=Path, default=library(), help="folder or file of documents"
    )
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--profile", action="append", default=[], help="a profile to compare, too")
    parser.add_argument("--config", type=Path, default=Path("aegis.toml"), help="where it is")
    parser.add_argument("--greedy", action="store_true", help="add greedy rows")
    parser.add_argument("--best", action="store_true", help="add best-in-candidates (9 oracles)")
    parser.add_argument("--cache", type=Path, default=Path("data/run/cache/research-gym"))
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    index = load_index(arguments.corpus, arguments.cache)
    gym = ResearchGym(index, split=arguments.split)
    played = list(rows(gym, arguments))
    topics = [episode.facts["topic"] for episode in played[0].episodes]
    head = {
        "gym": VERSION,
        "corpus": arguments.corpus.name,
        "documents": len(index.ids),
        "digest": index.digest,
        "split": arguments.split,
        "topics": len(gym.topics),
        "topics_played": len(set(topics)),
        "episodes": arguments.episodes,
        "k": gym.k,
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
    }
    print(", ".join(f"{name} {value}" for name, value in head.items() if name != "digest"))
    random, oracle = played[:2]
    table = [facts(row, random, oracle, topics) for row in played]
    show(table)
    for row in played[2:]:
        line(f"{row.name} - random, paired", paired_difference(row.returns, random.returns, topics))
    if arguments.best:
        seeds = range(arguments.first, arguments.first + arguments.episodes)
        best = mean_interval(best_in_candidates(gym, seeds), topics)
        line("best-in-candidates, return", best)
        head["best_in_candidates"] = best.mean
    if arguments.json:
        arguments.json.write_text(json.dumps({**head, "rows": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
