"""The contract check: whether a composition can work, told from manifests before anything is built.

Every rule is a function of the facts that the components state. A component adds rules of its
own through ``Component.check`` and labels through ``provides`` and ``requires``; the host need
not change for them. A fact that exists and is not known yet is reported as unverified, never
passed; after the build the same rules are applied to what the built objects say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import frozen

from aegis.contracts import rules
from aegis.contracts.facts import Facts, stated
from aegis.contracts.weights import weights_belong
from aegis.errors import ContractError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aegis.contracts.facts import Finding, Stored
    from aegis.host.composition import Composition

    Rule = Callable[[Facts], Iterable[Finding]]

RULES: Final[tuple[Rule, ...]] = (
    rules.tokenizer_fits,
    rules.tokenizer_is_the_trained_one,
    rules.context_holds_the_view,
    weights_belong,
    rules.trainers_accept_the_engine,
    rules.adapter_targets_exist,
    rules.text_slots_are_filled,
    rules.labels_are_provided,
    rules.components_agree,
    rules.unverified_facts,
)
"""What is checked, in the order of the report."""


class Fact(NamedTuple):
    """One line about a component, for display."""

    path: str
    component: str
    plugin: str
    text: str

    def __str__(self) -> str:
        indent = (
            "  " * self.path.count(".") if not self.path.startswith(("tool.", "trainer.")) else ""
        )
        said = f": {self.text}" if self.text else ""
        return f"{indent}{self.component} ({self.plugin}){said}"


@frozen
class Report:
    """The result of a check.

    Attributes:
        problems: What cannot work; none where the composition is sound.
        unverified: What could not be known yet, one sentence each.
        facts: What every component is, in the composition's order.
    """

    problems: tuple[Problem, ...] = ()
    unverified: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is known to be wrong."""
        return not self.problems

    def raise_problems(self) -> None:
        """Raise what is wrong.

        Raises:
            ContractError: With every problem, if there is one.
        """
        if self.problems:
            raise ContractError(self.problems)


def check(composition: Composition, stored: Stored | None = None) -> Report:
    """Verify a whole composition from what its components say, without building any.

    Args:
        composition: What is checked.
        stored: The checkpoint that decides, or None.
    """
    described = composition.describe_all()
    facts = Facts(composition, described.capabilities, described.failed, stored)
    return _report(facts, described.problems)


def check_weights(composition: Composition, stored: Stored) -> Report:
    """Verify only that a checkpoint belongs to the engine of a composition."""
    described = composition.describe_all()
    facts = Facts(composition, described.capabilities, described.failed, stored)
    return _report(facts, (), rules_applied=(weights_belong,))


def verify_built(
    composition: Composition, built: Mapping[str, Any], stored: Stored | None = None
) -> Report:
    """Verify what was built: that it is what was described, and what was unknown before.

    Args:
        composition: What it was built from.
        built: Objects by path (``engine``, ``engine.tokenizer``, ...); paths that are left out
            count as described.
        stored: The checkpoint that it was built from, or None.
    """
    described = composition.describe_all()
    told = {
        chosen.path: rules.told_by(built[chosen.path], described.capabilities.get(chosen.path))
        for chosen in composition.walk()
        if chosen.path in built
    }
    known = {path: facts for path, facts in told.items() if facts is not None}
    facts = Facts(
        composition,
        {**described.capabilities, **known},
        described.failed - known.keys(),
        stored,
    )
    problems = [
        problem
        for chosen in composition.walk()
        if chosen.path in known
        for problem in rules.broken_words(
            chosen, described.capabilities.get(chosen.path), known[chosen.path]
        )
    ]
    return _report(facts, problems)


def _report(
    facts: Facts, problems: Iterable[Problem], rules_applied: Iterable[Rule] = RULES
) -> Report:
    found = [*problems]
    unverified: list[str] = []
    for rule in rules_applied:
        for finding in rule(facts):
            if isinstance(finding, Problem):
                found.append(finding)
            else:
                unverified.append(finding)
    return Report(
        tuple(dict.fromkeys(found)), tuple(dict.fromkeys(unverified)), tuple(_shown(facts))
    )


def _shown(facts: Facts) -> Iterable[Fact]:
    for root in facts.composition.roots():
        for chosen in reversed(list(root.walk())):
            said = stated(facts.of(chosen))
            yield Fact(chosen.path, chosen.label, chosen.plugin.origin, said)
        if root.path == "engine" and facts.stored is not None:
            stored = facts.stored
            yield Fact(
                "engine.weights", f"checkpoint {stored.checkpoint}", stored.origin, stored.made
            )
