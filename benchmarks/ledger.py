"""What recording a step costs: CPU time and bytes, beside a plain insert of the whole as JSON.

    python benchmarks/ledger.py                  # 2,000 steps
    python benchmarks/ledger.py --steps 100000   # is it flat?

The stream is synthetic and shaped like the agent's own: views of about 900 characters, 24
candidates, half of the lines changed at each step, episodes of 40 steps. CPU time is
`time.process_time` around what the ledger does (intend, settle, commit), the making of the data
left out. The plain row holds the same facts as one JSON text in one table with the same settings
of SQLite; it keeps no delta, no digest, no chain and cannot say what was intended.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from attrs import asdict

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import Recent, Seen, View
from aegis.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

VOCABULARY = (
    "adapter attention bandit benchmark causal curriculum decoder distillation embedding episode "
    "gradient graph halting hierarchical imitation kernel latent lookup memory mixture model "
    "network objective optimizer planning policy pruning quantization rank recurrent regularized "
    "replay reward routing sampling search sequence sparse tokenizer transformer tuning value"
)
WORDS = VOCABULARY.split()
CANDIDATES = 24
EPISODE = 40


class Cost(NamedTuple):
    """CPU milliseconds a step in the first and the last tenth, and over all; bytes a step."""

    first: float
    last: float
    mean: float
    bytes: float


def stream(steps: int, seed: int) -> Iterator[Experience]:
    """Yield intents of which half of the lines are those of the step before."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible stream, no secret
    items, actions = _items(chance, 12), [_action(chance) for _ in range(CANDIDATES)]
    for step in range(1, steps + 1):
        if step % EPISODE == 1:
            items, actions = _items(chance, 12), [_action(chance) for _ in range(CANDIDATES)]
        for place in chance.sample(range(12), 6):
            items[place] = _item(chance)
        for place in chance.sample(range(CANDIDATES), CANDIDATES // 2):
            actions[place] = _action(chance)
        yield _experience(chance, step, items, actions)


def _experience(
    chance: random.Random, step: int, items: list[str], actions: list[Action]
) -> Experience:
    episode, index = (step - 1) // EPISODE + 1, (step - 1) % EPISODE + 1
    view = View(
        goal=f"Understand {WORDS[episode % len(WORDS)]} {WORDS[episode % 7]}",
        step=index,
        limit=EPISODE,
        missing=tuple(items[0].split()[:3]),
        facts=(f"{items[1]} {items[2]} {items[3]}.", f"{items[4]} {items[5]}."),
        knowledge=tuple(Seen(str(n), items[n]) for n in range(5, 8)),
        found=tuple(Seen(str(n), items[n]) for n in range(8, 12)),
        gaps=tuple(items[3].split()[:2]),
        recent=tuple(Recent(f"search_library {items[n]}", "ok", n) for n in range(3)),
    )
    scores = tuple(-chance.random() * 5 for _ in actions)
    chosen = chance.randrange(len(actions))
    decision = Decision(
        candidates=tuple(actions),
        chosen=chosen,
        engine_log_probabilities=scores,
        behaviour_log_probabilities=scores,
        action=actions[chosen],
        engine="gpt2",
        checkpoint="0" * 16,
    )
    return Experience(
        step=step,
        run="run-1",
        episode=episode,
        index=index,
        environment="research",
        origin="own",
        seed=step,
        generator="1",
        key=f"{chance.getrandbits(128):032x}",
        started="2026-01-01T00:00:00+00:00",
        view=view,
        decision=decision,
    )


def _items(chance: random.Random, count: int) -> list[str]:
    return [_item(chance) for _ in range(count)]


def _item(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=6))


def _action(chance: random.Random) -> Action:
    if chance.random() < 0.5:
        return Action("search_library", {"query": " ".join(chance.choices(WORDS, k=3))})
    number = chance.randrange(1000)
    return Action(
        "read",
        {"document": str(number)},
        about=_item(chance),
        signals={"rank": number % 5, "match": number % 4},
    )


def measure_ledger(folder: Path, steps: int, *, report: bool) -> Cost:
    """Record the stream in a ledger."""
    spent: list[float] = []
    with Ledger.open(folder) as ledger:
        ledger.begin_run("run-1", "bench", 0)
        for experience in stream(steps, seed=7):
            if experience.index == 1:
                ledger.begin_episode(
                    experience.episode, "run-1", "research", 0, "bench", "own", experience.step
                )
            outcome = Outcome("ok", "found 3 of 5", 3, 0.01, ("1", "2", "3"))
            begin = time.process_time()
            ledger.intend(experience)
            ledger.settle(experience.step, outcome, 1.0, False, "2026-01-01T00:00:01+00:00")
            ledger.commit()
            spent.append(time.process_time() - begin)
        if report:
            print(ledger.bytes_per_step())
        size = _file_bytes(ledger)
    return _cost(spent, size / steps)


def _file_bytes(ledger: Ledger) -> float:
    pages = ledger.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return float(pages * 4096)


def measure_plain(folder: Path, steps: int) -> Cost:
    """Insert each step as one JSON text."""
    spent: list[float] = []
    database = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, content TEXT NOT NULL)")
    for experience in stream(steps, seed=7):
        begin = time.process_time()
        content = json.dumps(asdict(experience))
        database.execute("INSERT INTO steps VALUES (?, ?)", (experience.step, content))
        spent.append(time.process_time() - begin)
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.close()
    return _cost(spent, pages * 4096 / steps)


def _cost(spent: list[float], size: float) -> Cost:
    tenth = max(1, len(spent) // 10)

    def milliseconds(part: list[float]) -> float:
        return 1000 * sum(part) / len(part)

    return Cost(
        milliseconds(spent[:tenth]), milliseconds(spent[-tenth:]), milliseconds(spent), size
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What recording a step costs.")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder if absent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        rows = [
            ("ledger: intend, settle, commit", measure_ledger(folder, options.steps, report=True)),
            ("plain: one JSON text a step", measure_plain(folder, options.steps)),
        ]
    print(f"{options.steps} steps; CPU ms a step: first tenth, last tenth, all; bytes a step, file")
    for label, cost in rows:
        print(f"{label:32} {cost.first:7.3f} {cost.last:7.3f} {cost.mean:7.3f} {cost.bytes:9.0f}")


if __name__ == "__main__":
    main()
