"""From a project to a training that can begin: the trainer, the data, the weights to start from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from aegis.config.keys import keys_of
from aegis.contracts.capabilities import EngineCapabilities, TrainerCapabilities
from aegis.errors import ConfigError, InputError, Problem
from aegis.evaluation.task import first_seed
from aegis.host.composition import PHASES, Chosen
from aegis.host.seat import seat_of
from aegis.jobs.workplace import workplace
from aegis.learning.job import JudgingJob, Play, TrainingJob
from aegis.learning.varying import varied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aegis.contracts.experience import Experience
    from aegis.evaluation.task import Task
    from aegis.host.composition import Composition
    from aegis.jobs.job_file import Workplace
    from aegis.jobs.limits import Limits
    from aegis.learning.job_folder import JobFolder
    from aegis.learning.selecting import Selected
    from aegis.project import Project

LIFE: Final = "research"
PRACTICE: Final = "research-gym"
BESIDE: Final = ("random", "rules")


def trainer_of(composition: Composition, phase: str | None = None) -> Chosen:
    """Return the trainer of a phase; by default of the first phase that has one.

    Raises:
        ConfigError: ``no-trainer`` if there is none, with the trainers that could be chosen.
    """
    for name in PHASES if phase is None else (phase,):
        if name in composition.trainers:
            return composition.trainers[name]
    profile = composition.profile
    wanted = "trainer" if phase is None else f"trainer for the phase {phase}"
    where = composition.config.source.where("profiles", profile, "phases")
    raise ConfigError(
        Problem(
            "no-trainer",
            f'profile "{profile}" has no {wanted}',
            where=where,
            fix=_way_to_a_trainer(composition, phase or PHASES[0]),
        )
    )


def with_epochs(trainer: Chosen, epochs: int) -> str:
    """Return the override that sets how often a trainer passes over the data.

    Raises:
        ConfigError: ``no-epochs`` if the trainer has no such setting.
    """
    name, settings = trainer.component.name, trainer.component.config
    names = [] if settings is None else [key.name for key in keys_of(settings)]
    if "epochs" not in names:
        known = f"its settings: {', '.join(names)}" if names else "it has no settings"
        raise ConfigError(
            Problem("no-epochs", f'trainer "{name}" has no setting epochs', "--epochs", known)
        )
    return f"trainer.{name}.epochs={epochs}"


@frozen
class Plan:
    """A training that is ready to begin.

    Attributes:
        project: The project.
        trainer: The trainer.
        selected: The data, split and checked.
        incumbent: Checkpoint that decides now, or None for the configured weights.
        workplace: What the child loads to train.
        fingerprint: Digest of what decides the result.
        task: What is learned and played to judge; None for whatever was recorded.
    """

    project: Project
    trainer: Chosen
    selected: Selected
    incumbent: str | None
    workplace: Workplace
    fingerprint: str
    task: Task | None = None

    @classmethod
    def of(
        cls,
        project: Project,
        phase: str | None = None,
        data: Path | None = None,
        task: Task | None = None,
    ) -> Plan:
        """Choose, select and check everything.

        Args:
            project: The project, with the profile to train.
            phase: ``imitate`` or ``reinforce``; by default the first that has a trainer.
            data: File to take the experience from instead of the ledger.
            task: Learn from experience of this task only, and play it to judge.

        Raises:
            ConfigError: If the profile has no trainer.
            ContractError: If the composition cannot work.
            InputError: If there is no data, or it cannot be trained on.
            ModelError: If the checkpoint that decides now is damaged.
        """
        from aegis.checkpoints.folder import Checkpoints
        from aegis.checkpoints.serving import serving
        from aegis.learning.selecting import select

        composition = project.composition
        trainer = trainer_of(composition, phase)
        project.refuse_if_broken()
        incumbent = serving(project.run_folder, composition.profile)
        folder = Checkpoints(project.run_folder).verified(incumbent) if incumbent else None
        settings = project.config.settings
        selected = select(
            experience(project, data, None if task is None else task.name),
            settings.learning,
            needs_candidates=needs_candidates(composition, trainer),
            rules=None if task is None else task.rules,
        )
        selected.raise_problems()
        count, curriculum = settings.learning.variants, settings.learning.curriculum
        seed = settings.runtime.seed
        if count or curriculum:
            selected = selected.with_variants(
                varied(selected.train, project.host, count, seed, curriculum=curriculum),
                count,
                curriculum=curriculum,
            )
        return cls(
            project,
            trainer,
            selected,
            incumbent,
            workplace(project, (composition.engine, trainer), folder),
            _fingerprint(composition, trainer, selected, incumbent, seed),
            task,
        )

    @property
    def engine(self) -> Chosen:
        """The engine that is trained."""
        return self.project.composition.engine

    def training(self, folder: JobFolder, *, resume: bool, limits: Limits) -> TrainingJob:
        """Return the job that trains in a folder."""
        return TrainingJob(
            profile=self.project.composition.profile,
            fingerprint=self.fingerprint,
            workplace=self.workplace,
            engine=seat_of(self.engine),
            trainer=seat_of(self.trainer),
            seed=self.project.config.settings.runtime.seed,
            train=folder.train,
            validation=folder.validation,
            state=folder.state,
            result=folder.result,
            seconds=limits.seconds,
            grace=limits.grace,
            resume=resume,
            in_order=self.selected.curriculum,
        )

    def judging(
        self, folder: JobFolder, candidate: Path, *, episodes: int | None, limits: Limits
    ) -> JudgingJob:
        """Return the job that compares the new weights with those that decide now.

        Args:
            folder: Folder of the training.
            candidate: Verified folder of the new weights.
            episodes: How many are played; None for the configuration's number.
            limits: What the comparison may take.
        """
        settings = self.project.config.settings
        stage = _stage(self.project, self.task)
        beside = [] if stage is None else list(_beside(self.project, stage))
        count = settings.learning.judge_episodes if episodes is None else episodes
        loaded = (self.engine, *beside) if stage is None else (self.engine, stage, *beside)
        place = self.workplace.runtime["checkpoint"]
        return JudgingJob(
            workplace=workplace(self.project, loaded, None if place is None else Path(place)),
            engine=seat_of(self.engine),
            candidate=candidate,
            validation=folder.validation,
            play=None if stage is None else _play(stage, beside, count),
            seed=settings.runtime.seed,
            seconds=limits.seconds,
            grace=limits.grace,
        )


def experience(
    project: Project, data: Path | None, environment: str | None = None
) -> Iterator[Experience]:
    """Yield the experience of a file, or of the ledger, which a running agent may go on writing.

    Args:
        project: The project.
        data: The file; None for the ledger.
        environment: Only steps in this environment; None for all.

    Raises:
        InputError: ``no-run`` if there is no ledger; ``data-empty`` if nothing is of the
            environment; and what is wrong with the file.
    """
    found = False
    for step in _recorded(project, data, environment):
        found = True
        yield step
    if environment is not None and not found:
        raise InputError.of(
            "data-empty",
            f"no step of {environment} is recorded",
            where=str(data or project.run_folder / "ledger.sqlite"),
            fix=_collect(environment),
        )


def _recorded(project: Project, data: Path | None, environment: str | None) -> Iterator[Experience]:
    if data is not None:
        from aegis.learning.experience_file import from_file

        for step in from_file(data, project.config.settings.agent.rewards):
            if environment in {None, step.environment}:
                yield step
        return
    from aegis.store.ledger import Ledger

    folder = project.run_folder
    if not (folder / "ledger.sqlite").exists():
        raise InputError.of(
            "no-run",
            "there is nothing to learn from yet: no agent has run here",
            where=str(folder),
            fix="aegis run --steps 1000, or aegis train --data FILE"
            if environment is None
            else _collect(environment),
        )
    with Ledger.open(folder, write=False) as ledger:
        yield from ledger.experiences(environment=environment)


def _collect(task: str) -> str:
    if task == LIFE:
        return "aegis run --steps 1000"
    return f"aegis data collect --task {task} --teacher NAME, or --profile NAME"


def _way_to_a_trainer(composition: Composition, phase: str) -> str:
    facts = composition.describe_all().capabilities.get("engine")
    kind = facts.kind if isinstance(facts, EngineCapabilities) else None
    fitting = [
        name
        for name, told in composition.available("trainer")
        if isinstance(told, TrainerCapabilities) and kind in told.accepts
    ]
    if fitting:
        names = " or ".join(f'phases.{phase} = "{name}"' for name in fitting)
        return f"add {names} to [profiles.{composition.profile}]"
    return f'no enabled plugin trains engines of kind "{kind}"; see aegis plugins list'


def needs_candidates(composition: Composition, trainer: Chosen) -> bool:
    """Return whether a trainer learns from nothing but choices among candidates."""
    facts = composition.describe_all().capabilities.get(trainer.path)
    return facts.needs_candidates if isinstance(facts, TrainerCapabilities) else True


def _fingerprint(
    composition: Composition, trainer: Chosen, selected: Selected, incumbent: str | None, seed: int
) -> str:
    facts: dict[str, Any] = {
        "profile": composition.profile,
        "engine": seat_of(composition.engine),
        "trainer": seat_of(trainer),
        "plugins": [[c.plugin.name, c.plugin.version] for c in (composition.engine, trainer)],
        "train": selected.train.digest,
        "validation": selected.validation.digest,
        "parent": incumbent,
        "seed": seed,
        "curriculum": selected.curriculum,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("ascii")).hexdigest()


def _stage(project: Project, task: Task | None) -> Chosen | None:
    """Return where old and new weights play, or None.

    The task; else the profile's own environment where it is seeded; practice over the agent's
    library where it is the agent's life. Where an environment knows splits, validation is played,
    never what is practised or reported.
    """
    if task is not None:
        return task.of_split("validation").environment
    own = project.composition.environment
    if own.component.name == LIFE:
        provided = project.host.provided("environment", PRACTICE)
        own = Chosen("environment", provided, project.config.section("environment", PRACTICE), "")
    describe = own.component.describe
    facts = None if describe is None else describe(own.config)
    if getattr(facts, "splits", False):
        return evolve(own, config=evolve(own.config, split="validation"))
    return own if getattr(facts, "seeded", False) else None


def _beside(project: Project, stage: Chosen) -> Iterator[Chosen]:
    """Yield the engines that play beside: no opinion, and where it is made for that, the rules."""
    for name in BESIDE:
        if name == "random" or stage.component.name == PRACTICE:
            yield Chosen("engine", project.host.provided("engine", name), None, "")


def _play(stage: Chosen, beside: Iterable[Chosen], episodes: int) -> Play:
    describe = stage.component.describe
    facts = None if describe is None else describe(stage.config)
    first = first_seed("validation", splits=getattr(facts, "splits", False))
    return Play(
        environment=seat_of(stage),
        version=stage.rules(str(getattr(facts, "version", "1"))),
        seeds=tuple(range(first, first + episodes)),
        beside={chosen.component.name: seat_of(chosen) for chosen in beside},
    )
