"""``aegis checkpoints``: the weights that trainings made, and which of them decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aegis.cli.invocation import Invocation, invocation, shared_options

if TYPE_CHECKING:
    from aegis.checkpoints.folder import Checkpoints
    from aegis.checkpoints.pruning import Gone
    from aegis.store.promotions import Promotion


@click.group(help="List, show and compare trained weights; choose which of them decide.")
def _checkpoints() -> None:
    pass


@_checkpoints.command("list", help="List all checkpoints, the newest last.")
def _list() -> None:
    from aegis.cli.checkpoint_display import table

    call = invocation()
    store, history = _opened(call)
    rows = [_summary(store, history, checkpoint) for checkpoint in store.all()]
    call.answer({"checkpoints": rows}, lambda: click.echo(table(rows)))


@_checkpoints.command("show", help="Show what a checkpoint is, and what made it from what.")
@click.argument("name", metavar="ID")
def _show(name: str) -> None:
    from attrs import asdict

    from aegis.cli.checkpoint_display import page

    call = invocation()
    store, history = _opened(call)
    checkpoint = store.resolve(name)
    manifest, facts = store.manifest(checkpoint), store.facts(checkpoint)
    summary = _summary(store, history, checkpoint)
    promoted = [asdict(row) for row in history if checkpoint in (row.checkpoint, row.previous)]
    answer = {**summary, **asdict(manifest), "facts": facts, "promotions": promoted}
    answer["path"] = str(store.path / checkpoint)
    call.answer(answer, lambda: click.echo(page(answer)))


@_checkpoints.command("diff", help="Compare two checkpoints: settings, data, figures, numbers.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
def _diff(a: str, b: str) -> None:
    from aegis.checkpoints.difference import difference
    from aegis.cli.checkpoint_display import comparison

    call = invocation()
    store, _ = _opened(call)
    one, other = store.resolve(a), store.resolve(b)
    folders = store.verified(one), store.verified(other)
    found = difference(store.manifest(one), store.manifest(other), folders)
    answer = {"a": one, "b": other, **found.to_json()}
    call.answer(answer, lambda: click.echo(comparison(one, other, found)))


@_checkpoints.command("promote", help="Let a checkpoint decide, from the next step on.")
@click.argument("name", metavar="ID")
@click.option("--profile", metavar="P", help="Decide for this profile instead of the file's.")
def _promote(name: str, profile: str | None) -> None:
    from aegis.agent.promotion import decide

    call = invocation()
    project = call.project(profile, tolerant=True)
    told = decide(project, project.checkpoints.resolve(name, project.composition.profile))
    _told(call, project.composition.profile, told)


@_checkpoints.command("rollback", help="Go back to what decided before.")
@click.option("--profile", metavar="P", help="For this profile instead of the file's.")
def _rollback(profile: str | None) -> None:
    from aegis.agent.promotion import decide

    call = invocation()
    project = call.project(profile, tolerant=True)
    _told(call, project.composition.profile, decide(project, None))


@_checkpoints.command("prune", help="Remove old checkpoints; what decides always stays.")
@click.option(
    "--promotions",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Keep what decided around the last N promotions of each profile.",
)
@click.option(
    "--candidates",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="K",
    help="Keep the newest K that never decided.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def _prune(promotions: int, candidates: int, yes: bool) -> int:
    from aegis.checkpoints.pruning import going, kept
    from aegis.checkpoints.serving import history
    from aegis.project import run_folder

    call = invocation()
    store, _ = _opened(call)

    def plan() -> tuple[dict[str, str], list[Gone]]:
        rows = history(run_folder(call.file))
        stay = kept(store.all(), rows, promotions=promotions, candidates=candidates)
        return stay, going(store, stay)

    stay, gone = plan()
    removed: list[Gone] = []
    if gone and _agreed(call, stay, gone, yes=yes):
        asked = {one.checkpoint for one in gone}
        with store.held():
            store.sweep()
            # Looked at again: what was put in charge meanwhile stays.
            removed = [one for one in plan()[1] if one.checkpoint in asked]
            for one in removed:
                store.remove(one.checkpoint)
    answer = {
        "removed": [one.checkpoint for one in removed],
        "bytes": sum(one.bytes for one in removed),
        "kept": stay,
    }
    call.answer(answer, lambda: click.echo(_said(removed, nothing=not gone)))
    return 0 if removed or not gone else 1


def _agreed(call: Invocation, stay: dict[str, str], gone: list[Gone], *, yes: bool) -> bool:
    from aegis.cli.checkpoint_display import size

    if not (call.json or call.quiet):
        for checkpoint, reason in stay.items():
            click.echo(f"stays  {checkpoint}  {reason}")
        for one in gone:
            click.echo(f"goes   {one.checkpoint}  {size(one.bytes)}")
    total = size(sum(one.bytes for one in gone))
    return yes or click.confirm(f"remove {len(gone)} checkpoints, {total}?", err=call.json)


def _said(removed: list[Gone], *, nothing: bool) -> str:
    from aegis.cli.checkpoint_display import size

    if nothing:
        return "nothing is old enough to go"
    if not removed:
        return "nothing was removed"
    return f"removed {len(removed)} checkpoints, {size(sum(one.bytes for one in removed))}"


def _opened(call: Invocation) -> tuple[Checkpoints, list[Promotion]]:
    from aegis.checkpoints.folder import Checkpoints
    from aegis.checkpoints.serving import history
    from aegis.project import run_folder

    folder = run_folder(call.file)
    return Checkpoints(folder), history(folder)


def _summary(store: Checkpoints, history: list[Promotion], checkpoint: str) -> dict[str, Any]:
    """Return one checkpoint in short; one whose files cannot be read is among them too."""
    from aegis.checkpoints.folder import FOR
    from aegis.errors import ModelError
    from aegis.store.promotions import current

    profiles = dict.fromkeys(row.profile for row in history)
    decides = [profile for profile in profiles if current(history, profile) == checkpoint]
    served = any(row.checkpoint == checkpoint for row in history)
    summary: dict[str, Any] = {
        "checkpoint": checkpoint,
        "status": "serving" if decides else "served before" if served else "candidate",
        "profiles": decides,
    }
    try:
        manifest = store.manifest(checkpoint)
    except ModelError as error:
        return {**summary, "status": "damaged", "problem": error.problems[0].message}
    try:
        facts = store.facts(checkpoint)
    except ModelError as error:
        facts = {}
        summary["problem"] = error.problems[0].message
    return {
        **summary,
        "created": facts.get("created"),
        FOR: list(facts.get(FOR, ())),
        "parent": manifest.parent,
        "engine": manifest.component,
        "trainer": manifest.trainer,
        "examples": manifest.dataset.get("examples"),
        "held_out_loss": manifest.metrics.get("held_out_loss"),
        "bytes": manifest.size,
    }


def _told(call: Invocation, profile: str, told: dict[str, Any]) -> None:
    call.answer({"profile": profile, **told}, lambda: click.echo(told["answer"]))


command = shared_options(_checkpoints)
