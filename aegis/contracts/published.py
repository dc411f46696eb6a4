"""Published figures: what others report for a task, with where it stands and what differs."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Published:
    """One figure from outside.

    Attributes:
        name: Whose it is: method or paper.
        value: The figure, in the task's measure: a success rate from 0 to 1, or a return; None
            where the source gives another kind of figure, which `note` then says.
        demonstrations: How many demonstrations it took, or None where it is no such figure.
        source: Paper or page where it stands, and how it was taken from there.
        note: What differs from how figures are taken here.
    """

    name: str
    value: float | None
    source: str
    note: str
    demonstrations: int | None = None
