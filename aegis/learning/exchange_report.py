"""What an import did with every record of a file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import Factory, define


@define
class ImportReport:
    """What happened to every record; filled while the import goes on.

    Each record of the file is one of `imported`, `duplicates` or `rejected`: nothing is dropped
    silently.

    Attributes:
        path: The file.
        format: ``aegis-jsonl``, or ``aegis-v1`` for the old system's JSON.
        records: Records in the file.
        imported: Records that are steps of the ledger now.
        duplicates: Records that were in the ledger already.
        rejected: Records that are no experience at all, by reason.
        rejected_records: Their places in the file, from 1.
        episodes: Episodes that the imported records belong to.
        actions: Tools of the imported records; ``none`` where no action is known.
        reward_sum: Sum of their rewards.
        missing_keys: Keys that records lack, by path.
        unknown_actions: Actions that the old system did not have, by name. They are imported.
        null_actions: Records without an action. They are imported.
        odd_values: Values that are not of the type or range that the format has, by path. They
            are kept in ``extra`` and taken as absent otherwise.
        repeated_keys: Keys that one object holds twice; both values are kept in ``extra``.
        cleaned: Records with text that is no text (half a surrogate pair), kept in ``extra``.
    """

    path: str
    format: str = ""
    records: int = 0
    imported: int = 0
    duplicates: int = 0
    rejected: Counter[str] = Factory(Counter)
    rejected_records: list[int] = Factory(list)
    episodes: int = 0
    actions: Counter[str] = Factory(Counter)
    reward_sum: float = 0.0
    missing_keys: Counter[str] = Factory(Counter)
    unknown_actions: Counter[str] = Factory(Counter)
    null_actions: int = 0
    odd_values: Counter[str] = Factory(Counter)
    repeated_keys: Counter[str] = Factory(Counter)
    cleaned: int = 0

    @property
    def reward_mean(self) -> float | None:
        """Mean reward of the imported records, None where there is none."""
        return self.reward_sum / self.imported if self.imported else None

    def took(self, tool: str | None, reward: float) -> None:
        """Count an imported record."""
        self.imported += 1
        self.actions[tool or "none"] += 1
        self.reward_sum += reward

    def reject(self, record: int, reason: str) -> None:
        """Count a record that is no experience."""
        self.rejected[reason] += 1
        self.rejected_records.append(record)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``examples`` is what was imported."""
        return {
            "examples": self.imported,
            "actions": dict(self.actions.most_common()),
            "reward_mean": self.reward_mean,
            "path": self.path,
            "format": self.format,
            "records": self.records,
            "imported": self.imported,
            "duplicates": self.duplicates,
            "rejected": dict(self.rejected),
            "rejected_records": self.rejected_records,
            "episodes": self.episodes,
            "missing_keys": dict(self.missing_keys),
            "unknown_actions": dict(self.unknown_actions),
            "null_actions": self.null_actions,
            "odd_values": dict(self.odd_values),
            "repeated_keys": dict(self.repeated_keys),
            "cleaned": self.cleaned,
        }
