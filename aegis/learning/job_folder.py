"""The folders of training jobs: one a job, numbered, and what stays of it at the end.

    data/run/training/0007/
        job.json                        what was asked (`aegis.learning.job`)
        train.jsonl  validation.jsonl   the data, while the job may still go on
        state/  result/                 the trainer's, while the job may still go on
        judge.json                      what was compared
        curve.json                      the learning curve so far
        result.json                     how it ended
        log.txt                         the end of what the process printed, where it failed

Only the last jobs are kept.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from aegis.errors import InputError, Problem, StoreError
from aegis.jobs.job_file import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aegis.store.lock import RunLock

FOLDER: Final = "training"
KEPT: Final = 20
"""Finished jobs whose job.json and result.json are kept."""

_NAME: Final = re.compile(r"\d{4,}")
_DROPPED: Final = (
    "train.jsonl",
    "validation.jsonl",
    "curve.json",
    "state",
    "result",
    "lock",
    "lock.pid",
)


@frozen
class JobFolder:
    """The folder of one job."""

    path: Path

    @property
    def name(self) -> str:
        """Its number, as the folder is called."""
        return self.path.name

    @property
    def job(self) -> Path:
        """The training's job file."""
        return self.path / "job.json"

    @property
    def judging(self) -> Path:
        """The comparison's job file."""
        return self.path / "judge.json"

    @property
    def train(self) -> Path:
        """The training data."""
        return self.path / "train.jsonl"

    @property
    def validation(self) -> Path:
        """The held-out data."""
        return self.path / "validation.jsonl"

    @property
    def state(self) -> Path:
        """What the trainer keeps to go on with."""
        return self.path / "state"

    @property
    def result(self) -> Path:
        """What the trainer made."""
        return self.path / "result"

    @property
    def open(self) -> bool:
        """Whether the job was cut off and may be gone on with."""
        file = self.path / "result.json"
        if not self.job.is_file():
            return False  # cut off before it began
        if not file.exists():
            return True
        try:
            return bool(read_json(file).get("resumable"))
        except (InputError, AttributeError):
            return False

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the job, or None where it cannot be read."""
        return self._asked("fingerprint")

    @property
    def profile(self) -> str | None:
        """The profile of the job, or None where it cannot be read."""
        return self._asked("profile")

    def prepare(self) -> None:
        """Make the folders; the one for the result is empty afterwards."""
        self.state.mkdir(parents=True, exist_ok=True)
        if self.result.exists():
            shutil.rmtree(self.result)
        self.result.mkdir()
        (self.path / "result.json").unlink(missing_ok=True)

    def curve(self) -> list[dict[str, float]]:
        """Return the points of the learning curve so far."""
        file = self.path / "curve.json"
        points = read_json(file) if file.exists() else []
        return [point for point in points if isinstance(point, dict) and "examples" in point]

    def keep_curve(self, points: Sequence[Mapping[str, float]]) -> None:
        """Keep the points of the learning curve."""
        write_json(self.path / "curve.json", list(points))

    def log(self, text: str) -> None:
        """Keep the end of what the process printed."""
        (self.path / "log.txt").write_text(text, "utf-8")

    def end(self, result: Mapping[str, Any], *, resumable: bool) -> None:
        """Record how the job ended; what it does not need any more goes."""
        write_json(self.path / "result.json", {**result, "resumable": resumable})
        if not resumable:
            self.drop()

    def drop(self) -> None:
        """Remove the data, the state and the result."""
        for name in _DROPPED:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def give_up(self) -> None:
        """Close a job that was cut off and is not gone on with."""
        self.end({"status": "given up", "reason": "another training was begun"}, resumable=False)

    def _asked(self, key: str) -> str | None:
        """Return a word of the job file, or None where it cannot be read."""
        try:
            found = read_json(self.job).get(key)
        except (InputError, AttributeError):
            return None
        return found if isinstance(found, str) else None


class Jobs:
    """The jobs of one run's folder.

    Args:
        run_folder: The run's folder (``data/run``).
    """

    def __init__(self, run_folder: Path) -> None:
        self.path = run_folder / FOLDER

    def lock(self) -> RunLock:
        """Take the right to train here; it ends with `RunLock.release`, or with this process.

        Raises:
            StoreError: ``training-locked`` if another process trains here, with its process id.
        """
        from aegis.store.lock import RunLock

        lock = RunLock(self.path)
        try:
            return lock.acquire()
        except StoreError as error:
            raise _locked(lock, self.path) from error

    def all(self) -> list[JobFolder]:
        """Return the jobs, oldest first."""
        if not self.path.is_dir():
            return []
        names = [path for path in self.path.iterdir() if _NAME.fullmatch(path.name)]
        return [JobFolder(path) for path in sorted(names, key=lambda path: int(path.name))]

    def new(self) -> JobFolder:
        """Return the folder of the next job, made."""
        jobs = self.all()
        number = int(jobs[-1].name) + 1 if jobs else 1
        folder = JobFolder(self.path / f"{number:04d}")
        folder.path.mkdir(parents=True)
        return folder

    def resumable(self, fingerprint: str) -> JobFolder | None:
        """Return the newest job of this fingerprint that was cut off, or None."""
        found = [job for job in self.all() if job.open and job.fingerprint == fingerprint]
        return found[-1] if found else None

    def give_up(self, profile: str, *, but: JobFolder) -> int:
        """Close the jobs of a profile that were cut off, but for one; returns how many."""
        jobs = [job for job in self.all() if job != but and job.open and job.profile == profile]
        for job in jobs:
            job.give_up()
        return len(jobs)

    def orphan(self) -> int | None:
        """Return the process that is at work in one of the open jobs, or None; 0 for unknown."""
        from aegis.store.lock import RunLock

        for job in self.all():
            lock = RunLock(job.path)
            if not job.open:
                continue
            try:
                lock.acquire()
            except StoreError:
                return lock.holder() or 0
            lock.release()
        return None

    def tidy(self) -> None:
        """Remove all but the last of the jobs that are closed."""
        jobs = self.all()
        for job in [job for job in jobs if not job.open][:-KEPT]:
            shutil.rmtree(job.path)


def _locked(lock: RunLock, path: Path) -> StoreError:
    pid = lock.holder()
    who = f"process {pid}" if pid is not None else "another process"
    return StoreError(
        Problem(
            "training-locked",
            f"{who} trains in this folder, and only one may at a time",
            where=str(path),
            fix="wait until it ends, or end it; the agent may run meanwhile",
        )
    )
