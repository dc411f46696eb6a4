"""The child's side of a job: reads it, carries it out, answers.

Messages go up as lines of JSON: any number of objects, then ``finished`` or ``failed``. A line
from the parent, or the end of its pipe, asks to stop; once the pipe has ended, this process ends
too, after a grace in which the work may be saved.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from aegis.errors import AegisError, PluginError, Problem, TrainingError
from aegis.host.child import answer, end_group, private_pipes
from aegis.jobs.job_file import parse_job, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis.contracts.component import Runtime
    from aegis.jobs.job_file import Workplace

J = TypeVar("J")

_UNKNOWN: Final = 5.0
"""Seconds of grace before the job was read."""

_OVERTIME: Final = 10.0
"""Seconds after the limit and the grace at which the kernel ends a job, parent or no parent: code
that never lets other threads run cannot be ended by this process's own watch."""


class Link:
    """The way to the parent.

    Args:
        said: What the parent says.
        answers: Descriptor for messages.
    """

    def __init__(self, said: BinaryIO, answers: int) -> None:
        self._said, self._answers = said, answers
        self._grace = _UNKNOWN
        self._stop = threading.Event()
        self._sending = threading.Lock()

    def keep_to(self, seconds: float, grace: float) -> None:
        """Take the limits of the job over; the kernel ends this process some time after them."""
        self._grace = grace
        signal.setitimer(signal.ITIMER_REAL, seconds + grace + _OVERTIME)

    def should_stop(self) -> bool:
        """Return whether the parent has asked to stop, or is gone."""
        return self._stop.is_set()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; where the parent is gone, nobody misses it.

        Raises:
            ValueError: If it holds NaN or an infinity.
        """
        with self._sending:
            try:
                answer(self._answers, message)
            except BrokenPipeError:
                self._stop.set()

    def fail(self, error: BaseException) -> None:
        """Send what went wrong."""
        self.send({"failed": _described(error)})

    def listen(self) -> None:
        """Wait for the parent's word; ends this process once the parent is gone."""
        for _ in self._said:
            self._stop.set()
        self._stop.set()
        nothing = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):  # a print must not fail now
            os.dup2(nothing, descriptor)
        time.sleep(self._grace)
        end_group()


def carry_out(kind: type[J], work: Callable[[J, Link], Mapping[str, Any]]) -> None:
    """Carry out the job whose file the command line names, answer, and end."""
    said, answers = private_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    link = Link(said, answers)
    threading.Thread(target=link.listen, daemon=True).start()
    me = os.getpid()
    try:
        raw = read_json(Path(sys.argv[1]))
        job = parse_job(kind, raw)
        link.keep_to(raw["seconds"], raw["grace"])
        found = work(job, link)
        if os.getpid() == me:  # the work may have forked, and this be the copy: one answers
            link.send({"finished": dict(found)})
    except BaseException as error:  # noqa: BLE001 - SystemExit too: the parent is told
        if os.getpid() == me:
            traceback.print_exc()
            link.fail(error)
    sys.stderr.flush()
    end_group()  # nothing that the work has started stays


def runtime_from(workplace: Workplace) -> Runtime:
    """Take the job's module path over and return the runtime that it describes."""
    from aegis.config.structure import from_json
    from aegis.contracts.component import Runtime

    sys.path[:] = workplace.path
    return from_json(Runtime, workplace.runtime)


def peak_rss_mb() -> float:
    """Return the most memory that this process has had resident, in MiB."""
    try:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass  # no Linux
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error).__name__
    if not isinstance(error, AegisError):
        said = "".join(traceback.format_exception_only(error)).strip()[:2000]
        error = TrainingError(Problem("job-failed", f"the job's process failed: {said}"))
        kind = ""
    # What a plugin breaks in a job is a failure of the job, whatever its parent calls that.
    kind = "" if isinstance(error, PluginError) else kind
    problems = [[_sendable(part) for part in problem] for problem in error.problems]
    return {"error": kind, "problems": problems}


def _sendable(text: object) -> str:
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")
