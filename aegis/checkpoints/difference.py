"""What differs between two checkpoints: settings, data, figures, files, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import asdict, frozen

from aegis.checkpoints import ranges

if TYPE_CHECKING:
    from pathlib import Path

    from aegis.checkpoints.manifest import Manifest
    from aegis.checkpoints.tensors import Distance

ABSENT = "-"


class Change(NamedTuple):
    """One value that differs; None where it is absent."""

    name: str
    a: Any
    b: Any


@frozen
class Rows:
    """Steps that only one of two checkpoints saw, as ranges, and how many they are."""

    added: str
    removed: str
    added_count: int
    removed_count: int


@frozen
class Difference:
    """What differs between two checkpoints, a and b.

    Attributes:
        settings: What made them: component, plugin, trainer, seed, settings, what they need.
        rows: Steps of training and validation that only one saw, by split; None where one does
            not say its steps.
        dataset: Other figures of the data.
        metrics: Figures of the training, those that are equal included.
        files: Files that differ: digest and bytes.
        tensors: How far the numbers lie apart, of files that both have.
    """

    settings: tuple[Change, ...]
    rows: Mapping[str, Rows | None]
    dataset: tuple[Change, ...]
    metrics: tuple[Change, ...]
    files: tuple[Change, ...]
    tensors: tuple[Distance, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {
            "settings": [change._asdict() for change in self.settings],
            "rows": {name: rows and asdict(rows) for name, rows in self.rows.items()},
            "dataset": [change._asdict() for change in self.dataset],
            "metrics": [change._asdict() for change in self.metrics],
            "files": [change._asdict() for change in self.files],
            "tensors": [_plain(distance) for distance in self.tensors],
        }


def difference(a: Manifest, b: Manifest, folders: tuple[Path, Path]) -> Difference:
    """Compare two checkpoints.

    Args:
        a: One manifest.
        b: The other.
        folders: Their verified folders.

    Raises:
        ModelError: If a file of tensors cannot be read.
    """
    return Difference(
        settings=_changes(_settings(a), _settings(b)),
        rows={split: _rows(a.dataset, b.dataset, split) for split in ("train", "validation")},
        dataset=_changes(_figures(a.dataset), _figures(b.dataset)),
        metrics=_side_by_side(a.metrics, b.metrics),
        files=_changes(_files(a), _files(b)),
        tensors=_tensors(a, b, folders),
    )


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Return nested tables as one, with dotted names; everything else stays as it is."""
    if not isinstance(values, Mapping) or not values:
        return {name: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{name}.{key}" if name else str(key))
    return found


def _settings(manifest: Manifest) -> dict[str, Any]:
    made = {
        "component": manifest.component,
        "kind": manifest.kind,
        "plugin": f"{manifest.distribution} {manifest.version}".rstrip(),
        "plugin_api": manifest.plugin_api,
        "trainer": manifest.trainer,
        "trainer_plugin": f"{manifest.trainer_distribution} {manifest.trainer_version}".rstrip(),
        "tokenizer": manifest.tokenizer_fingerprint,
        "parent": manifest.parent,
        "seed": manifest.seed,
    }
    return {**made, **flat(manifest.needs, "needs"), **flat(manifest.config, "config")}


def _figures(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset says beside its steps."""
    return flat(
        {key: value for key, value in dataset.items() if key not in ("train", "validation")}
    )


def _files(manifest: Manifest) -> dict[str, Any]:
    return {name: asdict(facts) for name, facts in manifest.files.items()}


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(change for change in _side_by_side(a, b) if change.a != change.b)


def _side_by_side(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(Change(name, a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b]))


def _rows(a: Mapping[str, Any], b: Mapping[str, Any], split: str) -> Rows | None:
    try:
        old, new = (ranges.parse(dataset[split]) for dataset in (a, b))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    added, removed = ranges.without(new, old), ranges.without(old, new)
    return Rows(
        ranges.render(added), ranges.render(removed), ranges.count(added), ranges.count(removed)
    )


def _tensors(a: Manifest, b: Manifest, folders: tuple[Path, Path]) -> tuple[Distance, ...]:
    from aegis.checkpoints.tensors import distances

    both = [name for name in a.files if name in b.files and name.endswith(".safetensors")]
    return tuple(distance for name in both for distance in distances(*folders, name))


def _plain(distance: Distance) -> dict[str, Any]:
    """Return a distance as JSON values; JSON has no infinity."""
    values = asdict(distance)
    if distance.relative == float("inf"):
        values["relative"] = "infinite"
    return values
