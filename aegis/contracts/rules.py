"""The rules of the contract check, each a function of the facts that the components state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import evolve, fields, has

from aegis.contracts.capabilities import (
    EngineCapabilities,
    TokenizerCapabilities,
    TrainerCapabilities,
)
from aegis.contracts.facts import unknown
from aegis.contracts.names import did_you_mean
from aegis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.contracts.capabilities import Capabilities
    from aegis.contracts.facts import Facts, Finding
    from aegis.host.composition import Chosen

WRITING: Final = 40
"""Tokens that must be free behind view and candidate, for text that the engine writes."""


class _Ids(NamedTuple):
    """Where an engine's ids come from, and the largest of them where it is known."""

    source: Chosen
    fact: str
    largest: int | None


def tokenizer_fits(facts: Facts) -> Iterator[Finding]:
    """Check that every id that a tokenizer emits has a row in its engine's embedding.

    A model with more rows than its tokenizer has ids is legal. The size of a vocabulary says
    nothing: ids may have holes, and added tokens lie above it.
    """
    for engine in facts.engines():
        ids = _ids(facts, engine)
        if ids is None:
            continue
        rows = facts.value(engine, "embedding_rows")
        if rows is None:
            yield unknown(engine, "embedding_rows")
        if ids.largest is None:
            yield unknown(ids.source, ids.fact)
        elif rows is not None and ids.largest >= rows:
            yield Problem(
                "tokenizer-too-large",
                _too_large(engine, ids, rows),
                where=ids.source.where,
                fix=_smaller_or_wider(facts, engine, ids.largest, rows),
            )


def tokenizer_is_the_trained_one(facts: Facts) -> Iterator[Finding]:
    """Check that weights get the ids of the tokenizer that they were trained with."""
    for engine in facts.engines():
        tokenizer = facts.tokenizer(engine)
        trained = facts.value(engine, "tokenizer_fingerprint")
        if tokenizer is None or trained is None or facts.silent(tokenizer):
            continue
        chosen = facts.value(tokenizer, "fingerprint")
        if chosen is None:
            yield unknown(tokenizer, "fingerprint")
        elif chosen != trained:
            yield Problem(
                "tokenizer-fingerprint",
                f"{engine.label} was trained with a tokenizer of fingerprint {trained[:12]}, "
                f"{tokenizer.label} has {chosen[:12]}",
                where=tokenizer.where,
                fix=_trained_tokenizer(facts, engine, trained),
            )


def context_holds_the_view(facts: Facts) -> Iterator[Finding]:
    """Check that the longest view that the budgets allow fits, with a candidate and text."""
    budget = facts.composition.config.settings.agent.view
    for engine in facts.engines():
        length = facts.value(engine, "context_length")
        if length is None:
            continue
        density = _density(facts, engine)
        if density is None:
            yield unknown(engine, "characters_per_token")
            continue
        beside = math.ceil(budget.candidate_characters / density) + WRITING
        needed = math.ceil(budget.characters / density) + beside
        if needed > length:
            yield Problem(
                "view-too-long",
                f"{engine.label} holds {length} tokens, and the longest view takes {needed} "
                f"({budget.characters} + {budget.candidate_characters} characters at {density:g} "
                f"a token, and {WRITING} tokens to write)",
                where=engine.where,
                fix=_shorter_view(budget, math.floor((length - beside) * density)),
            )


def trainers_accept_the_engine(facts: Facts) -> Iterator[Finding]:
    """Check that each phase's trainer trains engines of this kind, and the engine has weights."""
    engine = facts.composition.engine
    for phase, trainer in facts.composition.trainers.items():
        if facts.silent(engine) or facts.silent(trainer):
            continue
        kind, accepts = facts.value(engine, "kind"), facts.value(trainer, "accepts")
        if kind is None:
            yield unknown(engine, "kind")
        if accepts is None:
            yield unknown(trainer, "accepts")
        if kind is None or accepts is None:
            continue
        if kind not in accepts:
            yield Problem(
                "trainer-kind",
                f"{trainer.label} trains engines of kind {_listed(accepts)}, "
                f"{engine.label} is of kind {kind}",
                where=trainer.where,
                fix=_other_trainer(facts, phase, kind),
            )
        elif facts.value(engine, "trainable") is False:
            yield Problem(
                "engine-untrainable",
                f"{engine.label} has no weights that {trainer.label} could change",
                where=trainer.where,
                fix=f"remove phases.{phase} from the profile, or choose another engine",
            )


def adapter_targets_exist(facts: Facts) -> Iterator[Finding]:
    """Check that the modules that a trainer adapts are modules of the engine."""
    engine = facts.composition.engine
    for trainer in facts.composition.trainers.values():
        targets = facts.value(trainer, "adapter_targets")
        if not targets or facts.silent(engine):
            continue
        adapters = facts.value(engine, "adapters")
        if not adapters:
            yield unknown(engine, "adapters")
            continue
        for target in sorted(targets - adapters):
            yield Problem(
                "adapter-target",
                f'{trainer.label} adapts "{target}", which {engine.label} does not have'
                f"{did_you_mean(target, adapters)}",
                where=trainer.where,
                fix=f"adapt some of: {_listed(adapters)}",
            )


def text_slots_are_filled(facts: Facts) -> Iterator[Finding]:
    """Check that every tool can be used: its text slot by an engine that writes, or closed."""
    engine = facts.composition.engine
    for tool in facts.composition.tools:
        said: Any = facts.of(tool)
        if said is None or said.closed_candidates or "closed_candidates" in said.unverified:
            continue
        name = tool.component.name
        without = f'leave "{name}" out of [agent].tools'
        if said.text_slot is None:
            message = f"{tool.label} proposes neither calls nor a text slot"
            yield Problem("tool-idle", message, where=tool.where, fix=without)
        elif facts.silent(engine):
            continue
        elif (writes := facts.value(engine, "writes_text")) is None:
            yield unknown(engine, "writes_text")
        elif not writes:
            yield Problem(
                "text-slot",
                f'{tool.label} leaves "{said.text_slot}" to an engine that writes text, '
                f"and {engine.label} does not",
                where=tool.where,
                fix=_alternatives("use engine", _writers(facts), without),
            )


def labels_are_provided(facts: Facts) -> Iterator[Finding]:
    """Check that what a component requires is provided by another one."""
    active = list(facts.composition.walk())
    for chosen in active:
        others = [other for other in active if other.component is not chosen.component]
        provided = frozenset().union(*(other.component.provides for other in others))
        for label in sorted(chosen.component.requires - provided):
            yield Problem(
                "label-missing",
                f'{chosen.label} requires "{label}", which nothing in this composition provides',
                where=chosen.where,
                fix=_providers(facts, label),
            )


def components_agree(facts: Facts) -> Iterator[Finding]:
    """Apply the components' own rules, such as the bridge between a composite's parts."""
    for chosen in facts.composition.walk():
        if chosen.component.check is None:
            continue
        parts = {name: facts.of(part) for name, part in chosen.parts.items()}
        waiting = [name for name, said in parts.items() if said is None]
        if not waiting:
            yield from chosen.own_problems({n: said for n, said in parts.items() if said})
        for name in waiting:
            if not facts.silent(chosen.parts[name]):
                yield f'{chosen.label}: its own rules wait for what part "{name}" is'


def unverified_facts(facts: Facts) -> Iterator[Finding]:
    """Report every fact that a component says it does not know yet."""
    for chosen in facts.composition.walk():
        said = facts.of(chosen)
        for name in said.unverified if said is not None else ():
            yield unknown(chosen, name)


_PROMISES: Final = (
    "kind",
    "embedding_rows",
    "context_length",
    "writes_text",
    "trainable",
    "tokenizer_fingerprint",
    "tokenizer_max_id",
    "max_token_id",
    "fingerprint",
    "accepts",
)


def told_by(built: object, described: Capabilities | None) -> Capabilities | None:
    """Return what a built object says of itself, beside what was described."""
    said = getattr(built, "capabilities", None)
    if isinstance(said, (EngineCapabilities, TokenizerCapabilities)):
        return said
    accepts = getattr(built, "accepts", None)
    if isinstance(accepts, frozenset) and isinstance(described, TrainerCapabilities):
        return evolve(described, accepts=accepts)
    return described


def broken_words(
    chosen: Chosen, described: Capabilities | None, told: Capabilities
) -> Iterator[Problem]:
    """Return where a built object is something else than its component described."""
    if described is None or type(described) is not type(told):
        return
    for attribute in fields(type(told)):
        name = attribute.name
        before, after = getattr(described, name), getattr(told, name)
        said = name in _PROMISES and name not in described.unverified and before is not None
        if said and name not in told.unverified and before != after:
            yield Problem(
                "description-broken",
                f"{chosen.label} described {name} as {_plain(before)}; what was built has "
                f"{_plain(after)}",
                where=f"{chosen.where}; {chosen.plugin}",
                fix="its files changed since the check: run aegis check again, "
                "or report it to the plugin's author",
            )


def _ids(facts: Facts, engine: Chosen) -> _Ids | None:
    """Return where the engine's ids come from, or None where it takes none."""
    tokenizer = facts.tokenizer(engine)
    if tokenizer is not None:
        if facts.silent(tokenizer):
            return None
        return _Ids(tokenizer, "max_token_id", facts.value(tokenizer, "max_token_id"))
    said = facts.of(engine)
    own = facts.value(engine, "tokenizer_max_id")
    brings = own is not None or _tokenizer_part(engine) is not None
    if brings or (said is not None and "tokenizer_max_id" in said.unverified):
        return _Ids(engine, "tokenizer_max_id", own)
    return None


def _too_large(engine: Chosen, ids: _Ids, rows: int) -> str:
    if ids.source is engine:
        return (
            f"{engine.label} brings a tokenizer that emits ids up to {ids.largest}, "
            f"and has {rows} embedding rows"
        )
    return (
        f"{ids.source.label} emits ids up to {ids.largest}, "
        f"{engine.label} has {rows} embedding rows"
    )


def _smaller_or_wider(facts: Facts, engine: Chosen, largest: int, rows: int) -> str:
    trained = facts.value(engine, "tokenizer_fingerprint")
    fixes = []
    part = _tokenizer_part(engine)
    if part is not None:
        fitting = [
            f'use tokenizer "{name}" ({said.max_token_id + 1} ids)'
            for name, said in _tokenizers(facts, engine.component.parts[part].default)
            if said.max_token_id is not None
            and "max_token_id" not in said.unverified
            and said.max_token_id < rows
            and trained in (None, said.fingerprint)
        ]
        fixes += fitting[:1]
    if _has_key(engine, "embedding_rows"):
        section = f"[{engine.component.kind}.{engine.component.name}]"
        fixes.append(f"set {section}.embedding_rows = {largest + 1} and train from scratch")
    return ", or ".join(fixes)


def _trained_tokenizer(facts: Facts, engine: Chosen, trained: str) -> str:
    part = _tokenizer_part(engine)
    default = engine.component.parts[part].default if part is not None else None
    fixes = [
        f'use tokenizer "{name}"'
        for name, said in _tokenizers(facts, default)
        if said.fingerprint == trained
    ][:1]
    if part is not None and default is None:
        fixes.append(f'remove "{part}": the engine brings the tokenizer of its weights')
    return ", or ".join([*fixes, "train from scratch"])


def _tokenizers(facts: Facts, default: str | None) -> Iterator[tuple[str, TokenizerCapabilities]]:
    """Return the tokenizers that could be used, the engine's default first."""
    found = facts.composition.available("tokenizer")
    for name, said in sorted(found, key=lambda pair: pair[0] != default):
        if isinstance(said, TokenizerCapabilities):
            yield name, said


def _tokenizer_part(engine: Chosen) -> str | None:
    parts = engine.component.parts.items()
    return next((name for name, part in parts if part.kind == "tokenizer"), None)


def _has_key(chosen: Chosen, key: str) -> bool:
    config = chosen.component.config
    return config is not None and has(config) and key in {field.name for field in fields(config)}


def _density(facts: Facts, engine: Chosen) -> float | None:
    tokenizer = facts.tokenizer(engine)
    own: float | None = facts.value(engine, "characters_per_token")
    if own is None and tokenizer is not None:
        own = facts.value(tokenizer, "characters_per_token")
    return own


def _shorter_view(budget: Any, characters: int) -> str:
    least = fields(type(budget)).characters.metadata.get("aegis", {}).get("ge", 1)
    if characters < least:
        return "use an engine with a longer context"
    return f"set [agent.view].characters = {characters}, or use an engine with a longer context"


def _other_trainer(facts: Facts, phase: str, kind: str) -> str:
    names = [
        name
        for name, said in facts.composition.available("trainer")
        if isinstance(said, TrainerCapabilities) and kind in said.accepts
    ]
    return _alternatives(f"set phases.{phase} =", names, f"remove phases.{phase} from the profile")


def _writers(facts: Facts) -> list[str]:
    return [
        name
        for name, said in facts.composition.available("engine")
        if isinstance(said, EngineCapabilities) and said.writes_text
    ]


def _alternatives(verb: str, names: list[str], otherwise: str) -> str:
    shown = " or ".join(f'"{name}"' for name in names[:3])
    return f"{verb} {shown}, or {otherwise}" if names else otherwise


def _providers(facts: Facts, label: str) -> str:
    names = [
        f'{one.component.kind} "{one.component.name}"'
        for one in facts.composition.host.components()
        if label in one.component.provides
    ]
    if names:
        return f"use {' or '.join(names)}"
    return "enable a plugin that provides it: aegis plugins list"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))


def _plain(value: Any) -> str:
    return _listed(value) if isinstance(value, frozenset) else str(value)
