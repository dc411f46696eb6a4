"""Running checks: of one component, and of everything that a plugin provides."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.contracts.text import one_line
from aegis.errors import AegisError, InputError
from aegis.host.attribution import blame
from aegis.testing.checks import Broken, NotApplicable, refuse_unknown, suite
from aegis.testing.report import Finding, Report
from aegis.testing.selecting import plugins_of, subjects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from aegis.project import Project
    from aegis.testing.checks import Check, Kind
    from aegis.testing.report import Status
    from aegis.testing.subject import Subject

_RAISED = "the component raises where its role has no room for it"


def check_plugin(
    project: Project,
    plugin: str,
    *,
    waive: Mapping[str, str] | None = None,
    only: Collection[str] = (),
    told: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Run every check that there is for a plugin and what it provides.

    Args:
        project: The project that enables it; its settings, and its profiles, are what is checked.
        plugin: Name of the plugin, or of a distribution, all of whose plugins are checked then.
        waive: Checks that are not asked, with the reason of each, which the report shows. A name
            may be followed by the component that it is waived for: ``engine-saved:mine``.
        only: Names of checks; empty for all. What they need is run as well.
        told: Called with each finding as it is made.

    Raises:
        InputError: If the plugin is not enabled, or a waiver has no reason or names no check.
        PluginError: If the plugin cannot be loaded.
    """
    waivers = _waivers(waive or {})
    refuse_unknown(only)
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="aegis-checks-") as made:
        plugins = plugins_of(project, plugin)
        for number, info in enumerate(plugins):
            for kind, subject in subjects_of(project, info, Path(made) / str(number)):
                broken = kind == "composition" and any(one.status == "failed" for one in findings)
                made_of = findings_of(subject, kind, waivers, only)
                for finding in _blocked(subject, only) if broken else made_of:
                    findings.append(finding)
                    told(finding)
    return Report(plugins[0].origin, tuple(findings))


def _blocked(subject: Subject, only: Collection[str]) -> Iterator[Finding]:
    """Yield findings of a profile whose parts do not pass: it would only say the same again."""
    for one in suite("composition"):
        if not only or one.name in only:
            why = "what it is made of does not pass"
            yield Finding(subject.label, one.name, one.title, "blocked", why)


def findings_of(
    subject: Subject,
    kind: Kind,
    waive: Mapping[str, str] | None = None,
    only: Collection[str] = (),
) -> Iterator[Finding]:
    """Run the checks of one component, yielding each finding as it is made."""
    checks = suite(kind)
    wanted = _with_needs(checks, only) if only else {one.name for one in checks}
    known: dict[str, Finding] = {}
    try:
        for one in checks:
            if one.name in wanted:
                known[one.name] = _finding(subject, one, waive or {}, known)
                yield known[one.name]
    finally:
        subject.forget()


def _finding(
    subject: Subject, one: Check, waive: Mapping[str, str], known: Mapping[str, Finding]
) -> Finding:
    def said(
        status: Status, message: str = "", cause: str = "", fix: str = "", where: str = ""
    ) -> Finding:
        seconds = time.monotonic() - began
        about = (subject.label, one.name, one.title)
        return Finding(*about, status, message, cause, fix, where, seconds)

    began = time.monotonic()
    reason = waive.get(f"{one.name}:{subject.chosen.component.name}") or waive.get(one.name)
    if reason:
        return said("waived", reason)
    for need in (known[name] for name in one.needs if known[name].status != "passed"):
        if need.status in ("skipped", "waived"):
            return said("skipped", f"needs {need.check}, which was {need.status}")
        return said("blocked", f"needs {need.check}")
    try:
        one.run(subject)
    except NotApplicable as found:
        finding = said("skipped", str(found))
    except Broken as found:
        finding = said("failed", found.message, cause=found.cause, fix=found.fix)
    except Exception as error:  # noqa: BLE001 - whatever the component raises is a finding
        finding = said("failed", **_raised(subject, one, error))
    else:
        finding = said("passed")
    return finding


def _raised(subject: Subject, one: Check, error: Exception) -> dict[str, str]:
    problem = blame(subject.chosen.plugin, one.name, error).problems[0]
    fix = problem.fix if isinstance(error, AegisError) and problem.fix else "see the line above"
    kind = type(error).__name__
    message = problem.message if isinstance(error, AegisError) else f"{kind}: {error}"
    return {
        "message": one_line(message, 300),
        "cause": _RAISED,
        "where": problem.where,
        "fix": fix,
    }


def _with_needs(checks: Iterable[Check], only: Collection[str]) -> set[str]:
    by_name = {one.name: one for one in checks}
    wanted: set[str] = set()
    waiting = [name for name in only if name in by_name]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += by_name[name].needs
    return wanted


def _waivers(waive: Mapping[str, str]) -> dict[str, str]:
    refuse_unknown(name.partition(":")[0] for name in waive)
    for name, reason in waive.items():
        if len(str(reason).split()) < 2:
            raise InputError.of(
                "waiver-without-reason",
                f'check "{name}" is waived without a reason that a reader can follow: {reason!r}',
                fix=f'say why in a sentence: --waive "{name}=REASON"',
            )
    return dict(waive)
