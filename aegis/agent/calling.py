"""Calls that a person can interrupt without leaving a false outcome behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis.agent.worker import Workers
    from aegis.contracts.outcome import Document, ToolResult

GRACE: Final = 3.0
"""Seconds that a call gets to finish once a person asked to stop."""


class Interrupted(Exception):  # noqa: N818 - a signal to the loop, not an error
    """The call was ended because a person asked to stop; it is repeated on the next start."""


class InterruptibleCaller:
    """Carries out calls in the workers.

    Args:
        workers: The tools' worker processes.
        stopping: Whether a person asked to stop.
    """

    def __init__(self, workers: Workers, stopping: Callable[[], bool]) -> None:
        self._workers = workers
        self._stopping = stopping

    def call(
        self,
        tool: str,
        arguments: Mapping[str, object],
        *,
        key: str,
        documents: Mapping[str, Document],
    ) -> ToolResult:
        """Return the sanitised result.

        Raises:
            Interrupted: If the call was cut short by a stop.
        """
        result = self._workers.call(tool, arguments, key=key, documents=documents)
        if result.status == "timeout" and self._stopping():
            raise Interrupted
        return result
