"""Why a question was not answered."""

from __future__ import annotations

from typing import Literal

Fault = Literal["unreachable", "refused", "failed", "question"]
"""``unreachable``: no way to the server. ``refused``: the server does not want requests now.
``failed``: something went wrong with this one. ``question``: the server calls the question wrong,
and asking it again is pointless."""


class NoAnswerError(Exception):
    """arXiv gave no answer.

    Args:
        message: One line for people.
        fault: What kind of failure it is; decides how long arXiv is left alone.
        late: Whether time ran out.
        retry_after: Seconds that the server asked to be left alone, or None.
    """

    def __init__(
        self,
        message: str,
        fault: Fault = "failed",
        *,
        late: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.message = message
        self.fault: Fault = fault
        self.late = late
        self.retry_after = retry_after
        super().__init__(message)
