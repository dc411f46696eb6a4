"""Making the rows of BabyAI: demonstrations, trainings by seed, and what they accomplish."""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegis.evaluation.machine import machine
from aegis.jobs.job_file import write_json
from aegis_babyai.levels import LEVELS
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.variants import Kinds
from aegis_babyai.version import version_of
from measuring.recipes import RECIPES, BabyRow
from measuring.running import HERE, WORK, aegis, commit, project, shown
from measuring.seeds import SAME_TRAINING, successes

if TYPE_CHECKING:
    from collections.abc import Mapping

EPISODES: Final = 512


def about(row: BabyRow) -> dict[str, Any]:
    """Return what is known of a row before it is made."""
    return {
        "row": row.name,
        "task": row.task,
        "recipe": row.recipe,
        "demonstrations": row.demonstrations,
        "forms": forms(row),
        "settings": settings(row),
        "rules": _rules(row),
        "episodes": EPISODES,
        "first_seed": row.first,
    }


def forms(row: BabyRow) -> str:
    """Return in how many forms each step is trained on beside its own, and in which."""
    learning = tomllib.loads((HERE / "aegis.toml").read_text())["learning"]
    level, marked = LEVELS[row.level], row.track == "marked"
    kinds = Kinds.of(level, marked=marked, sides=level.sides and not marked)
    further = {
        "others": kinds.redrawn,
        "faced too": kinds.redrawn,
        "detours": kinds.detoured,
        "said otherwise": kinds.reworded,
        "simple first": learning.get("curriculum"),
    }
    return ", ".join([str(row.variants), *(name for name, there in further.items() if there)])


def settings(row: BabyRow) -> dict[str, Any]:
    """Return what else a training follows from: the model's shape, its time, its trainer's."""
    said = tomllib.loads((HERE / "aegis.toml").read_text())
    recipe = RECIPES[row.recipe]
    trainer = said["profiles"][recipe.profile]["phases"]["imitate"]
    shape = " ".join(recipe.prepare).format(model="MODEL", data="DATA")
    return {"model": shape, "minutes": said["learning"]["minutes"], **said["trainer"][trainer]}


def _rules(row: BabyRow) -> str:
    return version_of(BabyAISettings(level=row.level, track=row.track))  # type: ignore[arg-type]  # a track


def demonstrations(row: BabyRow, *, again: bool = False) -> tuple[Path, str]:
    """Return the file of a row's demonstrations and the command that makes it, or made it."""
    words = ["data", "collect", "--task", row.task, "--teacher", "bot"]
    words += ["--episodes", str(row.demonstrations)]
    name = f"{row.level}-{row.track}-{row.demonstrations}-rules-{_rules(row)}.jsonl"
    file = WORK / "demonstrations" / name
    if again or not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        aegis(project("arena"), *words, "--out", file, *(["--fresh"] if again else []))
    return file, shown([*words, "--out", file])


def trained(row: BabyRow, data: Path, seed: int) -> dict[str, Any]:
    """Return one training: its seed, its checkpoint, what it took, where it was, its commands."""
    record = WORK / f"{row.name}-{seed}" / "trained.json"
    wanted = about(row)
    if record.exists():
        found: dict[str, Any] = json.loads(record.read_text())
        if all(found.get(key) == wanted[key] for key in SAME_TRAINING):
            return found
    # Of another recipe, or cut off: with what is left of its minutes it would not be a training
    # of this row, and going on it would get all of them again.
    shutil.rmtree(record.parent, ignore_errors=True)
    folder = project(record.parent.name)
    recipe = RECIPES[row.recipe]
    names = {"data": data, "seed": seed, "model": folder / "model", "level": row.level}
    commands = []
    sets = [part for each in recipe.sets for part in ("--set", each.format(**names))]
    if recipe.prepare:
        words = [word.format(**names) for word in recipe.prepare]
        aegis(folder, *words, seed=seed)
        commands.append(shown(words, seed))
    sets += ["--set", f"learning.variants={row.variants}"]
    words = [*sets, "train", "--profile", recipe.profile, "--task", row.task]
    words += ["--data", str(data), "--no-judge"]
    began, measured = time.monotonic(), commit()
    answer = aegis(folder, *words, seed=seed)
    commands.append(shown(words, seed))
    found = {
        "seed": seed,
        **{key: wanted[key] for key in SAME_TRAINING},
        "checkpoint": answer["checkpoint"],
        "seconds": round(time.monotonic() - began, 1),
        "training": {key: answer[key] for key in ("examples", "epochs", "seconds", "metrics")},
        "parameters": answer["total_parameters"],
        "commands": commands,
        "commit": measured,
        "machine": machine(),
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    write_json(record, found)
    return found


def _entered(row: BabyRow, one: Mapping[str, Any]) -> Path:
    """Copy a training's checkpoint and its first weights to where all are compared.

    Returns:
        The folder of the first weights. Of those of the row's first training, what is untrained
        plays; a checkpoint has its own, and its name is the digest of what it holds.
    """
    arena, own = project("arena"), WORK / f"{row.name}-{one['seed']}"
    weights = Path("data", "run", "checkpoints", one["checkpoint"])
    if not (arena / weights).exists():
        _copied(own / weights, arena / weights)
    model = arena / "models" / own.name
    if (own / "model").exists():
        shutil.rmtree(model, ignore_errors=True)
        _copied(own / "model", model)
    return model


def _copied(source: Path, place: Path) -> None:
    """Copy a folder so that it is whole or not there."""
    part = place.with_name(f".{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    part.rename(place)


def baby(row: BabyRow, jobs: int, *, again: bool) -> dict[str, Any]:
    """Return everything about a row but what its trainings come to together.

    Args:
        row: The row, with the seeds that are to be trained.
        jobs: Processes side by side.
        again: Whether what is kept of it is made anew.
    """
    if again:
        for seed in row.seeds:
            shutil.rmtree(WORK / f"{row.name}-{seed}", ignore_errors=True)
    data, collected = demonstrations(row, again=again)
    with ThreadPoolExecutor(jobs) as threads:
        trainings = list(threads.map(lambda seed: trained(row, data, seed), row.seeds))
    models = [_entered(row, one) for one in trainings]
    recipe = RECIPES[row.recipe]
    entrants = [f"{recipe.profile}@{one['checkpoint'][:12]}" for one in trainings]
    sets = [part for each in recipe.sets for part in ("--set", each.format(model=models[0]))]
    words = [*sets, "compare", *entrants, "--task", row.task, "--episodes", EPISODES]
    words += ["--first", row.first, "--decide", "both", "--jobs", jobs]
    found = aegis(project("arena"), *words, *(["--fresh"] if again else []))
    return about(row) | {
        "kind": "babyai",
        "decides": recipe.kind,
        "target": row.target,
        "split": found["environment"]["split"],
        "beside": [each for each in found["rows"] if each["kind"] != "profile"],
        "rows": [each for each in found["rows"] if each["kind"] == "profile"],
        "published": found["published"],
        "trainings": [_told(row, one) for one in trainings],
        "commands": [collected, shown(words)],
    }


def _told(row: BabyRow, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the row says of one training: what is its own, and which episodes it won."""
    episodes = range(row.first, row.first + EPISODES)
    won = successes(project("arena"), training["checkpoint"], row.task, _rules(row), episodes)
    own = {key: value for key, value in training.items() if key not in SAME_TRAINING}
    return own | {"successes": won}
