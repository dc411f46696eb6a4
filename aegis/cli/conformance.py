"""``aegis plugins test``: hold a plugin against what its roles ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aegis.cli.invocation import invocation

if TYPE_CHECKING:
    from aegis.testing.report import Finding


@click.command(
    "test",
    help="Hold an enabled plugin against the checks of its roles; exit 0, or 1 if one fails.",
)
@click.argument("name", required=False)
@click.option("--list", "listed", is_flag=True, help="List all checks, and run none.")
@click.option(
    "--check", "only", multiple=True, metavar="CHECK", help="Run this check, and what it needs."
)
@click.option(
    "--waive",
    "waived",
    multiple=True,
    metavar="CHECK=REASON",
    help="Do not ask for this check; CHECK:COMPONENT=REASON for one component. The report shows "
    "the reason.",
)
def test(name: str | None, *, listed: bool, only: tuple[str, ...], waived: tuple[str, ...]) -> int:
    """Run the checks of a plugin, or list them."""
    from aegis.errors import InputError
    from aegis.testing.checks import all_checks
    from aegis.testing.running import check_plugin

    call = invocation()
    if listed:
        rows = [{"check": one.name, "title": one.title, "since": one.since} for one in all_checks()]
        lines = [f"{row['check']:24} {row['title']}" for row in rows]
        call.answer({"checks": rows}, lambda: click.echo("\n".join(lines)))
        return 0
    if name is None:
        raise InputError.of(
            "plugin-unnamed",
            "no plugin is named",
            fix="aegis plugins test NAME; aegis plugins list shows them",
        )
    show = _Shown(call.json, call.quiet)
    report = check_plugin(
        call.project("rules", tolerant=True), name, waive=_waivers(waived), only=only, told=show
    )
    if not call.json:
        click.echo(report.summary())
    call.answer(report.as_json(), lambda: None)
    return 0 if report.ok else 1


class _Shown:
    """Prints findings as they are made: the component once, then a line each."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._silent, self._quiet, self._subject = as_json, quiet, ""

    def __call__(self, finding: Finding) -> None:
        if self._silent or (self._quiet and finding.status != "failed"):
            return
        if finding.subject != self._subject:
            self._subject = finding.subject
            click.echo(finding.subject)
        for line in finding.lines():
            click.echo(line)


def _waivers(waived: tuple[str, ...]) -> dict[str, str]:
    pairs = (text.partition("=") for text in waived)
    return {name.strip(): reason.strip() for name, _, reason in pairs}
