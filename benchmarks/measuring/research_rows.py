"""Making the rows of research-gym: policies beside each other, and agents that practise."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from aegis.evaluation.gym.cache import load_index
from measuring import seven_features
from measuring.running import LIBRARY, WORK, aegis, project, shown

if TYPE_CHECKING:
    from pathlib import Path

    from measuring.recipes import GymRow, ImproveRow


def played_over(row: GymRow | ImproveRow, corpus: Path | None) -> tuple[list[str], list[str]]:
    """Return the words that say what is played over, and how a person types them."""
    key = "environment.research-gym.corpus" if row.papers else "agent.library"
    place, shown_as = (corpus, "FILE") if row.papers else (LIBRARY, "data/library")
    return ["--set", f"{key}={place}"], ["--set", f"{key}={shown_as}"]


def gym(row: GymRow, jobs: int, corpus: Path | None, *, again: bool) -> dict[str, Any]:
    """Return everything about a row of research-gym; what was played before is played `again`."""
    words = ["compare", "rules", "--task", "research-gym", "--episodes", row.episodes]
    words += ["--first", row.first, "--jobs", jobs]
    fresh = ["--fresh"] if again else []
    arena, (sets, told) = project("arena"), played_over(row, corpus)
    found = aegis(arena, *sets, *words, *fresh)
    cache = arena / "data" / "run" / "cache" / "research-gym"  # where the command keeps it
    index = load_index(corpus if corpus and row.papers else LIBRARY, cache)
    seeds = range(row.first, row.first + row.episodes)
    place = [each["name"] for each in found["rows"]].index("rules") + 1
    found["rows"].insert(place, seven_features.row(index, seeds))
    return {
        **_about(row, "research-gym", found),
        "commands": [shown([*told, *words])],
    }


def improve(row: ImproveRow, jobs: int, corpus: Path | None, *, again: bool) -> dict[str, Any]:
    """Return everything about a row of an agent that learns from its own practice.

    It begins anew, all of it, if it is made `again`; else it goes on where it was cut off.
    """
    if again:
        shutil.rmtree(WORK / row.name, ignore_errors=True)
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
        **_about(row, "improving", found),
        "rounds": rounds,
        "commands": [
            *(shown([*told, *w]) for w in ([*practice, row.steps], train, promote_words(row))),
            shown([*told, *words]),
        ],
    }


def _about(row: GymRow | ImproveRow, kind: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return what both kinds of rows say: what was played, and what it came to."""
    return {
        "row": row.name,
        "kind": kind,
        "title": row.title,
        "text": row.text,
        "episodes": row.episodes,
        "first_seed": row.first,
        "rules": found["environment"]["version"],
        "content": found["environment"]["content"],
        "rows": found["rows"],
        "pairs": found["pairs"],
    }


def _renamed(name: str, names: dict[str, str]) -> str:
    """Return a contender's name with the round in the place of the weights' beginning."""
    whole, _, way = name.partition(" ")
    known = next((new for old, new in names.items() if old.startswith(whole)), whole)
    return f"{known} {way}".strip()


def promote_words(row: ImproveRow) -> list[str]:
    """Return the command that follows each training."""
    return ["checkpoints", "promote", "latest", "--profile", row.profile]
