"""The rule of the contract check for stored weights: that they belong to what will serve them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from aegis.contracts.facts import unknown
from aegis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.checkpoints.manifest import Manifest
    from aegis.contracts.facts import Facts, Finding, Stored
    from aegis.host.composition import Chosen

_SERIES: Final = re.compile(r"\d+\.\d+")


def weights_belong(facts: Facts) -> Iterator[Finding]:
    """Check that the checkpoint that would decide was made for the engine as it is now.

    Same component of the same distribution, in a version of the same series (major.minor), under
    the same plugin interface, with the tokenizer that the engine has. Which settings change the
    arithmetic is the plugin's to say when it loads the files.
    """
    stored = facts.stored
    if stored is None:
        return
    yield from stored.problems
    manifest, engine = stored.manifest, facts.composition.engine
    if manifest is None:
        return
    if manifest.component != engine.component.name:
        yield _problem(
            "checkpoint-engine",
            f'it is of engine "{manifest.component}", and {engine.label} decides',
            stored,
            engine,
        )
        return
    yield from _versions(manifest, stored, engine)
    if not facts.silent(engine):
        yield from _tokenizer(facts, manifest, stored)


def _versions(manifest: Manifest, stored: Stored, engine: Chosen) -> Iterator[Problem]:
    made = stored.origin
    if manifest.distribution != engine.plugin.distribution:
        said = f"it was made by {made}, and {engine.plugin.origin} provides {engine.label}"
        yield _problem("checkpoint-version", said, stored, engine)
    elif _series(manifest.version) != _series(engine.plugin.version):
        said = f"it was made by {made}, and {engine.plugin.origin} is installed"
        yield _problem("checkpoint-version", said, stored, engine)
    if manifest.plugin_api != stored.plugin_api:
        said = f"it was made under plugin API {manifest.plugin_api}, this is {stored.plugin_api}"
        yield _problem("checkpoint-version", said, stored, engine)


def _tokenizer(facts: Facts, manifest: Manifest, stored: Stored) -> Iterator[Finding]:
    trained, engine = manifest.tokenizer_fingerprint, facts.composition.engine
    if trained is None:
        return
    own = facts.value(engine, "tokenizer_fingerprint")
    part = facts.tokenizer(engine)
    if own is None and part is not None:
        own = facts.value(part, "fingerprint")
    if own is None:
        yield unknown(engine, "tokenizer_fingerprint")
    elif own != trained:
        said = f"it was trained with a tokenizer of fingerprint {trained[:12]}, this is {own[:12]}"
        problem = _problem("checkpoint-tokenizer", said, stored, engine)
        changes = _trained_with(engine, manifest)
        if changes:
            fix = f"{' and '.join(changes)}, and it decides again; or {stored.fix}"
            problem = problem._replace(fix=fix)
        yield problem


def _trained_with(engine: Chosen, manifest: Manifest) -> list[str]:
    """Return what makes the tokenizer the one again that a manifest names, as far as it tells."""
    made, found = _table(manifest.config, "engine"), []
    for name, part in engine.parts.items():
        before = _table(made, "parts", name)
        if part.component.kind != "tokenizer" or "name" not in before:
            continue
        if before["name"] != part.component.name:
            found.append(f"use {name} {json.dumps(before['name'])}")
        else:
            found += _settings(part, _table(before, "config"))
    if found:
        rows = _table(made, "config").get("embedding_rows")
        found += _settings(engine, {"embedding_rows": rows} if rows else {})
    return found


def _settings(chosen: Chosen, before: Mapping[str, Any]) -> Iterator[str]:
    """Yield what gives a component the settings that it had."""
    section = f"[{chosen.component.kind}.{chosen.component.name}]"
    for key, value in before.items():
        now = getattr(chosen.config, key, value)  # a key that is no more cannot be set
        if (str(now) if isinstance(now, PurePath) else now) == value:
            continue
        known = value is not None
        yield f"set {section}.{key} = {json.dumps(value)}" if known else f"remove {section}.{key}"


def _table(values: object, *keys: str) -> Mapping[str, Any]:
    """Return a table within others; empty where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def _series(version: str) -> str:
    """Return major and minor of a version: within them, what was stored can still be read."""
    found = _SERIES.match(version)
    return found[0] if found else version


def _problem(code: str, said: str, stored: Stored, engine: Chosen) -> Problem:
    message = f"checkpoint {stored.checkpoint} does not belong here: {said}"
    return Problem(code, message, where=engine.where, fix=stored.fix)
