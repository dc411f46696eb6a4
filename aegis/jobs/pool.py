"""A pool: jobs that a few processes carry out side by side, watched from one thread.

A job that fails ends all of them; what they had told by then was taken.

    with Pool(project.folder, 2, code="evaluation", error=EvaluationError) as pool:
        pool.add(Piece(module, job, "the play of hrm", take=keep, ended=require_all))
        while not pool.over:
            pool.poll()
"""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import psutil
from attrs import frozen

from aegis.jobs.job_file import write_job
from aegis.jobs.limits import Limits
from aegis.jobs.supervision import POLL, Supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis.errors import AegisError

GRACE: Final = 4.0
"""Seconds that a process gets to end after a person asked to stop."""
NO_DEADLINE: Final = 30 * 86400.0
"""Seconds that a job may take which has no deadline of its own."""

_SHARE: Final = 0.9
"""Of the machine's memory that one process may take."""


@frozen(eq=False)
class Piece:
    """One job.

    Attributes:
        module: The child's program.
        job: What it is told; an attrs instance (`aegis.jobs.job_file.write_job`).
        what: What it does, for messages.
        take: Called with each message.
        ended: Called once it has ended by itself; raises what is then missing.
    """

    module: str
    job: Any
    what: str
    take: Callable[[Mapping[str, Any]], None]
    ended: Callable[[], None]


class Pool:
    """Processes that carry out jobs. Use it as a context manager, from one thread.

    Args:
        project: Folder that they run in.
        size: Processes side by side.
        code: What the codes of errors begin with.
        error: The error that a failure is where the process named none.
        memory_fix: What to do where one takes too much memory.
    """

    def __init__(
        self,
        project: Path,
        size: int,
        *,
        code: str,
        error: type[AegisError],
        memory_fix: str = "take fewer --jobs",
    ) -> None:
        self._project, self._size = project, size
        self._code, self._error, self._memory_fix = code, error, memory_fix
        self._waiting: deque[Piece] = deque()
        self._working: dict[Supervised, Piece] = {}
        self._begun = 0
        self._stopping = False
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="aegis-jobs-"))
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._working:
            child.kill("its parent ended")
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, piece: Piece) -> None:
        """Put a job at the end of the row."""
        self._waiting.append(piece)

    @property
    def over(self) -> bool:
        """Whether nothing is done any more: all is, or it was stopped."""
        return not self._working and (self._stopping or not self._waiting)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping

    def stop(self) -> None:
        """Ask the processes to end; may be called from a signal handler."""
        self._stopping = True

    def poll(self, timeout: float = POLL) -> None:
        """Move on, for about `timeout` seconds at most.

        Raises:
            AegisError: What went wrong in a process.
        """
        while not self._stopping and self._waiting and len(self._working) < self._size:
            self._begin(self._waiting.popleft())
        for child, piece in list(self._working.items()):
            if self._stopping:
                child.stop("interrupted")
            self._advance(child, piece, timeout / max(1, len(self._working)))

    def _begin(self, piece: Piece) -> None:
        assert self._folder is not None, "use it as a context manager"
        self._begun += 1
        file = self._folder / f"{self._begun}.json"
        write_job(piece.job, file)
        memory = _SHARE * psutil.virtual_memory().total / 2**20
        child = Supervised(
            piece.module,
            file,
            self._project,
            Limits(seconds=NO_DEADLINE, memory_mb=memory, grace=GRACE),
            piece.what,
            code=self._code,
            error=self._error,
            memory_fix=self._memory_fix,
        )
        self._working[child] = piece

    def _advance(self, child: Supervised, piece: Piece, timeout: float) -> None:
        for message in child.poll(timeout):
            piece.take(message)
        if child.ending is None:
            return
        del self._working[child]
        if self._stopping:
            return
        if child.ending.error is not None:
            raise _advised(child.ending.error)
        piece.ended()


def _advised(error: AegisError) -> AegisError:
    """Return the error with what to do about problems that do not say it."""
    fix = "what was done is kept: the same command goes on with what is left"
    return type(error)([problem._replace(fix=problem.fix or fix) for problem in error.problems])
