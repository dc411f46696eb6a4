"""The facts of a composition: what each component says, and what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, fields, frozen

from aegis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aegis.checkpoints.manifest import Manifest
    from aegis.contracts.capabilities import Capabilities
    from aegis.host.composition import Chosen, Composition

Finding = Problem | str
"""What a rule returns: a problem, or one sentence about a fact that is not known yet."""


@frozen
class Stored:
    """A checkpoint that would decide, as far as its manifest tells.

    Attributes:
        checkpoint: Its identifier.
        plugin_api: Version of the plugin interface that the host has.
        manifest: What it says of itself; None where that cannot be read.
        problems: Why it cannot be read.
        fix: What to do where it does not belong to the composition.
    """

    checkpoint: str
    plugin_api: int
    manifest: Manifest | None = None
    problems: tuple[Problem, ...] = ()
    fix: str = field(default="aegis checkpoints list shows the others")

    @property
    def origin(self) -> str:
        """Distribution and version that it was made with, as messages show them."""
        said = self.manifest
        return "unknown" if said is None else f"{said.distribution} {said.version}".rstrip()

    @property
    def made(self) -> str:
        """What made it, in one line."""
        if self.manifest is None:
            return ""
        trained = self.manifest.dataset.get("examples")
        return f"made by {self.manifest.trainer}" + (
            f" from {trained} examples" if isinstance(trained, int) else ""
        )


@frozen
class Facts:
    """A composition and its components' capabilities.

    Attributes:
        composition: What is checked.
        capabilities: What components say, by path; one that has nothing to say is not there.
        failed: Paths of components that could not say anything, which is a problem already.
        stored: The checkpoint that decides; None for the weights of the configuration.
    """

    composition: Composition
    capabilities: Mapping[str, Capabilities]
    failed: frozenset[str] = frozenset()
    stored: Stored | None = None

    def of(self, chosen: Chosen) -> Capabilities | None:
        """Return what a component says, or None."""
        return self.capabilities.get(chosen.path)

    def value(self, chosen: Chosen, name: str) -> Any:
        """Return one fact, or None where it is not known or does not apply."""
        said = self.of(chosen)
        if said is None or name in said.unverified:
            return None
        return getattr(said, name)

    def silent(self, chosen: Chosen) -> bool:
        """Return whether a component failed to describe itself: nothing can be asked of it."""
        return chosen.path in self.failed

    def engines(self) -> Iterator[Chosen]:
        """Return the engine that decides and every engine that is a part, the outermost last."""
        for chosen in self.composition.engine.walk():
            if chosen.component.kind == "engine" and not self.silent(chosen):
                yield chosen

    def tokenizer(self, engine: Chosen) -> Chosen | None:
        """Return the tokenizer that was chosen for an engine, or None for its own."""
        return next(
            (part for part in engine.parts.values() if part.component.kind == "tokenizer"), None
        )


def unknown(chosen: Chosen, name: str) -> str:
    """Return the sentence that says that a fact is not known yet."""
    return f"{chosen.label}: {name} is unknown until it is built"


def stated(said: Capabilities | None) -> str:
    """Return what a component says in one line, without what it leaves at its default."""
    if said is None:
        return ""
    words = []
    for attribute in fields(type(said)):
        value = getattr(said, attribute.name)
        nothing = value is None or value is False or value in ((), {}, frozenset())
        if attribute.name != "unverified" and not nothing:
            words.append(f"{attribute.name} {_plain(attribute.name, value)}")
    return ", ".join(words)


def _plain(name: str, value: Any) -> str:
    if value is True:
        return "yes"
    if name.endswith("fingerprint"):
        return str(value)[:12]
    if isinstance(value, (frozenset, set)):
        return " ".join(sorted(value))
    if isinstance(value, dict):
        return str(len(value))
    return str(value)
