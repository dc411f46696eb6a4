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
    from aegis.contracts.component import Component
    from aegis.host.manager import Host
    from aegis.project import Project

Split = Literal["practice", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("practice", "validation", "test")


@frozen
class Task:
    """What is played.

    Attributes:
        name: As above, with every setting of the task.
        environment: The environment, in the split.
        split: Which episodes: ``practice``, ``validation`` or ``test``; empty where the
            environment knows no splits and a seed is the same episode for everybody.
        version: Version of the environment's rules.
        measure: What its figures are: ``return`` or ``success``.
        content: Digest of the files that it plays over; empty where there are none.
    """

    name: str
    environment: Chosen
    split: Split | Literal[""]
    version: str
    measure: Literal["return", "success"]
    content: str = ""

    @property
    def rules(self) -> str:
        """Name and version of its rules, as recorded steps name them (`Experience.generator`)."""
        return f"{self.environment.component.name}-{self.version}"

    @property
    def published(self) -> bool:
        """Whether these are the episodes that figures are reported on."""
        return self.split in {"test", ""}

    def of_split(self, split: Split) -> Task:
        """Return the task in another split; itself where the environment knows none."""
        return evolve(_of(self.environment, split), content=self.content)


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
    provided = project.host.provided("environment", name)
    settings = provided.component.config
    config = None if settings is None else project.config.section("environment", name)
    found = _of(Chosen("environment", provided, config, f'task "{text}"'), split)
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


def _of(environment: Chosen, split: Split) -> Task:
    facts = _facts(environment)
    if facts.splits:
        environment = evolve(environment, config=evolve(environment.config, split=split))
    return Task(
        name=environment.task,
        environment=environment,
        split=split if facts.splits else "",
        version=environment.rules(facts.version),
        measure=facts.measure,
    )


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
