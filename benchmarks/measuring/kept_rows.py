"""The files of the rows: what is there, what of it is missing, and writing it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock

from aegis.evaluation.machine import machine
from aegis.jobs.job_file import write_json
from measuring import babyai_rows, research_rows
from measuring.recipes import GYM_ROWS, IMPROVE_ROWS, BabyRow, GymRow, ImproveRow, baby_rows
from measuring.running import HERE, commit
from measuring.seeds import left, together, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROWS: Final = HERE / "rows"
Row = GymRow | BabyRow | ImproveRow


def known_rows() -> list[Row]:
    """Return all rows, whether they were made or not."""
    return [*GYM_ROWS, *IMPROVE_ROWS, *baby_rows()]


def all_of(row: Row) -> tuple[int, ...]:
    """Return the training seeds of a whole row; (0,) for one without seeds."""
    return row.seeds if isinstance(row, BabyRow) else (0,)


def there(row: Row, rows: Path = ROWS) -> dict[str, Any] | None:
    """Return a row as it was made; None for one that is missing."""
    file = rows / f"{row.name}.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def missing(row: Row, rows: Path = ROWS) -> tuple[int, ...]:
    """Return the training seeds that are missing of a row; (0,) for a whole one without seeds.

    What was made by another recipe than today's, or played by other rules, is missing.
    """
    earlier = there(row, rows)
    if isinstance(row, BabyRow):
        return left(row.seeds, babyai_rows.about(row), earlier)
    wanted = research_rows.about(row)
    made = earlier is not None and all(earlier.get(key) == wanted[key] for key in wanted)
    return () if made else (0,)


def write(row: Row, found: dict[str, Any], rows: Path = ROWS) -> None:
    """Write a row's file; trainings by the same recipe that are there by now stay in it."""
    made = datetime.now(UTC).strftime("%Y-%m-%d")
    with _alone(row, rows):
        if isinstance(row, BabyRow):
            found = together(found, there(row, rows))
        _write(row, found | {"commit": commit(), "machine": machine(), "made": made}, rows)


def forget(row: Row, seeds: Sequence[int], rows: Path = ROWS) -> None:
    """Take trainings out of a row's file, or all of it, so that they count as missing."""
    with _alone(row, rows):
        found = there(row, rows)
        if found is not None and isinstance(row, BabyRow):
            found = without(found, seeds)
            if found is not None:
                _write(row, found, rows)
                return
        (rows / f"{row.name}.json").unlink(missing_ok=True)


@contextmanager
def _alone(row: Row, rows: Path) -> Iterator[None]:
    """Hold a row's file: of two seeds that are made side by side neither is lost."""
    rows.mkdir(parents=True, exist_ok=True)
    with FileLock(rows / f".{row.name}.lock"):
        yield


def _write(row: Row, found: dict[str, Any], rows: Path) -> None:
    write_json(rows / f"{row.name}.json", found)
