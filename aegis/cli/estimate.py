"""``aegis estimate``: what a profile would be worth, told from recorded steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Final = {"snips": "importance sampling", "dr": "doubly robust"}


@click.command(
    help="Estimate from recorded steps what one decision of a profile would be worth there, with "
    "intervals of 95 %: for where nothing can be played. Refused where the records cannot tell."
)
@click.option("--profile", metavar="P", help="Estimate this profile instead of the file's.")
@click.option(
    "--checkpoint",
    metavar="ID",
    default="",
    help="Weights instead of those that decide: an identifier's beginning, latest, or configured "
    "for those of the settings.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the steps from this file instead of the ledger.",
)
@click.option(
    "--environment",
    metavar="E",
    help="Only steps of this environment (research, research-gym, babyai:GoToLocal) under the "
    "rules that are set; by default the profile's, and all of a file.",
)
def _estimate(
    profile: str | None, checkpoint: str, data: Path | None, environment: str | None
) -> None:
    from aegis.evaluation.task import as_recorded, is_provided, overrides
    from aegis.learning.estimating import estimates

    call = invocation()
    if environment is not None and is_provided(host := call.project().host, environment):
        call.sets.extend(overrides(host, environment))
    project = call.project(profile)
    if environment is None and data is None:
        environment = project.composition.environment.task
    rules = None
    if environment is not None:
        environment, rules = as_recorded(project, environment)
    found = estimates(
        project, checkpoint=checkpoint, data=data, environment=environment, rules=rules
    )
    call.answer(found, lambda: click.echo("\n".join(_lines(found))))


def _lines(found: Mapping[str, Any]) -> list[str]:
    weights = found["checkpoint"]
    name = found["profile"] if weights is None else f"{found['profile']}@{weights[:10]}"
    lines = [
        (
            f"{name} on {found['steps']:,} recorded steps of {found['episodes']:,} episodes: mean "
            "return-to-go"
        ),
        f"  as recorded          {_interval(found['behaviour'])}",
    ]
    for method, own in found["estimates"].items():
        value, difference = _interval(own["value"]), _interval(own["difference"], sign="+")
        lines.append(f"  {_NAMES[method]:<20} {value}   difference {difference}")
    lines += [
        (
            f"effective sample size {found['effective_sample_size']:,.0f} of {found['steps']:,}; "
            f"largest weight {found['largest_weight']:.1f}, {found['large_weights']:.1%} above 10; "
            f"{found['hardly_tried']:.1%} of its decisions were hardly ever tried"
        ),
        *(f"left out: {count:,} steps, {reason}" for reason, count in found["left_out"].items()),
        found["means"],
    ]
    return lines


def _interval(interval: Mapping[str, float], sign: str = "") -> str:
    return f"{interval['mean']:{sign}.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


command = shared_options(_estimate)
