"""``aegis doctor``: the machine, the versions, the ledger, the checkpoints."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sqlite3
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from aegis.cli.invocation import Invocation, invocation, shared_options
from aegis.errors import AegisError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Literal["ok", "warning", "error"]
    subject: str
    message: str


@click.command(help="Examine machine, versions, configuration, ledger and checkpoints.")
def _doctor() -> int:
    call = invocation()
    findings = [*_machine(), *_versions(), *_project(call), *_ledger(call)]
    findings += _checkpoints(call)
    ok = not any(finding.level == "error" for finding in findings)

    def say() -> None:
        for level, subject, message in findings:
            click.echo(f"{level:8} {subject:14} {message}")

    answer = {"ok": ok, "findings": [finding._asdict() for finding in findings]}
    call.answer(answer, say)
    return 0 if ok else 1


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("ok", "machine", f"{platform.machine()}, {cores} cores, {platform.platform()}")
    yield Finding("ok", "python", platform.python_version())
    yield Finding("ok", "sqlite", sqlite3.sqlite_version)


def _versions() -> Iterator[Finding]:
    for name in ("aegis-agents", "torch", "transformers", "peft", "arxiv"):
        try:
            yield Finding("ok", name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            level: Literal["error", "ok"] = "error" if name == "aegis-agents" else "ok"
            yield Finding(level, name, "not installed")


def _project(call: Invocation) -> Iterator[Finding]:
    try:
        project = call.project(tolerant=True)
        problems = [*project.plugin_problems(), *project.check().problems]
    except AegisError as error:
        problems = list(error.problems)
    for problem in problems:
        yield Finding("error", "configuration", problem.render())
    if not problems:
        yield Finding("ok", "configuration", str(call.file))


def _ledger(call: Invocation) -> Iterator[Finding]:
    from aegis.project import run_folder

    folder = run_folder(call.file)
    if not (folder / "ledger.sqlite").exists():
        yield Finding("ok", "ledger", "none yet")
        return
    yield from _disk(folder)
    from aegis.store.ledger import Ledger

    try:
        with Ledger.open(folder, write=False) as ledger:
            broken = ledger.verify()
            pending = ledger.pending()
            count = ledger.counts().experiences
            size = ledger.bytes_per_step().content
    except AegisError as error:
        yield Finding("error", "ledger", str(error))
        return
    for message in broken:
        yield Finding("error", "ledger", message)
    if not broken:
        yield Finding("ok", "ledger", f"{count} steps, every digest right, {size:.0f} bytes a step")
    if pending is not None:
        message = f"step {pending.step} was decided and not finished; aegis run does it first"
        yield Finding("ok", "ledger", message)


def _checkpoints(call: Invocation) -> Iterator[Finding]:
    from aegis.checkpoints.folder import Checkpoints
    from aegis.project import run_folder

    folder = run_folder(call.file)
    store = Checkpoints(folder)
    whole: set[str] = set()
    for checkpoint in store.all():
        try:
            store.verified(checkpoint)
            whole.add(checkpoint)
        except AegisError as error:
            for problem in error.problems:
                yield Finding("error", "checkpoints", f"{problem.message} ({problem.where})")
        try:
            store.facts(checkpoint)
        except AegisError as error:
            yield Finding("warning", "checkpoints", error.problems[0].message)
    if store.all() and len(whole) == len(store.all()):
        yield Finding("ok", "checkpoints", f"{len(whole)} checkpoints, every byte right")
    yield from _served(folder, whole)


def _served(folder: Path, whole: set[str]) -> Iterator[Finding]:
    """Say which checkpoint decides for each profile, and where to go back to from a bad one."""
    from aegis.checkpoints.serving import history
    from aegis.store.promotions import current, earlier

    try:
        rows = history(folder)
    except AegisError as error:
        yield Finding("error", "promotions", error.problems[0].message)
        return
    for profile in dict.fromkeys(row.profile for row in rows):
        decides = current(rows, profile)
        if decides is None or decides in whole:
            named = "the configured weights" if decides is None else f"checkpoint {decides}"
            yield Finding("ok", "promotions", f'profile "{profile}": {named}')
            continue
        good = next(one for one in earlier(rows, profile) if one is None or one in whole)
        named = "the configured weights" if good is None else f"checkpoint {good}"
        message = (
            f'profile "{profile}" decides with checkpoint {decides}, which cannot be served; the '
            f"last good one: {named} (aegis checkpoints rollback --profile {profile})"
        )
        yield Finding("error", "promotions", message)


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    level: Literal["warning", "ok"] = "warning" if free < 500_000_000 else "ok"
    yield Finding(level, "disk", f"{free / 1e9:.1f} GB free at {folder}")


command = shared_options(_doctor)
