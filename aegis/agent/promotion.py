"""Letting other weights decide: what is asked, and what it comes to.

A request names the promotion that it follows. One that was applied already, or that something
else came before, changes nothing: a request may be read twice, after a crash for instance.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from aegis.checkpoints import serving
from aegis.checkpoints.manifest import is_identifier
from aegis.checkpoints.promoting import Promotions
from aegis.contracts.check import check_weights
from aegis.contracts.names import is_name
from aegis.errors import ContractError, InputError, ModelError, Problem
from aegis.store.connection import translated
from aegis.store.promotions import ROLLBACK, current, earlier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aegis.contracts.facts import Stored
    from aegis.project import Project
    from aegis.store.ledger import Ledger
    from aegis.store.promotions import Promotion

KINDS: Final = ("promote", "rollback")
"""Kinds of requests that are applied here."""
PERSON: Final = "person"
PATIENCE: Final = 600.0
"""Seconds to wait for a runner, which ends its step and builds the engine before it answers."""


@frozen
class Request:
    """What a person asks for.

    Attributes:
        profile: The profile whose weights are to change.
        after: Number of the promotion that was the last when it was asked; 0 for none.
        checkpoint: What is to decide; None to go back to what decided before.
    """

    profile: str
    after: int
    checkpoint: str | None = None

    def payload(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        asked = {"profile": self.profile, "after": self.after}
        if self.checkpoint is None:
            return {"kind": "rollback", **asked}
        return {"kind": "promote", **asked, "checkpoint": self.checkpoint}

    @classmethod
    def parsed(cls, payload: Mapping[str, Any]) -> Request:
        """Return the request that JSON values are.

        Raises:
            InputError: ``request-unusable`` if a key or value is not what `payload` makes.
        """
        profile, after, checkpoint = (payload.get(k) for k in ("profile", "after", "checkpoint"))
        named = isinstance(profile, str) and is_name(profile)
        counted = type(after) is int and after >= 0
        if named and counted and (checkpoint is None or is_identifier(checkpoint)):
            request = cls(str(profile), int(after or 0), checkpoint)
            if request.payload() == dict(payload):
                return request
        raise InputError.of("request-unusable", "this is no promotion and no rollback")


@frozen
class Target:
    """What a request comes to.

    Attributes:
        checkpoint: What is to decide; None for the weights of the configuration.
        folder: Its folder, every byte checked.
        stored: What its manifest says.
        previous: What decides now.
        why: ``person`` or ``rollback``.
        skipped: What a rollback passed over, each with what is wrong with it.
    """

    checkpoint: str | None
    folder: Path | None
    stored: Stored | None
    previous: str | None
    why: str
    skipped: tuple[str, ...] = ()


def named(checkpoint: str | None) -> str:
    """Return weights as messages call them."""
    return "the configured weights" if checkpoint is None else f"checkpoint {checkpoint}"


def _decides(checkpoint: str | None) -> str:
    return f"{named(checkpoint)} {'decide' if checkpoint is None else 'decides'}"


def decide(project: Project, checkpoint: str | None) -> dict[str, Any]:
    """Let other weights decide for the project's profile; through the runner where one is on.

    Args:
        project: The project.
        checkpoint: What is to decide; None to go back to what decided before.

    Returns:
        ``answer``, a sentence; ``checkpoint``, ``previous``, ``changed``, and the ``step`` from
        which on it decides.

    Raises:
        AegisError: If it cannot be served, or the runner does not answer; nothing changed then.
    """
    from aegis.agent.clock import SystemClock
    from aegis.agent.inbox import applied

    folder = project.run_folder
    request = Request(project.composition.profile, newest(folder), checkpoint)
    with project.checkpoints.held():  # refused here, it need not be asked for
        target(project, serving.history(folder), request)

    def directly(ledger: Ledger) -> dict[str, Any]:
        with project.checkpoints.held():
            found = target(project, serving.history(folder), request)
            if found is None:
                return answer(None, request, ledger.last_step() + 1)
            step = put_in_charge(ledger, project, found, SystemClock().now())
        project.host.events.checkpoint_promoted(
            project.composition.engine.component.name, found.checkpoint, found.previous
        )
        return answer(found, request, step)

    return applied(folder, request.payload(), directly, patience=PATIENCE)


def newest(run_folder: Path) -> int:
    """Return the number of the last promotion, 0 where there was none."""
    history = serving.history(run_folder)
    return history[-1].id if history else 0


def target(project: Project, history: list[Promotion], request: Request) -> Target | None:
    """Return what is to decide, verified; None where it decides already.

    Raises:
        InputError: ``promotion-outdated``, ``nothing-before``.
        ModelError: If the checkpoint is absent or damaged, or nothing to go back to is whole.
        ContractError: If it does not belong to the engine of the profile.
    """
    decides = current(history, request.profile)
    last = history[-1].id if history else 0
    if request.checkpoint is not None and request.checkpoint == decides:
        return None
    if last != request.after:
        raise InputError.of(
            "promotion-outdated",
            f"meanwhile other weights were put in charge: {_decides(decides)}",
            fix="aegis checkpoints list shows what decides; ask again if it is still wanted",
        )
    if request.checkpoint is None:
        return _back(project, earlier(history, request.profile), decides)
    folder, stored = _usable(project, request.checkpoint)
    return Target(request.checkpoint, folder, stored, decides, PERSON)


def _back(project: Project, before: list[str | None], decides: str | None) -> Target:
    """Return the newest of what decided before that can be served."""
    if not before:
        raise InputError.of(
            "nothing-before",
            f"there is nothing to go back to: {_decides(decides)}",
            fix="aegis checkpoints promote ID",
        )
    skipped: list[str] = []
    problems: list[Problem] = []
    for checkpoint in before:
        if checkpoint is None:
            return Target(None, None, None, decides, ROLLBACK, tuple(skipped))
        try:
            folder, stored = _usable(project, checkpoint)
        except (ModelError, ContractError) as error:
            skipped.append(error.problems[0].message)
            problems += error.problems
        else:
            return Target(checkpoint, folder, stored, decides, ROLLBACK, tuple(skipped))
    raise ModelError(problems)


def _usable(project: Project, checkpoint: str) -> tuple[Path, Stored]:
    folder = project.checkpoints.verified(checkpoint)
    stored = project.stored(checkpoint)
    check_weights(project.composition, stored).raise_problems()
    return folder, stored


def last_good(project: Project, *, but: str) -> str | None:
    """Return the newest of what decided before that is whole; None for the configured weights.

    Args:
        project: The project.
        but: The checkpoint that decides and cannot be served.
    """
    history = serving.history(project.run_folder)
    for checkpoint in earlier(history, project.composition.profile):
        if checkpoint is None:
            return None
        if checkpoint != but:
            with contextlib.suppress(ModelError, ContractError):
                _usable(project, checkpoint)
                return checkpoint
    return None


def put_in_charge(ledger: Ledger, project: Project, found: Target, now: str) -> int:
    """Record the promotion, durably, and return the first step that it decides.

    Raises:
        StoreError: ``disk-full`` and others; what decided before goes on deciding.
    """
    step = ledger.last_step()
    composition = project.composition
    try:
        with translated(ledger.path):
            Promotions(ledger.connection).promote(
                composition.profile,
                composition.engine.component.name,
                found.checkpoint,
                why=found.why,
                step=step,
                at=now,
            )
        ledger.commit()
    except BaseException:
        ledger.rollback()
        raise
    return step + 1


def answer(found: Target | None, request: Request, step: int) -> dict[str, Any]:
    """Return what is told of a request: a sentence, and the figures that are in it."""
    if found is None:
        said = f'{_decides(request.checkpoint)} for profile "{request.profile}" already'
        return {"answer": said, "checkpoint": request.checkpoint, "changed": False, "step": step}
    said = (
        f'{_decides(found.checkpoint)} for profile "{request.profile}" from step {step} on; '
        f"before: {named(found.previous)}"
    )
    passed = [f"passed over: {text}" for text in found.skipped]
    return {
        "answer": "\n".join([said, *passed]),
        "checkpoint": found.checkpoint,
        "previous": found.previous,
        "changed": True,
        "step": step,
    }
