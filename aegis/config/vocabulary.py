"""Every key that a configuration may have, as a tree: what variables are matched against."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import attrs

from aegis.config import annotation
from aegis.config.keys import keys_of
from aegis.config.settings import Settings
from aegis.contracts.component import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aegis.contracts.component import Component

Tree = dict[str, "Tree | None"]
"""The keys of a table; None where a key has a value and no keys of its own."""

PREFIX = "AEGIS_"
JOINT = "__"


def tree_of(cls: type, raw: object = None) -> Tree:
    """Return the keys of an attrs class; those of a free table as `raw` has them."""
    return {key.name: _subtree(key.type, _inner(raw, key.name)) for key in keys_of(cls)}


def _subtree(kind: object, raw: object) -> Tree | None:
    if attrs.has(kind):  # type: ignore[arg-type]  # a class or a type form: both are answered
        return tree_of(kind, raw)
    if annotation.is_mapping(kind):
        item = (*get_args(kind), None, None)[1]
        names = dict.fromkeys([*annotation.names(kind), *map(str, _names(raw))])
        return {name: _subtree(item, _inner(raw, name)) for name in names}
    return None


def _inner(raw: object, name: str) -> object:
    return raw.get(name) if isinstance(raw, dict) else None


def _names(raw: object) -> Iterable[str]:
    return raw if isinstance(raw, dict) else ()


def vocabulary(raw: Mapping[str, object], components: Iterable[Component] = ()) -> Tree:
    """Return the keys of the host's settings, of the file's profiles, and of the components."""
    tree = tree_of(Settings, dict(raw))
    kinds: dict[str, Tree] = {kind: {} for kind in KINDS}
    for component in components:
        section: Tree = tree_of(component.config) if component.config else {}
        section.update(dict.fromkeys(component.parts))
        kinds[component.kind][component.name] = section
    return {**tree, **kinds}


def variable(keys: Iterable[str]) -> str:
    """Return the environment variable that sets a key."""
    return PREFIX + JOINT.join(_plain(key).upper() for key in keys)


def matches(tree: Tree, name: str) -> Iterator[tuple[str, ...]]:
    """Yield every key of the tree that the variable `name` sets: one, if all is well."""
    yield from _matches(tree, _plain(name.removeprefix(PREFIX)))


def _matches(tree: Tree, rest: str) -> Iterator[tuple[str, ...]]:
    for key, inner in tree.items():
        plain = _plain(key)
        if rest == plain:
            yield (key,)
        elif inner is not None and rest.startswith(plain + JOINT):
            for keys in _matches(inner, rest[len(plain) + len(JOINT) :]):
                yield (key, *keys)


def variables(tree: Tree, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the variable of every value in the tree."""
    for key, inner in tree.items():
        keys = (*above, key)
        if inner is not None:
            yield from variables(inner, keys)
        elif above:
            yield variable(keys)


def _plain(text: str) -> str:
    return text.replace("-", "_").lower()
