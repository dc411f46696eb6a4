"""``aegis hrm-puzzle``: train the model on what it is known for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from aegis_hrm.model.shape import Gradient, Hierarchy

if TYPE_CHECKING:
    from aegis_hrm.puzzles.task import Recipe, Task
    from aegis_hrm.puzzles.training import Reported

_TASKS: Final = ("sudoku6", "sudoku9", "maze")
_HIERARCHIES: Final = get_args(Hierarchy)
_GRADIENTS: Final = get_args(Gradient)


@click.command("hrm-puzzle")
@click.argument("task", type=click.Choice(_TASKS))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="CSV of 9x9 sudokus (columns puzzle, solution), or folder of mazes (.npy).",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Keeps the state, to go on later.")
@click.option("--steps", type=click.IntRange(1), help="Optimiser steps, one a segment.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Stop after, and keep.")
@click.option("--puzzles", type=click.IntRange(1), default=1000, help="Training puzzles.")
@click.option("--tests", type=click.IntRange(1), default=1000, help="Test puzzles, at most.")
@click.option("--measure-every", type=click.IntRange(1), default=1000, help="Steps.")
@click.option("--hierarchy", type=click.Choice(_HIERARCHIES), help="plain: the control.")
@click.option("--gradient", type=click.Choice(_GRADIENTS), help="How far it reaches back.")
@click.option("--hidden", type=click.IntRange(2), help="Width of a state.")
@click.option("--layers", type=click.IntRange(1), help="Of each module.")
@click.option("--batch", type=click.IntRange(1), help="Puzzles of a step.")
@click.option("--segments", type=click.IntRange(1), help="In training, at most.")
@click.option("--device", default="auto", help="auto, cpu, cuda or mps.")
@click.option("--threads", type=click.IntRange(0), default=0, help="0: all.")
@click.option("--json", "as_json", is_flag=True, help="Answer with JSON on the last line.")
@click.pass_context
def puzzle(ctx: click.Context, /, *, task: str, as_json: bool, **asked: Any) -> None:
    """Train on 6x6 sudokus with 18 blanks (sudoku6), 9x9 sudokus, or mazes.

    Every step reasons for one segment on variants of the training puzzles; puzzles that were never
    trained on are solved after 1, 2, 4, 8 and 16 segments. Ctrl-C keeps the state where --folder
    is given; the same command goes on.
    """
    from aegis.neural import select_device, use_threads
    from aegis_hrm.puzzles.task import RECIPES, load_task
    from aegis_hrm.puzzles.training import PuzzleTraining

    quiet = bool(getattr(ctx.obj, "quiet", False))
    seed = getattr(ctx.obj, "seed", None) or 0
    wants_json = as_json or bool(getattr(ctx.obj, "json", False))
    recipe = _changed(RECIPES[task], asked)
    use_threads(asked["threads"])
    device = select_device(asked["device"])
    found = load_task(
        task, asked["data"], puzzles=asked["puzzles"], seed=seed, tests=asked["tests"]
    )
    _say(quiet, _header(found, recipe))
    training = PuzzleTraining(
        found,
        recipe,
        seed=seed,
        folder=asked["folder"],
        device=device,
        report=lambda reported: _say(quiet, _line(reported)),
    )
    minutes = asked["minutes"]
    try:
        last = training.go(
            seconds=float("inf") if minutes is None else 60 * minutes,
            measure_every=asked["measure_every"],
        )
    except KeyboardInterrupt:
        training.save()
        if asked["folder"] is not None:
            click.echo(f"kept in {asked['folder']}; the same command goes on", err=True)
        raise
    if wants_json:
        click.echo(json.dumps(_facts(found, recipe, training.network.shape.parameters, seed, last)))


def _changed(recipe: Recipe, asked: dict[str, Any]) -> Recipe:
    """Return a recipe with what the command line changes of it."""
    from attrs import evolve

    shape: dict[str, Any] = {k: asked[k] for k in ("hidden", "gradient") if asked[k] is not None}
    if asked["layers"] is not None:
        shape |= {"h_layers": asked["layers"], "l_layers": asked["layers"]}
    halting = recipe.halting
    if asked["segments"] is not None:
        halting = evolve(halting, segments=asked["segments"])
    if asked["hierarchy"] is not None:
        shape["hierarchy"] = asked["hierarchy"]
    if shape.get("hierarchy") == "trm":
        shape["h_layers"] = 0
    if shape.get("hierarchy") == "plain":
        halting = evolve(halting, segments=1)
    return evolve(
        recipe,
        shape=evolve(recipe.shape, **shape),
        halting=halting,
        batch=asked["batch"] or recipe.batch,
        steps=asked["steps"] or recipe.steps,
    )


def _header(task: Task, recipe: Recipe) -> str:
    from aegis_hrm.puzzles.task import fitted

    shape = fitted(recipe.shape, task)
    return (
        f"{task.name}: {len(task.train.inputs)} puzzles to train on, {len(task.test.inputs)} to "
        f"test; {shape.hierarchy}, {shape.parameters:,} weights, {recipe.steps} steps"
    )


def _line(reported: Reported) -> str:
    found = reported.exactness
    line = f"step {reported.step}, {reported.seconds:.0f} s, loss {reported.loss or 0:.3f}"
    shown = "  ".join(
        f"{n}: {share:.1%}" for n, share in zip(found.segments, found.exact, strict=True)
    )
    return f"{line}  solved after segments {shown}  halting: {found.halted:.1%} in {found.used:.1f}"


def _facts(
    task: Task, recipe: Recipe, parameters: int, seed: int, last: Reported
) -> dict[str, Any]:
    from attrs import asdict

    return {
        "task": task.name,
        "recipe": asdict(recipe),
        "parameters": parameters,
        "seed": seed,
        "train": len(task.train.inputs),
        "test": len(task.test.inputs),
        "step": last.step,
        "seconds": round(last.seconds, 1),
        "puzzles_seen": last.fresh,
        "exactness": last.exactness._asdict(),
    }


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        click.echo(line, err=True)
