"""Regenerate docs/results.md row by row: `make results`, or `make results ROW=babyai-GoToLocal`.

    python benchmarks/results.py                       # whatever is missing: days
    python benchmarks/results.py babyai-GoToLocal-marked-gpt2-1000   # what is missing of one row
    python benchmarks/results.py babyai-GoToLocal-marked-gpt2-1000 --seeds 1   # one training of it
    python benchmarks/results.py research-gym-papers --corpus FILE   # what is played over abstracts
    python benchmarks/results.py --list
    python benchmarks/results.py --page                # only the page, from the rows that are there

A row is one JSON file under benchmarks/results/rows, with the commands that made it. What was cut
off goes on: demonstrations, trainings, episodes and rows are kept below data/run/results. Names
may be beginnings of names. Trainings are of one thread, `--jobs` of them side by side.
"""

from __future__ import annotations

import argparse
import json
import operator
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve
from measuring import seven_features
from measuring.recipes import (
    GYM_ROWS,
    IMPROVE_ROWS,
    RECIPES,
    BabyRow,
    GymRow,
    ImproveRow,
    baby_rows,
)
from measuring.results_page import page
from measuring.seeds import grouped, kept, left, successes

from aegis.evaluation.gym.cache import load_index
from aegis.evaluation.machine import machine
from aegis_babyai.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
HERE: Final = ROOT / "benchmarks" / "results"
ROWS: Final = HERE / "rows"
WORK: Final = ROOT / "data" / "run" / "results"
LIBRARY: Final = ROOT / "data" / "library"
EPISODES: Final = 512
Row = GymRow | BabyRow | ImproveRow
_AEGIS: Final = "import sys; from aegis.cli.main import main; main(sys.argv[1:])"


def aegis(folder: Path, *words: object, seed: int | None = None) -> dict[str, Any]:
    """Run a command of the command line in a project and return what it answers as JSON."""
    shared = ["-C", str(folder), "--json", *([] if seed is None else ["--seed", str(seed)])]
    command = [sys.executable, "-c", _AEGIS, *shared, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"failed: {shown(words, seed)}", file=sys.stderr)
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(words: Sequence[object], seed: int | None = None) -> str:
    """Return a command as a person types it."""
    return " ".join(["aegis", *([] if seed is None else [f"--seed {seed}"]), *map(str, words)])


def project(name: str, settings: str = "aegis.toml") -> Path:
    """Return a project's folder below the work folder; it is made where it is missing."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / settings, folder / "aegis.toml")
    (folder / "library").mkdir(exist_ok=True)
    return folder


def demonstrations(row: BabyRow) -> tuple[Path, list[str]]:
    """Return the file of a row's demonstrations and the command that makes it."""
    words = ["data", "collect", "--task", row.task, "--teacher", "bot"]
    words += ["--episodes", str(row.demonstrations)]
    file = WORK / "demonstrations" / f"{row.level}-{row.track}-{row.demonstrations}.jsonl"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        aegis(project("arena"), *words, "--out", file)
    return file, [shown([*words, "--out", file.relative_to(WORK)])]


def trained(row: BabyRow, data: Path, seed: int) -> dict[str, Any]:
    """Return the checkpoint of one training seed, what it took, and the commands."""
    record = WORK / f"{row.name}-{seed}" / "trained.json"
    if record.exists():
        found: dict[str, Any] = json.loads(record.read_text())
        if found.get("forms") == forms(row):
            return found
        shutil.rmtree(record.parent)  # of another recipe
    folder = project(record.parent.name)
    recipe = RECIPES[row.recipe]
    names = {"data": data, "seed": seed, "model": folder / "model", "level": row.level}
    commands = []
    sets = [part for each in recipe.sets for part in ("--set", each.format(**names))]
    if recipe.prepare:
        words = [word.format(**names) for word in recipe.prepare]
        if not (folder / "model").exists():
            aegis(folder, *words, seed=seed)
        commands.append(shown(words, seed))
    sets += ["--set", f"learning.variants={row.variants}"]
    words = [*sets, "train", "--profile", recipe.profile, "--task", row.task]
    words += ["--data", str(data), "--no-judge"]
    began = time.monotonic()
    answer = aegis(folder, *words, seed=seed)
    commands.append(shown(words, seed))
    found = {
        "seed": seed,
        "forms": forms(row),
        "checkpoint": answer["checkpoint"],
        "seconds": round(time.monotonic() - began, 1),
        "training": {key: answer[key] for key in ("examples", "epochs", "seconds", "metrics")},
        "parameters": answer["total_parameters"],
        "commands": [command.replace(f"{WORK}/", "") for command in commands],
    }
    record.write_text(json.dumps(found, indent=1))
    return found


def enter(row: BabyRow, seed: int, checkpoint: str) -> None:
    """Copy a checkpoint to where all are compared; its name is the digest of what it holds."""
    arena = project("arena") / "data" / "run" / "checkpoints" / checkpoint
    if not arena.exists():
        source = WORK / f"{row.name}-{seed}" / "data" / "run" / "checkpoints" / checkpoint
        part = arena.with_name(f".{checkpoint}.part")
        shutil.copytree(source, part, dirs_exist_ok=True)
        part.rename(arena)


def baby(row: BabyRow, jobs: int) -> dict[str, Any]:
    """Return everything about a row."""
    data, commands = demonstrations(row)
    with ThreadPoolExecutor(jobs) as threads:
        trainings = list(threads.map(lambda seed: trained(row, data, seed), row.seeds))
    for one in trainings:
        enter(row, one["seed"], one["checkpoint"])
    profile = RECIPES[row.recipe].profile
    entrants = [f"{profile}@{one['checkpoint'][:12]}" for one in trainings]
    names = {"model": WORK / f"{row.name}-{row.seeds[0]}" / "model"}
    sets = [part for each in RECIPES[row.recipe].sets for part in ("--set", each.format(**names))]
    words = [*sets, "compare", *entrants, "--task", row.task, "--episodes", EPISODES]
    words += ["--first", row.first, "--decide", "both", "--jobs", jobs]
    found = aegis(project("arena"), *words)
    commands += [command for one in trainings for command in one["commands"]]
    made = about(row) | {
        "kind": "babyai",
        "decides": RECIPES[row.recipe].kind,
        "target": row.target,
        "split": found["environment"]["split"],
        "rules": found["environment"]["version"],
        "beside": [each for each in found["rows"] if each["kind"] != "profile"],
        "rows": [each for each in found["rows"] if each["kind"] == "profile"],
        "published": found["published"],
        "trainings": [_told(one, found["first_seed"]) for one in trainings],
        "commands": [*commands, shown(words).replace(f"{WORK}/", "")],
    }
    earlier = kept(made, there(row))
    together = sorted([*earlier, *made["trainings"]], key=operator.itemgetter("seed"))
    return made | {"trainings": together, "groups": grouped(together)}


def about(row: BabyRow) -> dict[str, Any]:
    """Return what is known of a row before it is made."""
    return {
        "row": row.name,
        "task": row.task,
        "recipe": row.recipe,
        "demonstrations": row.demonstrations,
        "forms": forms(row),
        "episodes": EPISODES,
        "first_seed": row.first,
    }


def there(row: Row) -> dict[str, Any] | None:
    """Return a row as it was made; None for one that is missing."""
    file = ROWS / f"{row.name}.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def missing(row: Row) -> tuple[int, ...]:
    """Return the training seeds that are missing of a row; (0,) for a whole one without seeds."""
    if isinstance(row, BabyRow):
        return left(row.seeds, about(row), there(row))
    return () if there(row) else (0,)


def _told(training: Mapping[str, Any], first: int) -> dict[str, Any]:
    """Return what the row says of one training."""
    seeds = range(first, first + EPISODES)
    played = successes(project("arena"), training["checkpoint"], seeds)
    told = {key: value for key, value in training.items() if key != "commands"}
    return told | {"successes": played, "commit": commit()}


def forms(row: BabyRow) -> str:
    """Return in how many forms each step is trained on beside its own, and in which."""
    learning = tomllib.loads((HERE / "aegis.toml").read_text())["learning"]
    said = row.track == "unmarked" and LEVELS[row.level].sides
    further = {
        "others": True,
        "faced too": True,
        "detours": row.track == "marked" or said,
        "said otherwise": said,
        "simple first": learning.get("curriculum"),
    }
    return ", ".join([str(row.variants), *(name for name, there in further.items() if there)])


def played_over(row: GymRow | ImproveRow, corpus: Path | None) -> tuple[list[str], list[str]]:
    """Return the words that say what is played over, and how a person types them."""
    key = "environment.research-gym.corpus" if row.papers else "agent.library"
    place, shown_as = (corpus, "FILE") if row.papers else (LIBRARY, "data/library")
    return ["--set", f"{key}={place}"], ["--set", f"{key}={shown_as}"]


def gym(row: GymRow, jobs: int, corpus: Path | None) -> dict[str, Any]:
    """Return everything about a row of research-gym."""
    words = ["compare", "rules", "--task", "research-gym", "--episodes", row.episodes]
    words += ["--first", row.first, "--jobs", jobs]
    arena, (sets, told) = project("arena"), played_over(row, corpus)
    found = aegis(arena, *sets, *words)
    cache = arena / "data" / "run" / "cache" / "research-gym"  # where the command keeps it
    index = load_index(corpus if corpus and row.papers else LIBRARY, cache)
    seeds = range(row.first, row.first + row.episodes)
    place = [each["name"] for each in found["rows"]].index("rules") + 1
    found["rows"].insert(place, seven_features.row(index, seeds))
    return {
        "row": row.name,
        "kind": "research-gym",
        "title": row.title,
        "text": row.text,
        "episodes": row.episodes,
        "first_seed": row.first,
        "rules": found["environment"]["version"],
        "content": found["environment"]["content"],
        "rows": found["rows"],
        "pairs": found["pairs"],
        "commands": [shown([*told, *words])],
    }


def improve(row: ImproveRow, jobs: int, corpus: Path | None) -> dict[str, Any]:
    """Return everything about a row of an agent that learns from its own practice."""
    folder, (sets, told) = project(row.name, "improving.toml"), played_over(row, corpus)
    record = folder / "rounds.json"
    rounds: list[dict[str, Any]] = json.loads(record.read_text()) if record.exists() else []
    practice = ["run", "--profile", row.profile, "--steps"]
    train = ["train", "--profile", row.profile, "--no-judge"]
    while len(rounds) < row.rounds:
        began = time.monotonic()
        begun = (folder / "data" / "run" / "ledger.sqlite").exists()
        steps = aegis(folder, *sets, "status")["experiences"] if begun else 0
        wanted = row.steps * (len(rounds) + 1)
        if steps < wanted:
            aegis(folder, *sets, *practice, wanted - steps)
        practised = time.monotonic() - began
        answer = aegis(folder, *sets, *train)
        promote = ["checkpoints", "promote", answer["checkpoint"], "--profile", row.profile]
        aegis(folder, *sets, *promote)
        rounds.append(
            {
                "checkpoint": answer["checkpoint"],
                "practice_seconds": round(practised, 1),
                "seconds": round(time.monotonic() - began, 1),
                "training": {key: answer[key] for key in ("examples", "epochs", "metrics")},
            }
        )
        record.write_text(json.dumps(rounds, indent=1))
        print(f"round {len(rounds)}: {rounds[-1]['seconds']} s", flush=True)
    entrants = [f"{row.profile}@{rounds[n - 1]['checkpoint'][:12]}" for n in row.shown]
    words = ["compare", *entrants, "--task", "research-gym", "--episodes", row.episodes]
    words += ["--first", row.first, "--jobs", jobs, "--decide", "both"]
    found = aegis(folder, *sets, *words)
    names = {f"{row.profile}@untrained": "before"}
    for entrant, n in zip(entrants, row.shown, strict=True):
        names[entrant] = f"after {n} round{'s' * (n > 1)}"
    for each in found["rows"]:
        each["name"] = _renamed(each["name"], names)
    for pair in found["pairs"]:
        pair |= {side: _renamed(pair[side], names) for side in ("a", "b")}
    return {
        "row": row.name,
        "kind": "improving",
        "title": row.title,
        "text": row.text,
        "episodes": row.episodes,
        "first_seed": row.first,
        "rules": found["environment"]["version"],
        "content": found["environment"]["content"],
        "rounds": rounds,
        "rows": found["rows"],
        "pairs": found["pairs"],
        "commands": [
            *(shown([*told, *w]) for w in ([*practice, row.steps], train, promote_words(row))),
            shown([*told, *words]),
        ],
    }


def _renamed(name: str, names: dict[str, str]) -> str:
    """Return a contender's name with the round in the place of the weights' beginning."""
    whole, _, way = name.partition(" ")
    known = next((new for old, new in names.items() if old.startswith(whole)), whole)
    return f"{known} {way}".strip()


def promote_words(row: ImproveRow) -> list[str]:
    """Return the command that follows each training."""
    return ["checkpoints", "promote", "latest", "--profile", row.profile]


def commit() -> str:
    """Return the commit that is measured, marked where files differ from it."""
    words = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def write(found: dict[str, Any]) -> None:
    """Write a row's file."""
    ROWS.mkdir(parents=True, exist_ok=True)
    made = datetime.now(UTC).strftime("%Y-%m-%d")
    full = found | {"commit": commit(), "machine": machine(), "made": made}
    part = ROWS / f".{found['row']}.part"
    part.write_text(json.dumps(full, indent=1) + "\n")
    part.replace(ROWS / f"{found['row']}.json")


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _means(said: str, name: str, names: Container[str]) -> bool:
    """Return whether what was said is a row's name, or the beginning of it and no whole name."""
    return said == name or (said not in names and name.startswith(said))


def _all(row: Row) -> tuple[int, ...]:
    return row.seeds if isinstance(row, BabyRow) else (0,)


def _state(row: Row) -> str:
    """Return whether a row is there, or how many of its trainings."""
    all_of_it, to_make = _all(row), missing(row)
    if not to_make:
        return "there"
    return f"{len(all_of_it) - len(to_make)} of {len(all_of_it)}" if there(row) else "missing"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help="beginnings of names of rows; all by default")
    parser.add_argument("--list", action="store_true", help="list the rows and what is there")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--again", action="store_true", help="also rows that are there")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--corpus", type=Path, help="papers for the rows over abstracts: JSONL")
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=(),
        help="these training seeds, such as 1,2, and no others; put together with what is there",
    )
    arguments = parser.parse_args()
    known: list[Row] = [*GYM_ROWS, *IMPROVE_ROWS, *baby_rows()]
    names = {row.name for row in known}
    wanted = [
        row
        for row in known
        if not arguments.rows or any(_means(name, row.name, names) for name in arguments.rows)
    ]
    if arguments.rows and not wanted:
        parser.error(f"no row begins with {' or '.join(arguments.rows)}; --list names them")
    if arguments.list:
        for row in wanted:
            print(f"{row.name:50s} {_state(row)}")
        return
    corpus = arguments.corpus.resolve() if arguments.corpus else None
    for row in [] if arguments.page else wanted:
        seeds = _all(row) if arguments.again else missing(row)
        if isinstance(row, BabyRow) and arguments.seeds:
            seeds = arguments.seeds
        if not seeds:
            print(f"== {row.name}: there; AGAIN=1 or --again makes it anew", flush=True)
        elif not isinstance(row, BabyRow) and row.papers and corpus is None:
            print(f"== {row.name}: left out; name the papers: CORPUS=FILE or --corpus FILE", flush=True)
        else:
            print(f"== {row.name}", flush=True)
            write(made(row, seeds, arguments.jobs, corpus))
            (ROOT / "docs" / "results.md").write_text(page(ROWS))
    (ROOT / "docs" / "results.md").write_text(page(ROWS))


def made(row: Row, seeds: tuple[int, ...], jobs: int, corpus: Path | None) -> dict[str, Any]:
    """Return everything about a row."""
    if isinstance(row, BabyRow):
        return baby(evolve(row, seeds=seeds), jobs)
    return improve(row, jobs, corpus) if isinstance(row, ImproveRow) else gym(row, jobs, corpus)


if __name__ == "__main__":
    main()
