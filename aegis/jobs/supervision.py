"""A job's process as its parent sees it: messages, limits, and how it ended."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

import aegis.errors
from aegis.errors import AegisError, Problem, TrainingError
from aegis.host.process import Gone, Process
from aegis.jobs.limits import session_rss_mb

if TYPE_CHECKING:
    from pathlib import Path

    from aegis.jobs.limits import Limits

POLL: Final = 0.2
"""Seconds between two looks at the limits."""

_LINE_LIMIT: Final = 4 << 20
_PATIENCE: Final = 1.0
"""Seconds past the wall-clock limit that a job gets to see it by itself."""

Stop = Literal["interrupted", "deadline"]


@frozen
class Ending:
    """How a job's process ended.

    Attributes:
        answer: What it answered, or None.
        error: What was wrong, where it did not answer.
        died: Whether it ended without a word: it crashed or was killed.
        output: The end of what it printed.
    """

    answer: dict[str, Any] | None
    error: AegisError | None
    died: bool
    output: str


class Supervised:
    """A running job.

    Args:
        module: The child's program.
        job_file: Its job.
        project: Folder that it runs in.
        limits: What it may take.
        what: What it does, for messages: ``the training``.
        code: What the codes of its errors begin with.
        error: The error that a failure is where the child named none.
        memory_fix: What to do where it takes too much memory.
        yielding: Whether it shares the machine with an agent that decides. Its threads then sleep
            while they wait, which costs it time of its own and the agent none.
        who: Whose code it runs, for the errors that it cannot name itself.
    """

    def __init__(
        self,
        module: str,
        job_file: Path,
        project: Path,
        limits: Limits,
        what: str,
        *,
        code: str = "training",
        error: type[AegisError] = TrainingError,
        memory_fix: str = "raise [learning].memory_mb, or train with less at a time",
        yielding: bool = False,
        who: str = "",
    ) -> None:
        command = [sys.executable, "-P", "-m", module, str(job_file)]
        self._limits, self._what = limits, what
        self._code, self._error, self._memory_fix, self._who = code, error, memory_fix, who
        environment = {"OMP_WAIT_POLICY": "PASSIVE"} if yielding else {}
        self._process = Process(command, str(project), _LINE_LIMIT, environment)
        self._began = self._heard = time.monotonic()
        self._looked = 0.0
        self._kill_at: float | None = None
        self.asked: Stop | None = None
        self.rss_mb = self.peak_rss_mb = 0.0
        self.ending: Ending | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.ending is not None

    @property
    def silent(self) -> float:
        """Seconds since it was heard of last."""
        return time.monotonic() - self._heard

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def poll(self, timeout: float = POLL) -> list[dict[str, Any]]:
        """Return the messages that came, but for the last one, which becomes `ending`.

        Waits for at most `timeout` seconds and looks at the limits.
        """
        messages: list[dict[str, Any]] = []
        if self.over:
            return messages
        try:
            for line in self._process.exchange(timeout):
                self._heard = time.monotonic()
                if self._was_last(line, messages):
                    return messages
        except Gone as gone:
            self._died(f"{self._what}: its process {gone}")
            return messages
        self._look()
        return messages

    def stop(self, why: Stop) -> None:
        """Ask it to save and end; after the grace it is killed."""
        if self.asked is None and not self.over:
            self.asked = why
            self._kill_at = time.monotonic() + self._limits.grace
            self._process.send({"stop": why})

    def kill(self, why: str) -> None:
        """End it now, with all that it started."""
        if not self.over:
            self._died(f"{self._what} was ended: {why}")

    def _was_last(self, line: bytes, messages: list[dict[str, Any]]) -> bool:
        """Take up a line; returns whether nothing can follow it."""
        message: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            message = json.loads(line)
        match message:
            case {"finished": dict(answer)}:
                self._end(answer=answer)
            case {"failed": {"error": str(kind), "problems": list(problems)}}:
                self._end(error=self._described(kind, problems))
            case dict():
                messages.append(message)
                return False
            case _:
                said = f"{self._what} did not keep to the protocol"
                self._end(error=self._error(Problem(f"{self._code}-protocol", said)))
        return True

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked >= POLL:
            self._looked = now
            self.rss_mb = session_rss_mb(self.pid)
            self.peak_rss_mb = max(self.peak_rss_mb, self.rss_mb)
        limits = self._limits
        if self.rss_mb > limits.memory_mb:
            used = f"it used {self.rss_mb:.0f} MiB of memory"
            self._died(
                f"{self._what} was ended: {used}, more than {limits.memory_mb:.0f}",
                code="memory",
                fix=self._memory_fix,
            )
        elif self._kill_at is not None and now >= self._kill_at:
            self._died(
                f"{self._what} did not stop within {limits.grace:g} s of being asked"
                f" ({_ASKED[self.asked or 'interrupted']})",
                code="stuck",
            )
        elif now - self._began >= limits.seconds + _PATIENCE:
            self.stop("deadline")

    def _died(self, message: str, *, code: str = "died", fix: str = "") -> None:
        problem = Problem(f"{self._code}-{code}", message, self._who, fix)
        self._end(error=self._error(problem), died=True)

    def _described(self, kind: str, problems: list[Any]) -> AegisError:
        """Return the error that the child described; the usual one where its type is unknown."""
        found = [Problem(*(str(part) for part in problem)) for problem in problems]
        known = getattr(aegis.errors, kind, self._error)
        return known(found) if issubclass(known, AegisError) else self._error(found)

    def _end(
        self,
        *,
        answer: dict[str, Any] | None = None,
        error: AegisError | None = None,
        died: bool = False,
    ) -> None:
        if not died:
            self._process.wait(1.0)
        self._process.kill()
        self.ending = Ending(answer, error, died, self._process.output)


_ASKED: Final = {"interrupted": "by a person", "deadline": "its time was over"}
