"""Checkpoints in words: a table of all, a page of one, two side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aegis.checkpoints.difference import Change, Difference
    from aegis.checkpoints.tensors import Distance

_COLUMNS: Final = (
    "checkpoint",
    "created",
    "trained for",
    "parent",
    "trainer",
    "examples",
    "held-out loss",
    "status",
)
_TENSORS: Final = 20
"""Tensors that are listed, those that lie furthest apart first."""
_WIDEST: Final = 100


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return all checkpoints, a line each, the newest last."""
    if not rows:
        return "no checkpoints yet: aegis train makes one"
    lines = [_COLUMNS, *(_cells(row) for row in rows)]
    notes = [f"{row['checkpoint']}: {row['problem']}" for row in rows if "problem" in row]
    return "\n".join([_aligned(lines), *notes])


def page(answer: Mapping[str, Any]) -> str:
    """Return everything that is known of one checkpoint."""
    facts = answer["facts"]
    parts = [
        _aligned(_made(answer)),
        _section("needs", _pairs(answer["needs"])),
        _section("data", _pairs(_flat(answer["dataset"]))),
        _section("metrics", _pairs(answer["metrics"])),
        _section("settings", _pairs(_flat(answer["config"]))),
        _section("files", _aligned([
            (_shown(name), size(file["bytes"]), file["sha256"])
            for name, file in answer["files"].items()
        ])),
        _section("promotions", "\n".join(_promotion(row) for row in answer["promotions"])),
        _section("compared with what decided before", _compared(facts)),
        _section("learning curve", _curve(facts)),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def comparison(one: str, other: str, found: Difference) -> str:
    """Return two checkpoints side by side."""
    parts = [
        f"a  {one}\nb  {other}",
        _section("settings", _changes(found.settings) or "the same"),
        _section("steps", _steps(found)),
        _section("data", _changes(found.dataset) or "the same figures"),
        _section("metrics", _changes(found.metrics)),
        _section("files", _changes(_sizes(found.files)) or "the same"),
        _section("tensors, ||b - a|| / ||a||", _tensors(found.tensors)),
    ]
    return "\n\n".join(part for part in parts if part)


def size(count: int) -> str:
    """Return bytes in words."""
    for unit, bytes_of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_of:
            return f"{count / bytes_of:.1f} {unit}"
    return f"{count} bytes"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    loss, profiles = row.get("held_out_loss"), ", ".join(row["profiles"])
    return (
        row["checkpoint"],
        _shown(row.get("created")),
        ", ".join(row.get("trained_for", ())),
        _shown(row.get("parent")),
        _shown(row.get("trainer")),
        _shown(row.get("examples")),
        _shown(loss),
        f"{row['status']} ({profiles})" if profiles else row["status"],
    )


def _made(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    made_by = f"{answer['distribution']} {answer['version']}".rstrip()
    plugin = f"{made_by}, plugin API {answer['plugin_api']}"
    trained_by = f"{answer['trainer_distribution']} {answer['trainer_version']}".rstrip()
    said = {
        "checkpoint": answer["checkpoint"],
        "status": ", ".join([answer["status"], *answer["profiles"]]),
        "created": answer["created"],
        "trained for": ", ".join(answer["trained_for"]) or None,
        "engine": f"{answer['component']} ({answer['kind']}; {plugin})",
        "trainer": f"{answer['trainer']} ({trained_by})",
        "seed": answer["seed"],
        "parent": answer["parent"] or "the configured weights",
        "tokenizer": answer["tokenizer_fingerprint"],
        "bytes": size(answer["bytes"]),
        "folder": answer["path"],
    }
    return [(name, _shown(value)) for name, value in said.items() if value is not None]


def _promotion(row: Mapping[str, Any]) -> str:
    before, after = (row[key] or "the configured weights" for key in ("previous", "checkpoint"))
    return (
        f"{row['at']}  after step {row['step']}, profile {row['profile']}: "
        f"{before} -> {after} ({_shown(row['why'])})"
    )


def _compared(facts: Mapping[str, Any]) -> str:
    from aegis.cli.training_display import table as compared

    return compared(facts["comparison"]) if facts.get("comparison") else ""


def _curve(facts: Mapping[str, Any]) -> str:
    from aegis.learning.curve import draw

    return draw(facts["curve"]) if facts.get("curve") else ""


def _steps(found: Difference) -> str:
    lines = []
    for split, rows in found.rows.items():
        if rows is None:
            lines.append((split, "one of them does not say which steps it saw", ""))
            continue
        lines.append((split, f"+{rows.added_count}", _short(rows.added)))
        lines.append(("", f"-{rows.removed_count}", _short(rows.removed)))
    return _aligned(lines)


def _tensors(distances: Sequence[Distance]) -> str:
    apart = [one for one in distances if one.relative is not None]
    apart.sort(key=lambda one: -(one.relative or 0.0))
    lines = [(f"{one.relative:.6g}", _shown(one.name), str(one.shape)) for one in apart[:_TENSORS]]
    if len(apart) > _TENSORS:
        lines.append(("", f"and {len(apart) - _TENSORS} tensors that lie nearer", ""))
    for one in distances:
        if one.relative is None:
            why = f"only in {one.only}" if one.only else "of another shape, or no float"
            lines.append((why, _shown(one.name), str(one.shape)))
    return _aligned(lines)


def _sizes(changes: Iterable[Change]) -> list[Change]:
    def said(file: Mapping[str, Any] | None) -> str | None:
        return None if file is None else f"{size(file['bytes'])} {file['sha256'][:12]}"

    return [change._replace(a=said(change.a), b=said(change.b)) for change in changes]


def _changes(changes: Iterable[Change]) -> str:
    return _aligned([(_shown(c.name), _short(_shown(c.a)), _short(_shown(c.b))) for c in changes])


def _pairs(values: Mapping[str, Any]) -> str:
    return _aligned([(_shown(name), _shown(value)) for name, value in values.items()])


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    from aegis.checkpoints.difference import flat

    return flat(values) if values else {}


def _section(title: str, body: str) -> str:
    return f"{title}\n{_indented(body)}" if body else ""


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _shown(value: Any) -> str:
    """Return a value as one printable line; a manifest may come from anywhere."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value)
