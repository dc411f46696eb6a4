"""``aegis check``: whether the composition can work, before anything heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.contracts.check import Report
    from aegis.project import Project


@click.command(help="Check that the composition of plugins can work; exit 0 or 2.")
@click.option("--profile", metavar="P", help="Check this profile instead of the file's.")
def _check(profile: str | None) -> int:
    from aegis.errors import AegisError

    call = invocation()
    try:
        project = call.project(profile, tolerant=True)
        report = project.check()
        problems = [*project.plugin_problems(), *report.problems]
        unverified = list(report.unverified)
    except AegisError as error:
        if not call.json:
            raise
        problems, unverified, report = list(error.problems), [], None
    answer = {
        "ok": not problems,
        "errors": [problem._asdict() for problem in problems],
        "unverified": [str(entry) for entry in unverified],
    }
    if not call.json:
        for problem in problems:
            click.echo(problem.render(), err=True)
    if call.json or not problems:
        call.answer(answer, lambda: _say(project, report))
    return 2 if problems else 0


def _say(project: Project, report: Report | None) -> None:
    assert report is not None
    click.echo(f'profile "{project.composition.profile}": this composition can work')
    for line in report.facts:
        click.echo(f"  {line}")
    for entry in report.unverified:
        click.echo(f"  unverified: {entry}")


command = shared_options(_check)
