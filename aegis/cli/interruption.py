"""Signals of a person: the first ends the work cleanly, the second at once."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


_STDERR: Final = 2


class Stoppable(Protocol):
    """Work that can be asked to end."""

    @property
    def stopping(self) -> bool:
        """Whether it was asked to."""
        ...

    def stop(self) -> None:
        """Ask it to; called from a signal handler."""
        ...


@contextlib.contextmanager
def interruptible(work: Stoppable, said: str) -> Iterator[None]:
    """Ask `work` to stop on the first SIGINT or SIGTERM, and raise KeyboardInterrupt on the second.

    Args:
        work: What goes on inside.
        said: What the first signal leads to, for the person who sent it.
    """

    def handle(signum: int, _: FrameType | None) -> None:
        if work.stopping:
            signal.signal(signum, signal.SIG_DFL)
            raise KeyboardInterrupt
        work.stop()  # before a word of it: the next signal may come at any time
        # Not by the stream, which may be writing just now and refuses to be entered again.
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"\n{said}; once more to end at once\n".encode())

    before: dict[int, Any] = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
