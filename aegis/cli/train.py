"""``aegis train``: one training, then old against new."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.cli.interruption import interruptible
from aegis.cli.invocation import Invocation, invocation, shared_options

if TYPE_CHECKING:
    from aegis.learning.outcome import Outcome
    from aegis.project import Project


@click.command(
    help="Train new weights in a process of their own and compare them with the old ones. "
    "Nothing goes live by it. Ctrl-C saves and ends; the next `aegis train` goes on."
)
@click.option("--profile", metavar="P", help="Train this profile instead of the file's.")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Passes over the data.")
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Learn from this file instead of the ledger.",
)
@click.option(
    "--task",
    metavar="T",
    help="Learn from experience of this task only (babyai:GoToLocal), and play it to judge.",
)
@click.option(
    "--phase",
    type=click.Choice(["imitate", "reinforce"]),
    help="Which of the profile's trainers; by default the first that it has.",
)
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Episodes in which old and new are compared.",
)
@click.option("--fresh", is_flag=True, help="Begin anew even where a training was cut off.")
@click.option("--no-judge", is_flag=True, help="Do not compare old and new.")
def _train(profile: str | None, epochs: int | None, no_judge: bool, **options: Any) -> int:
    from aegis.cli.contesting import task_in, with_task
    from aegis.cli.training_display import display, report
    from aegis.learning.runner import Training

    call = invocation()
    if options["task"] is not None:
        with_task(call, options["task"])
    project = _project(call, profile, options["phase"], epochs)
    if options["task"] is not None:
        options["task"] = task_in(project, options["task"], "validation")
    screen = display(call)
    options |= {"judge": not no_judge, "listener": screen.listener}
    with Training(project, **options) as training, screen:
        training.start()  # there is nothing to save yet: a signal ends it at once
        with interruptible(training, "saving what was learned so far"):
            while (outcome := training.poll()) is None:
                pass
    call.answer(outcome.to_json(), lambda: click.echo(report(call, outcome)))
    return _code(outcome, stopped=training.stopping)


def _project(
    call: Invocation, profile: str | None, phase: str | None, epochs: int | None
) -> Project:
    """Return the project; the number of epochs is an override of the trainer's section."""
    from aegis.learning.preparing import trainer_of, with_epochs

    project = call.project(profile)
    trainer = trainer_of(project.composition, phase)
    if epochs is None:
        return project
    call.sets.append(with_epochs(trainer, epochs))
    return call.project(profile)


def _code(outcome: Outcome, *, stopped: bool) -> int:
    if outcome.error is not None:
        print(outcome.error, file=sys.stderr)
        log = outcome.job / "log.txt"
        if log.exists():
            print(f"  log:   {log}", file=sys.stderr)
    if outcome.resumable:
        said = "the same command, without --fresh, goes on with it"
        said += "; other settings or data begin anew"
        print(said, file=sys.stderr)
    if stopped:
        return 130
    return 0 if outcome.error is None else outcome.error.exit_code


command = shared_options(_train)
