"""The manifest of a component: cheap to make, enough to check a composition with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import NOTHING, field, frozen

from aegis.contracts.names import NAME_RULE, is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from aegis.contracts.capabilities import Capabilities
    from aegis.contracts.experience import Experience
    from aegis.contracts.published import Published
    from aegis.errors import Problem

Kind = Literal["engine", "tokenizer", "trainer", "tool", "environment"]
KINDS: Final[tuple[Kind, ...]] = ("engine", "tokenizer", "trainer", "tool", "environment")


@frozen
class Runtime:
    """What a component may know of the run that it is built for.

    Attributes:
        project: The project's folder (where aegis.toml lies).
        data: Folder for state that may be deleted without loss of experience (caches, indexes);
            each component uses ``data / <its name>``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        threads: Threads for arithmetic; 0 for all.
        seed: Seed of the run.
        checkpoint: Folder of the weights to serve, or None for those of the configuration.
        offline: Whether nothing may touch the network.
        library: Folder of the person's own notes and papers (``[agent].library``).
        life: For environments of the agent's own life, what such an environment works with
            (`aegis.agent.research.Services`); None for every other component.
    """

    project: Path
    data: Path
    device: str = "auto"
    threads: int = 0
    seed: int = 0
    checkpoint: Path | None = None
    offline: bool = False
    library: Path | None = None
    life: Any = None


@frozen
class Part:
    """A component that another one is made of.

    Attributes:
        kind: Kind of the part.
        default: Name of the component used where the configuration names none; None means that
            the component brings its own and the configuration may replace it.
    """

    kind: Kind
    default: str | None = None


def _name(_: object, __: object, value: str) -> None:
    if not is_name(value):
        raise ValueError(f"component name {value!r}: {NAME_RULE}")


def _kind(_: object, __: object, value: str) -> None:
    if value not in KINDS:
        raise ValueError(f"component kind {value!r}: one of {', '.join(KINDS)}")


@frozen(kw_only=True)
class Component:
    """A frozen manifest: what a plugin offers, and how to build it.

    Attributes:
        kind: What it is.
        name: Its name in ``aegis.toml``; unique within its kind among enabled plugins.
        summary: One line for ``aegis plugins list``.
        config: attrs class of its section ``[<kind>.<name>]``, or None where it has no settings.
            Declare fields with `aegis.setting` to give them help, limits and choices.
        parts: Components that it is made of, by part name. Each part name may be set in the
            section (``[engine.hrm].tokenizer = "hrm-bpe"``).
        provides: Free labels that other components may require (``text-world``, ...).
        requires: Labels that some other active component must provide.
        describe: Returns the capabilities for a configuration, from JSON and headers only. May
            raise `AegisError` for what is already known to be wrong. None: nothing to know.
        build: Imports what is heavy and returns the object. Called with the configuration, the
            built parts by name, and the runtime.
        check: Further rules of this component: called with the configuration and the parts'
            capabilities, returns what is wrong. This is how a later component adds a rule to the
            contract check without a change of the host.
        task: For environments: the settings, texts or numbers, that stand behind the name of a
            task: ``("level", "track")`` makes ``babyai:GoToLocal:marked`` a task. Experience and
            results bear this name.
        variants: For environments: makes further demonstrations out of one that are as good as it
            by what the environment does not care about (mirrored, its colours renamed, other
            things in the background), for trainings that ask for them (``[learning].variants``).
            Called with a recorded step, how many, and a seed; returns as many steps at most.
        lessons: For environments: as `variants`, but the simplest first, for trainings that go
            from simple to hard (``[learning].curriculum``).
        published: For environments: returns what others report for a task, given its settings.
            Comparisons show it beside their own rows.
    """

    kind: Kind = field(validator=_kind)
    name: str = field(validator=_name)
    summary: str
    build: Callable[[Any, Mapping[str, Any], Runtime], Any]
    config: type | None = None
    parts: Mapping[str, Part] = field(factory=dict)
    provides: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    describe: Callable[[Any], Capabilities] | None = None
    check: Callable[[Any, Mapping[str, Capabilities]], Iterable[Problem]] | None = None
    task: tuple[str, ...] = ()
    variants: Callable[[Experience, int, int], Iterable[Experience]] | None = None
    lessons: Callable[[Experience, int, int], Iterable[Experience]] | None = None
    published: Callable[[Any], Iterable[Published]] | None = None


def setting(
    default: Any = NOTHING,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    choices: tuple[str, ...] | None = None,
    path: Literal["always", "if-pathlike"] | None = None,
    factory: Callable[[], Any] | None = None,
) -> Any:
    """Declare one key of a configuration class.

    Args:
        default: The value where the file gives none; leave out for a required key.
        help: One sentence with units, printed by ``aegis config schema`` and the reference.
        ge: Smallest value allowed.
        gt: The value must be larger.
        le: Largest value allowed.
        choices: The only strings allowed.
        path: ``always``: the string is a path, made absolute from the project's folder.
            ``if-pathlike``: only where it holds a ``/`` or begins with ``.`` or ``~``, and it is
            left alone where it is a name.
        factory: Makes the default, for lists and tables.
    """
    limits = {"help": help, "ge": ge, "gt": gt, "le": le, "choices": choices, "path": path}
    metadata = {"aegis": {key: value for key, value in limits.items() if value is not None}}
    if factory is not None:
        return field(factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)
