"""Which components a plugin is checked by, and what stands beside each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from aegis.config.settings import PhaseSettings, ProfileSettings
from aegis.contracts.capabilities import EngineCapabilities, TrainerCapabilities
from aegis.contracts.names import did_you_mean
from aegis.errors import AegisError, InputError
from aegis.host.composition import Chosen, compose
from aegis.resources import library
from aegis.testing.subject import Subject
from aegis.testing.tiny import tiny_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.contracts.component import Component
    from aegis.host.plugin import PluginInfo, Provided
    from aegis.project import Project
    from aegis.testing.checks import Kind

_PROFILE: Final = "conformance"
_LIBRARY_TOOLS: Final = ("search_library", "read", "write_note")


def subjects_of(project: Project, info: PluginInfo, folder: Path) -> list[tuple[Kind, Subject]]:
    """Return what of a plugin is checked, in the order of the suites.

    Raises:
        PluginError: If it could not be loaded.
    """
    if info.error is not None:
        raise info.error
    made: list[tuple[Kind, Subject]] = [("plugin", _of_plugin(project, info, folder))]
    own = [one for one in project.host.components() if one.plugin.name == info.name]
    for kind in ("tokenizer", "engine", "trainer", "tool", "environment"):
        for provided in own:
            if provided.component.kind == kind:
                place = folder / kind / provided.component.name
                place.mkdir(parents=True)
                made += [(kind, one) for one in _subjects(project, provided, place)]
    made += [("composition", one) for one in _profiles(project, info, folder)]
    return made


def plugins_of(project: Project, name: str) -> list[PluginInfo]:
    """Return the enabled plugin of a name, or all of a distribution.

    Raises:
        InputError: ``not-enabled`` if the project enables none.
    """
    plugins = project.host.plugins
    found = [info for info in plugins if name in (info.name, info.name.removeprefix("builtin:"))]
    found = found or [info for info in plugins if name == info.distribution]
    if found:
        return found
    on = [info.name for info in project.host.plugins if not info.builtin]
    raise InputError.of(
        "not-enabled",
        f'plugin "{name}" is not enabled in {project.source.name}{did_you_mean(name, on)}',
        where="[plugins].enabled",
        fix=f"aegis plugins enable {name}" + (f"; enabled: {', '.join(on)}" if on else ""),
    )


def _of_plugin(project: Project, info: PluginInfo, folder: Path) -> Subject:
    from aegis.contracts.component import Component
    from aegis.host.plugin import Provided

    about = Component(
        kind="tool", name="plugin", summary="the plugin itself", build=lambda *_: None
    )
    chosen = Chosen("plugin", Provided(about, info), None, "")
    place = folder / "plugin"
    place.mkdir(parents=True)
    return Subject(chosen, place, project=project.folder, label=f'plugin "{info.name}"')


def _subjects(project: Project, provided: Provided, folder: Path) -> Iterator[Subject]:
    chosen = chosen_for(project, provided)
    notes = Path(project.config.settings.agent.library)
    if provided.component.kind != "trainer":
        yield Subject(chosen, folder, project=project.folder, library=notes)
        return
    for engine in _engines_for(project, chosen):
        place = folder / engine.component.name
        place.mkdir()
        yield Subject(chosen, place, engine=engine, project=project.folder, library=notes)


def chosen_for(project: Project, provided: Provided) -> Chosen:
    """Return a component with the settings and parts that the project gives it."""
    component = provided.component
    name, kind = component.name, component.kind
    if kind == "tokenizer":
        config = None if component.config is None else project.config.section(kind, name)
        return Chosen(f"tokenizer.{name}", provided, config, f'tokenizer "{name}"')
    found = _around(project, component).composition
    return next(one for one in found.roots() if one.component is component)


def _around(project: Project, component: Component) -> Project:
    """Return the project with a profile around one component; what else it needs is builtin.

    The agent lives in the sample library, whatever the project's is.
    """
    name, kind = component.name, component.kind
    settings = project.config.settings
    profile = ProfileSettings(
        engine=name if kind == "engine" else "rules",
        environment=name if kind == "environment" else "research",
        phases=PhaseSettings(imitate=name) if kind == "trainer" else PhaseSettings(),
    )
    own = (name,) if kind == "tool" else ()
    agent = evolve(settings.agent, tools=(*own, *_LIBRARY_TOOLS), library=str(library()))
    changed = evolve(settings, profiles={**settings.profiles, _PROFILE: profile}, agent=agent)
    config = evolve(project.config, settings=changed)
    return evolve(project, config=config, composition=compose(project.host, config, _PROFILE))


def _engines_for(project: Project, trainer: Chosen) -> Iterator[Chosen]:
    """Yield the engines that a trainer is checked with.

    Those of the profiles that name it; else one of each kind that it accepts, from the enabled
    plugins; the kit's own where there is none.
    """
    name = trainer.component.name
    found: dict[str, Chosen] = {}
    for profile in project.config.profile_names:
        phases = project.config.profile(profile).phases
        if name in (phases.imitate, phases.reinforce) and _resolves(project, profile):
            engine = compose(project.host, project.config, profile).engine
            found.setdefault(engine.component.name, engine)
    if found:
        yield from found.values()
        return
    describe = trainer.component.describe
    said = describe(trainer.config) if describe is not None else None
    accepts = said.accepts if isinstance(said, TrainerCapabilities) else frozenset()
    for provided in project.host.components("engine"):
        try:
            chosen = chosen_for(project, provided)
            tell = provided.component.describe
            facts = tell(chosen.config) if tell is not None else None
        except AegisError:
            continue
        if isinstance(facts, EngineCapabilities) and facts.kind in accepts:
            found.setdefault(facts.kind, chosen)
    yield from found.values() or [tiny_engine(kind) for kind in sorted(accepts)[:1]]


def _resolves(project: Project, profile: str) -> bool:
    try:
        compose(project.host, project.config, profile)
    except AegisError:
        return False
    return True


def _profiles(project: Project, info: PluginInfo, folder: Path) -> Iterator[Subject]:
    """Yield the file's profiles that the plugin has a part in, or one around each component."""
    own = {component.name for component in info.components}
    found = False
    for name, profile in project.config.settings.profiles.items():
        phases = (profile.phases.imitate, profile.phases.reinforce)
        try:
            composition = compose(project.host, project.config, name)
        except AegisError:  # another plugin's, which is not there: no business of this one
            if own & {profile.engine, profile.tokenizer, profile.environment, *phases}:
                raise
            continue
        if any(one.plugin.name == info.name for one in composition.walk()):
            found = True
            whole = evolve(project, composition=composition)
            yield _of_profile(whole, folder / "profiles" / name, f'profile "{name}"')
    for component in () if found or info.builtin else info.components:
        if component.kind in ("engine", "environment", "tool"):
            label = f'a profile around {component.kind} "{component.name}"'
            place = folder / "around" / component.kind / component.name
            yield _of_profile(_around(project, component), place, label)


def _of_profile(project: Project, folder: Path, label: str) -> Subject:
    folder.mkdir(parents=True)
    engine = project.composition.engine
    return Subject(engine, folder, profile=project, project=project.folder, label=label)
