"""A task: a seeded environment, its settings and the split that is played, under one name.

    research-gym
    babyai:GoToLocal:marked
    gymnasium:FrozenLake-v1

Behind the environment's name stand those of its settings that its manifest calls the task
(`Component.task`), in their order: strings and numbers. What is left out keeps its value of the
configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import evolve, frozen

from aegis.config.keys import keys_of
from aegis.config.literal import render
from aegis.contracts.capabilities import EnvironmentCapabilities
from aegis.contracts.names import did_you_mean
from aegis.errors import InputError, PluginError
from aegis.evaluation.gym.corpus import corpus_digest
from aegis.host.composition import Chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.contracts.component import Component
    from aegis.host.manager import Host
    from aegis.project import Project

Split = Literal["practice", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("practice", "validation", "test")

_FIRST: Final[Mapping[Split, int]] = {"test": 0, "practice": 2**21, "validation": 2**22}
"""First seed of each split where the environment knows none: what is learned from, what is judged
by and what is reported are other episodes there, too."""


@frozen
class Task:
    """What is played.

    Attributes:
        name: As above, with every setting of the task.
        environment: The environment, in the split.
        split: Which episodes: ``practice``, ``validation`` or ``test``.
        version: Version of the environment's rules.
        measure: What its figures are: ``return`` or ``success``.
        content: Digest of the files that it plays over; empty where there are none.
        origin: Seed of the split's first episode: 0 where the environment knows splits; where it
            knows none they are told apart by their seeds alone.
    """

    name: str
    environment: Chosen
    split: Split
    version: str
    measure: Literal["return", "success"]
    content: str = ""
    origin: int = 0

    @property
    def rules(self) -> str:
        """Name and version of its rules, as recorded steps name them (`Experience.generator`)."""
        return f"{self.environment.component.name}-{self.version}"

    def of_split(self, split: Split) -> Task:
        """Return the task in another split."""
        return evolve(_of(self.environment, split), content=self.content)

    def seeds(self, first: int, count: int) -> range:
        """Return the seeds of episodes of the split, numbered from 0."""
        return range(self.origin + first, self.origin + first + count)


def overrides(host: Host, text: str) -> list[str]:
    """Return the overrides ``section.key=value`` that make a task of a name.

    Args:
        host: The plugins.
        text: The task's name.

    Raises:
        InputError: ``task-unknown`` if no enabled plugin provides the environment, or more is
            said than the environment's tasks have settings.
    """
    name, *said = text.split(":")
    component = _component(host, name)
    if len(said) > len(component.task):
        known = ":".join([name, *(key.upper() for key in component.task)])
        raise InputError.of(
            "task-unknown",
            f"the task {text!r} says more than environment {name!r} has settings for",
            where="--task",
            fix=f"write {known}",
        )
    pairs = zip(component.task, said, strict=False)
    return [
        f"environment.{name}.{key}={_written(component, key, value)}"
        for key, value in pairs
        if value
    ]


def task_of(project: Project, text: str, split: Split = "test") -> Task:
    """Return the task of a name; the project was loaded with its `overrides`.

    Raises:
        InputError: ``task-unknown``; ``task-unseeded`` if the environment's episodes do not
            follow from a seed, as the agent's own life does not.
    """
    name = text.partition(":")[0]
    _component(project.host, name)
    found = _of(_chosen(project, text), split)
    facts = _facts(found.environment)
    found = evolve(
        found, content=content_of(found.environment, Path(project.config.settings.agent.library))
    )
    if not facts.seeded:
        raise InputError.of(
            "task-unseeded",
            f"environment {name!r} cannot be measured: its episodes do not follow from a seed",
            where="--task",
            fix=f"name one of: {', '.join(_names(project.host))}",
        )
    return found


def as_recorded(project: Project, text: str) -> tuple[str, str | None]:
    """Return how experience of a task names it, and its rules; of any rules where that is None.

    Args:
        project: The project, loaded with the `overrides` of the name.
        text: The task's name; one that no enabled plugin provides, and the agent's own life,
            are as they stand.
    """
    if not is_provided(project.host, text):
        return text, None
    chosen = _chosen(project, text)
    return chosen.task, f"{chosen.component.name}-{chosen.rules(_facts(chosen).version)}"


def is_provided(host: Host, text: str) -> bool:
    """Return whether an enabled plugin provides the environment of a task's name."""
    return text.partition(":")[0] in _names(host)


def content_of(environment: Chosen, library: Path) -> str:
    """Return the digest of the files that an environment plays over; empty where there are none.

    Args:
        environment: The environment.
        library: The agent's library.

    Raises:
        InputError: If they cannot be read.
    """
    facts = _facts(environment)
    return corpus_digest(library) if facts.library else facts.content


def _written(component: Component, key: str, value: str) -> str:
    """Return a part of a name as TOML: a number where the setting is one, else a string."""
    kinds = {} if component.config is None else {k.name: k.type for k in keys_of(component.config)}
    return value if kinds.get(key) in {int, float} else render(value)


def _chosen(project: Project, text: str) -> Chosen:
    name = text.partition(":")[0]
    provided = project.host.provided("environment", name)
    settings = provided.component.config
    config = None if settings is None else project.config.section("environment", name)
    return Chosen("environment", provided, config, f'task "{text}"')


def _of(environment: Chosen, split: Split) -> Task:
    facts = _facts(environment)
    if facts.splits:
        environment = evolve(environment, config=evolve(environment.config, split=split))
    return Task(
        name=environment.task,
        environment=environment,
        split=split,
        version=environment.rules(facts.version),
        measure=facts.measure,
        origin=first_seed(split, splits=facts.splits),
    )


def first_seed(split: Split, *, splits: bool) -> int:
    """Return the seed of a split's first episode, in an environment that knows splits or not."""
    return 0 if splits else _FIRST[split]


def _component(host: Host, name: str) -> Component:
    try:
        return host.provided("environment", name).component
    except PluginError as error:
        known = _names(host)
        raise InputError.of(
            "task-unknown",
            f"no enabled plugin has an environment {name!r}{did_you_mean(name, known)}",
            where="--task",
            fix=f"name one of: {', '.join(known)}; or enable the plugin: aegis plugins list",
        ) from error


def _names(host: Host) -> list[str]:
    return [
        provided.component.name
        for provided in host.components("environment")
        if provided.component.name != "research"
    ]


def _facts(environment: Chosen) -> EnvironmentCapabilities:
    describe = environment.component.describe
    facts = None if describe is None else describe(environment.config)
    return facts if isinstance(facts, EnvironmentCapabilities) else EnvironmentCapabilities()
