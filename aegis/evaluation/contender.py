"""A contender: one policy that takes part in a comparison, and everything its figures follow from.

hrm                  the profile with the weights that decide for it
hrm@3f2a             with a checkpoint, by the beginning of its identifier, or ``latest``: the
                     newest that was trained for the profile
hrm@configured       with the weights of its settings: untrained
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import evolve, field, frozen

from aegis.contracts.capabilities import EngineCapabilities, TokenizerCapabilities
from aegis.contracts.check import check
from aegis.evaluation.playing_job import Player
from aegis.host.composition import Chosen
from aegis.host.installed import requirements
from aegis.host.plugin import LOCAL
from aegis.host.seat import seat_of
from aegis.jobs.workplace import workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aegis.checkpoints.manifest import Manifest
    from aegis.contracts.facts import Stored
    from aegis.evaluation.task import Task
    from aegis.host.plugin import PluginInfo
    from aegis.jobs.job_file import Workplace
    from aegis.project import Project

Kind = Literal["profile", "baseline", "expert"]
CONFIGURED: Final = "configured"
UNTRAINED: Final = "untrained"

_FORMAT: Final = 3
"""Of what is kept of an episode; a change makes everything be played again."""
_DIGITS: Final = 10
"""Of a checkpoint's identifier, as names show it."""


@frozen(kw_only=True)
class Contender:
    """A policy in a task.

    Attributes:
        name: How tables call it; one of a kind in a comparison.
        kind: A profile, something to stand beside it, or one that looks behind the views.
        player: Who decides.
        greedy: Whether the most probable candidate is taken instead of a sample.
        workplace: What the playing process loads.
        identity: What its figures follow from beside seeds: plain JSON values.
        profile: Name of the profile, or None.
        checkpoint: Identifier of its weights, or None.
        model: What decides, in words.
        experience: What its weights were trained on (``examples``, ``episodes``), or None.
        recipe: How they were trained, seed and data aside, as JSON; empty for no training.
        imported: Plugins that are loaded for what they import, each with its version.
    """

    name: str
    kind: Kind
    player: Player
    greedy: bool
    workplace: Workplace
    identity: Mapping[str, Any]
    profile: str | None = None
    checkpoint: str | None = None
    model: str = ""
    experience: Mapping[str, Any] | None = field(default=None)
    recipe: str = ""
    imported: tuple[tuple[str, str], ...] = ()

    def fingerprint(self, task: Task) -> str:
        """Return a digest of everything that its episodes in a task follow from, seeds aside."""
        environment, project = task.environment, Path(self.workplace.runtime["project"])
        facts = {
            "format": _FORMAT,
            "task": task.name,
            "environment": seat_of(environment),
            "rules": task.version,
            "content": task.content,
            "provided": _providers(environment, project),
            # A world is made by libraries: gymnasium, minigrid.
            "needs": requirements(environment.plugin.distribution),
            **({"imported": self.imported} if self.imported else {}),
            "player": [self.player.kind, self.player.name, dict(self.player.seat)],
            "greedy": self.greedy,
            "identity": dict(self.identity),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("ascii")).hexdigest()


def ways(decide: str) -> tuple[bool, ...]:
    """Return what ``sampled``, ``greedy`` or ``both`` stand for: whether each is greedy."""
    return {"sampled": (False,), "greedy": (True,), "both": (False, True)}[decide]


def profiled(
    project: Project, task: Task, text: str, decide: str, *, label: str = ""
) -> list[Contender]:
    """Return a profile as contenders, one for each way to decide.

    Args:
        project: The project, composed with the profile.
        task: What will be played.
        text: What was asked for, ``PROFILE`` or ``PROFILE@CHECKPOINT``.
        decide: ``sampled``, ``greedy`` or ``both``.
        label: What stands for the weights in its name; the checkpoint's beginning by default.

    Raises:
        ContractError: If the composition cannot work in the task.
        ModelError: If the checkpoint is absent, damaged or not the engine's.
    """
    profile, _, wanted = text.partition("@")
    stored = stored_weights(project, wanted)
    composition = evolve(project.composition, environment=task.environment, tools=(), trainers={})
    check(composition, stored).raise_problems()
    checkpoint = None if stored is None else stored.checkpoint
    folder = None if checkpoint is None else project.checkpoints.verified(checkpoint)
    engine = composition.engine
    weights = label or ("" if checkpoint is None else checkpoint[:_DIGITS])
    name = f"{profile}@{weights}" if weights else profile
    manifest = None if stored is None else stored.manifest
    identity = _identity(project, engine, checkpoint)
    return [
        Contender(
            name=named(name, greedy=greedy, decide=decide),
            kind="profile" if label != UNTRAINED else "baseline",
            player=Player(kind="engine", name=engine.component.name, seat=seat_of(engine)),
            greedy=greedy,
            workplace=_alone(project, (engine, task.environment), folder),
            imported=_imported(project),
            identity=identity,
            profile=profile,
            checkpoint=checkpoint,
            model=_model(engine, identity["files"], checkpoint),
            experience=None if manifest is None else _experience(manifest.dataset),
            recipe="" if manifest is None else _recipe(manifest),
        )
        for greedy in ways(decide)
    ]


def component(project: Project, task: Task, name: str) -> Contender:
    """Return an engine that needs no profile, such as ``random`` or ``rules``."""
    engine = Chosen("engine", project.host.provided("engine", name), None, "")
    return Contender(
        name=name,
        kind="baseline",
        player=Player(kind="engine", name=name, seat=seat_of(engine)),
        greedy=False,
        workplace=_alone(project, (engine, task.environment)),
        imported=_imported(project),
        identity=_identity(project, engine),
        model=name,
    )


def expert(project: Project, task: Task, name: str) -> Contender:
    """Return one of the environment's own policies that look behind its views; it is greedy."""
    return Contender(
        name=name,
        kind="expert",
        player=Player(kind="expert", name=name),
        greedy=True,
        workplace=_alone(project, (task.environment,)),
        imported=_imported(project),
        identity={},
        model="looks behind the views",
    )


def majority(project: Project, task: Task, tool: str, whose: str) -> Contender:
    """Return the policy that always takes one tool.

    Args:
        project: The project.
        task: What will be played.
        tool: Name of the tool.
        whose: Whose most frequent tool it is.
    """
    return Contender(
        name="majority",
        kind="baseline",
        player=Player(kind="majority", name=tool),
        greedy=False,
        workplace=_alone(project, (task.environment,)),
        imported=_imported(project),
        identity={},
        model=f"always {tool}, which {whose} takes most",
    )


def named(name: str, *, greedy: bool, decide: str) -> str:
    """Return a name that says how it decides, where that is not sampling as the agent does."""
    if decide == "sampled":
        return name
    return f"{name} {'greedy' if greedy else 'sampled'}"


def unique(contenders: Iterable[Contender]) -> list[Contender]:
    """Return the contenders without those that are named like one before."""
    found: dict[str, Contender] = {}
    for one in contenders:
        found.setdefault(one.name, one)
    return list(found.values())


def stored_weights(project: Project, wanted: str) -> Stored | None:
    """Return the checkpoint that is asked for; None for the weights of the settings.

    Args:
        project: The project, composed with the profile.
        wanted: The beginning of an identifier, ``latest`` or ``configured``; empty: what decides.

    Raises:
        ModelError: If there is no such checkpoint.
    """
    if not wanted:
        return project.serving()
    if wanted == CONFIGURED:
        return None
    profile = project.composition.profile
    return project.stored(project.checkpoints.resolve(wanted, profile))


def _alone(project: Project, loaded: Iterable[Chosen], checkpoint: Path | None = None) -> Workplace:
    """Return a workplace with one thread: many processes use many cores better than threads do."""
    return workplace(project, loaded, checkpoint, threads=1)


def _identity(project: Project, engine: Chosen, checkpoint: str | None = None) -> dict[str, Any]:
    """Return what the decisions of an engine follow from beside its settings."""
    runtime, parts = project.config.settings.runtime, [_described(one) for one in engine.walk()]
    engines = [facts for facts in parts if isinstance(facts, EngineCapabilities)]
    files = {path for facts in engines for path in facts.files}
    # Weights that come from nowhere are drawn, and so are words.
    drawn = (checkpoint is None and not files) or any(facts.writes_text for facts in engines)
    return {
        "provided": _providers(engine, project.folder),
        "checkpoint": checkpoint,
        "weights": [facts.weights for facts in engines],
        "files": sorted(_digest(path) for path in files),
        "tokenizers": [
            facts.fingerprint for facts in parts if isinstance(facts, TokenizerCapabilities)
        ],
        "device": runtime.device,
        "seed": runtime.seed if drawn else None,
    }


def _providers(chosen: Chosen, project: Path) -> list[list[str]]:
    """Return who provides a component and its parts, each with its version."""
    return [[one.plugin.name, _version(one.plugin, project)] for one in chosen.walk()]


def _imported(project: Project) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, _version(one, project.folder)) for one in project.host.imported_only)


def _version(plugin: PluginInfo, project: Path) -> str:
    """Return a plugin's version; a local file has none but its content."""
    if plugin.distribution != LOCAL:
        return plugin.version
    return _digest(project / Path(plugin.name).expanduser())


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _described(chosen: Chosen) -> object:
    describe: Callable[[Any], Any] | None = chosen.component.describe
    return None if describe is None else describe(chosen.config)


def _model(engine: Chosen, files: Sequence[str], checkpoint: str | None) -> str:
    """Return what decides, in words: the engine, and the model that its settings name.

    Of a folder the last name: where it lies on this machine is nobody else's business. What lies
    in it, whatever it is called, the digests of its files of weights say, where no checkpoint,
    which has a name of its own, decides; and weights that come from nowhere are said to be such.
    """
    said = getattr(engine.config, "model", None)
    name = engine.component.name
    if isinstance(said, str) and said:
        name = f"{name} with {Path(said).name}"
    if checkpoint is not None:
        return name
    if not files:
        told = _described(engine)
        drawn = getattr(told, "parameters", None) and getattr(told, "weights", None) is None
        return f"{name} (untrained weights)" if drawn else name
    one = files[0] if len(files) == 1 else hashlib.sha256(" ".join(files).encode()).hexdigest()
    return f"{name} (sha256 {one[:8]})"


def _recipe(manifest: Manifest) -> str:
    """Return the trainer, its settings, and what further forms of the data it got."""
    said = manifest.dataset
    facts = [manifest.trainer, manifest.config.get("trainer")]
    facts += [said.get("split", {}).get("variants"), said.get("curriculum")]
    return json.dumps(facts, sort_keys=True)


def _experience(dataset: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: dataset.get(key) for key in ("examples", "episodes", "held_out_episodes")}
    episodes, held_out = found.pop("episodes"), found.pop("held_out_episodes")
    if isinstance(episodes, int):
        found["episodes"] = episodes + (held_out if isinstance(held_out, int) else 0)
    return found
