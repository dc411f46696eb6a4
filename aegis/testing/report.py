"""What the checks of a component found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

Status = Literal["passed", "failed", "waived", "skipped", "blocked"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
_COLUMN: Final = 24


@frozen
class Finding:
    """How one check of one component went.

    Attributes:
        subject: Kind and name of what was checked: ``engine "mine"``.
        check: Name of the check.
        title: The law, in one sentence.
        status: ``passed``, ``failed``; ``waived``: not asked, for a reason that was given;
            ``skipped``: the component does not claim what it is about; ``blocked``: another check
            that it needs did not pass.
        message: What was seen, or the reason.
        cause: What most often leads to it, where it failed.
        fix: What to do, where it failed.
        where: File and line of the component's code, where something raised.
        seconds: How long it took.
    """

    subject: str
    check: str
    title: str
    status: Status
    message: str = ""
    cause: str = ""
    fix: str = ""
    where: str = ""
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """Yield the lines that a person is shown."""
        yield f"  {self.status:8}{self.check:{_COLUMN}} {self.message or self.title}"
        if self.status == "failed":
            for name, text in (
                ("law", self.title),
                ("likely", self.cause),
                ("where", self.where),
                ("fix", self.fix),
            ):
                if text:
                    yield f"          {name + ':':8}{text}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "subject": self.subject,
            "check": self.check,
            "status": self.status,
            "message": self.message,
            "cause": self.cause,
            "fix": self.fix,
            "where": self.where,
            "seconds": round(self.seconds, 3),
        }


@frozen
class Report:
    """What all checks found.

    Attributes:
        plugin: What was checked, with its distribution and version.
        findings: In the order in which they were made.
    """

    plugin: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What failed."""
        return tuple(one for one in self.findings if one.status == "failed")

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each status."""
        return {status: sum(one.status == status for one in self.findings) for status in STATUSES}

    def summary(self) -> str:
        """Return the counts in one line."""
        counts = {status: n for status, n in self.counts().items() if n or status == "passed"}
        return f"{self.plugin}: {', '.join(f'{n} {status}' for status, n in counts.items())}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "plugin": self.plugin,
            "ok": self.ok,
            "counts": self.counts(),
            "findings": [one.as_json() for one in self.findings],
        }
