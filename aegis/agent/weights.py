"""The engine that decides: built from what was promoted, and exchanged between two steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from aegis.agent import promotion
from aegis.checkpoints import serving
from aegis.errors import AegisError, InputError, ModelError, Problem
from aegis.exploration import Exploration
from aegis.host.attribution import attributed
from aegis.host.building import build_engine
from aegis.project import way_back
from aegis.store.promotions import ROLLBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aegis.agent.loop import Loop
    from aegis.agent.promotion import Target
    from aegis.contracts.component import Runtime
    from aegis.contracts.facts import Stored
    from aegis.contracts.roles import Engine
    from aegis.project import Project
    from aegis.store.ledger import Ledger


class Weights:
    """The engine of a running agent, from the checkpoint that decides for its profile.

    Args:
        project: The project.
        runtime: What the engine is built for, without a checkpoint.
        ledger: Where promotions are recorded.
        notice: Takes one line for a person.

    Attributes:
        engine: What decides.
        checkpoint: What it was built from; None for the weights of the configuration.
        promoted: Promotions since it was made, rollbacks left out.

    Raises:
        ModelError: ``checkpoint-damaged``, ``checkpoint-absent``, ``checkpoint-foreign-file`` or
            ``checkpoint-unusable``, with the last good one.
    """

    def __init__(
        self, project: Project, runtime: Runtime, ledger: Ledger, notice: Callable[[str], None]
    ) -> None:
        self._project, self._runtime = project, runtime
        self._ledger, self._notice = ledger, notice
        self._loop: Loop | None = None
        self.promoted = 0
        stored = project.serving()
        self.checkpoint = None if stored is None else stored.checkpoint
        if stored is None:
            self.engine = self._built(None, None)
        else:
            self.engine = self._built_from(stored)

    @property
    def name(self) -> str | None:
        """The checkpoint that decides, or the digest of the configured weights."""
        return self.checkpoint or self.engine.capabilities.weights

    @property
    def exploration(self) -> Exploration:
        """How far behaviour departs from the engine as it is."""
        told = self._project.config.settings.agent.exploration
        return Exploration(told.share(self.checkpoint), told.temperature)

    def serve_in(self, loop: Loop) -> None:
        """Name the loop that an exchanged engine decides in."""
        self._loop = loop

    def close(self) -> None:
        """Give back the engine."""
        self.engine.close()

    def apply(self, payload: Mapping[str, Any], now: str) -> dict[str, Any]:
        """Apply a request between two steps; what decided before goes on if anything fails.

        Two engines are in memory while the new one is built.

        Args:
            payload: The request, as `aegis.agent.promotion.Request` reads it.
            now: UTC, ISO 8601.

        Raises:
            AegisError: Why nothing changed.
        """
        request = promotion.Request.parsed(payload)
        profile = self._project.composition.profile
        if request.profile != profile:
            raise InputError.of(
                "other-profile",
                f'the running agent decides with profile "{profile}", not "{request.profile}"',
                fix="end it first, or promote for its profile",
            )
        self._ledger.commit()  # the step before is done, whatever comes of the request
        with self._project.checkpoints.held():
            history = serving.history(self._project.run_folder)
            found = promotion.target(self._project, history, request)
            if found is None:
                return promotion.answer(None, request, self._ledger.last_step() + 1)
            engine = self._built(found.folder, found.stored)
            try:
                step = promotion.put_in_charge(self._ledger, self._project, found, now)
            except BaseException:
                engine.close()
                raise
        told = promotion.answer(found, request, step)
        self._exchange(engine, found)
        self._notice(told["answer"])
        return told

    def _exchange(self, engine: Engine, found: Target) -> None:
        old, self.engine, self.checkpoint = self.engine, engine, found.checkpoint
        self.promoted += found.why != ROLLBACK
        if self._loop is not None:
            self._loop.serve(engine, self.exploration)
        chosen = self._project.composition.engine
        try:
            with attributed(chosen.plugin, f"close of {chosen.label}"):
                old.close()
        except AegisError as error:  # the new one decides all the same
            self._notice(str(error))
        self._project.host.events.checkpoint_promoted(
            engine=chosen.component.name, checkpoint=found.checkpoint, previous=found.previous
        )

    def _built(self, folder: Path | None, stored: Stored | None) -> Engine:
        runtime = evolve(self._runtime, checkpoint=folder)
        return build_engine(self._project.composition, runtime, stored)

    def _built_from(self, stored: Stored) -> Engine:
        """Build the engine from the checkpoint that decides, or say what can be gone back to."""
        checkpoint, label = stored.checkpoint, self._project.composition.engine.label
        try:
            folder = self._project.checkpoints.verified(checkpoint)
        except ModelError as error:
            fix = self._way_back(checkpoint)
            raise ModelError(p._replace(fix=fix) for p in error.problems) from error
        try:
            return self._built(folder, stored)
        except AegisError as error:
            said = f"{label} cannot be built from checkpoint {checkpoint}"
            fix = self._way_back(checkpoint)
            unusable = Problem("checkpoint-unusable", said, str(folder), fix)
            raise ModelError((unusable, *error.problems)) from error

    def _way_back(self, checkpoint: str) -> str:
        return way_back(promotion.last_good(self._project, but=checkpoint))
