"""The lock on a run's folder: one process owns it.

The operating system holds the lock (``flock``) and frees it when the process ends, however it
ends, so nothing has to be cleaned up after a crash. The holder writes its process id beside it;
that file is only read to name the holder and never decides anything.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from aegis.errors import Problem, StoreError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from filelock import BaseFileLock

LOCK_FILE: Final = "lock"
PID_FILE: Final = "lock.pid"
_PATIENCE: Final = 0.2
"""Seconds to wait for a holder that took the lock to write its process id."""


class RunLock:
    """The right to write in one run's folder, held by one process at a time.

    The lock file is not inherited by programs that this process starts, so a surviving worker
    does not keep it. A plain ``os.fork`` without ``exec`` shares it with the child. It is given
    back when this object is no longer referred to: keep it as long as the lock is needed.

    Args:
        folder: The run's folder (``data/run``); it is made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: BaseFileLock | None = None

    def acquire(self) -> Self:
        """Take the lock at once.

        Raises:
            StoreError: ``locked`` if another process holds it, with its process id.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(
            self.folder / LOCK_FILE, timeout=0, thread_local=False, fallback_to_soft=False
        )
        try:
            lock.acquire()
        except Timeout:
            raise _locked(self.folder, self._holder_soon()) from None
        self._lock = lock
        self._write_pid()
        return self

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        if self._lock is None:
            return
        with contextlib.suppress(FileNotFoundError):
            (self.folder / PID_FILE).unlink()
        self._lock.release()
        self._lock = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def holder(self) -> int | None:
        """Return the process id that the holder wrote, or None.

        None also where the process that wrote it is gone: then the file is left over from a
        crash and says nothing.
        """
        try:
            pid = int((self.folder / PID_FILE).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return None
        return pid if _alive(pid) else None

    def _holder_soon(self) -> int | None:
        """Return the holder, waiting a moment for one that has just taken the lock."""
        until = time.monotonic() + _PATIENCE
        while (pid := self.holder()) is None and time.monotonic() < until:
            time.sleep(0.005)
        return pid

    def _write_pid(self) -> None:
        path = self.folder / PID_FILE
        unfinished = path.with_suffix(".new")
        unfinished.write_text(str(os.getpid()), "ascii")
        unfinished.replace(path)

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _locked(folder: Path, pid: int | None) -> StoreError:
    who = f"process {pid}" if pid is not None else "another process"
    return StoreError(
        Problem(
            "locked",
            f"{who} runs an agent in this folder, and only one may write",
            where=str(folder),
            fix="wait until it ends, or end it; commands "
            "that only look (`aegis status`, `aegis log`) work meanwhile",
        )
    )


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it lives and belongs to someone else
        return True
    return True
