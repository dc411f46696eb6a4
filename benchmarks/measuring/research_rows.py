"""Making the rows of research-gym: policies beside each other, and agents that practise."""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from typing import TYPE_CHECKING, Any, Final

from aegis.evaluation.gym.cache import load_index
from aegis.evaluation.gym.version import VERSION
from aegis.jobs.job_file import write_json
from measuring import seven_features
from measuring.recipes import GymRow, ImproveRow
from measuring.running import HERE, LIBRARY, WORK, aegis, commit, project, shown

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: Final = "improving.toml"


def about(row: GymRow | ImproveRow) -> dict[str, Any]:
    """Return what is known of a row before it is made, and what it has to be of to count."""
    found = {
        "row": row.name,
        "episodes": row.episodes,
        "first_seed": row.first,
        "rules": VERSION,
    }
    if isinstance(row, ImproveRow):
        found |= {"shown": list(row.shown), "settings": settings(row)}
    return found


def settings(row: ImproveRow) -> dict[str, Any]:
    """Return what a row's practice and its trainings follow from."""
    said = tomllib.loads((HERE / SETTINGS).read_text())
    profile = said["profiles"][row.profile]
    trainer = profile["phases"]["reinforce"]
    return {
        "steps": row.steps,
        **profile,
        "exploration": said["agent"]["exploration"],
        "trainer": said["trainer"].get(trainer, {}),
    }


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
        **_told(row, "research-gym", found),
        "commands": [shown([*told, *words])],
    }


def improve(row: ImproveRow, jobs: int, corpus: Path | None, *, again: bool) -> dict[str, Any]:
    """Return everything about a row of an agent that learns from its own practice.

    It begins anew, all of it, if it is made `again` or its settings have changed; else it goes on
    where it was cut off.
    """
    if again or _kept_rounds(row) is None:
        shutil.rmtree(WORK / row.name, ignore_errors=True)
    folder, (sets, told) = project(row.name, SETTINGS), played_over(row, corpus)
    rounds = _kept_rounds(row) or []
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
        whole = steps <= row.steps * len(rounds)  # else it was cut off, and timed in part
        rounds.append(
            {
                "checkpoint": answer["checkpoint"],
                "practice_seconds": round(practised, 1) if whole else None,
                "seconds": round(time.monotonic() - began, 1) if whole else None,
                "training": {key: answer[key] for key in ("examples", "epochs", "metrics")},
                "commit": commit(),
            }
        )
        write_json(_record(row), {"settings": settings(row), "rounds": rounds})
        print(f"round {len(rounds)}: {time.monotonic() - began:.1f} s", flush=True)
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
        **_told(row, "improving", found),
        "rounds": rounds,
        "commands": [
            *(shown([*told, *w]) for w in ([*practice, row.steps], train, promote_words(row))),
            shown([*told, *words]),
        ],
    }


def _record(row: ImproveRow) -> Path:
    return WORK / row.name / "rounds.json"


def _kept_rounds(row: ImproveRow) -> list[dict[str, Any]] | None:
    """Return the rounds that are kept of a row; None if they are of other settings."""
    if not _record(row).exists():
        return []
    kept: dict[str, Any] = json.loads(_record(row).read_text())
    return kept["rounds"] if kept["settings"] == settings(row) else None


def _told(row: GymRow | ImproveRow, kind: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return what both kinds of rows say: what was played, and what it came to."""
    return {
        **about(row),
        "kind": kind,
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
