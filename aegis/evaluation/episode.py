"""One played episode as it is kept, and the file that keeps the episodes of one policy."""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 - resolved when JSON is structured
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from aegis.config.structure import from_json
from aegis.errors import InputError
from aegis.jobs.kept_lines import KeptLines

if TYPE_CHECKING:
    from pathlib import Path


@frozen(kw_only=True)
class Episode:
    """What is kept of one episode.

    Attributes:
        seed: Seed that it was begun with.
        total: Its return, undiscounted.
        steps: Number of decisions.
        completed: Whether the goal was reached.
        denied: Decisions that the environment denied.
        seconds: CPU time of the decisions alone, of all threads.
        rss_mb: Most memory that the playing process had had resident by then, MiB.
        parameters: Weights of the engine, where it has any.
        actions: How often each tool was chosen.
        facts: What the environment says of it for reports.
    """

    seed: int
    total: float
    steps: int
    completed: bool
    denied: int
    seconds: float
    rss_mb: float
    parameters: int | None
    actions: Mapping[str, int]
    facts: Mapping[str, Any]


class EpisodeFile:
    """The episodes of one policy in one task, one a seed.

    What was cut off or damaged is not read, and is played again; what is there twice counts once.

    Args:
        path: The file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._lines = KeptLines(path)

    def read(self) -> dict[int, Episode]:
        """Return the episodes by seed."""
        found: dict[int, Episode] = {}
        for line in self._lines:
            try:
                episode = from_json(Episode, json.loads(line))
            except (ValueError, InputError):  # written by another version
                continue
            found.setdefault(episode.seed, episode)
        return found

    def add(self, episode: Episode) -> None:
        """Append an episode; it is there whatever happens to this process afterwards.

        Raises:
            InputError: ``unwritable`` if the disk refuses.
        """
        body = json.dumps(asdict(episode), allow_nan=False, separators=(",", ":"))
        self._lines.add(body.encode("ascii"))

    def put_aside(self) -> None:
        """Begin anew; the episodes so far are kept beside, under another name."""
        self._lines.put_aside()
