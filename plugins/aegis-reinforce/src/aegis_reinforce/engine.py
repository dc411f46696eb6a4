"""The engine ``action-values``: chooses by what it expects of each candidate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch
from attrs import evolve

from aegis import InputError
from aegis.neural import normalised, use_threads
from aegis_reinforce.critic_file import critic_digest, read_critic, save_critic
from aegis_reinforce.fitting import policy
from aegis_reinforce.settings import ENGINE, describe_engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import aegis
    from aegis import Action, EngineCapabilities, Scores, View
    from aegis_reinforce.critic import Critic
    from aegis_reinforce.settings import EngineSettings


class ActionValues:
    """Scores candidates by softmax(value / temperature).

    As long as nothing was learned all candidates are equally probable.

    Args:
        settings: Section ``[engine.action-values]``.
        critic: The values, or None as long as nothing was learned.
        weights: Digest of the values, or None.

    Attributes:
        settings: Section ``[engine.action-values]``.
        capabilities: What it says about itself.
    """

    def __init__(
        self, settings: EngineSettings, critic: Critic | None = None, weights: str | None = None
    ) -> None:
        self.settings = settings
        self.capabilities: EngineCapabilities = describe_engine(settings)
        self._critic: Critic | None = None
        self._remarks: dict[str, float] = {}
        if critic is not None:
            self.serve(critic, weights)

    @property
    def critic(self) -> Critic | None:
        """The values that it serves, or None as long as nothing was learned."""
        return self._critic

    @property
    def remarks(self) -> Mapping[str, float]:
        """``value``: what the last decision's best candidate was expected to bring."""
        return dict(self._remarks)

    def serve(self, critic: Critic, weights: str | None) -> None:
        """Decide by other values from now on.

        Args:
            critic: The values.
            weights: Digest of them.
        """
        self._critic = critic.eval()
        count = sum(parameter.numel() for parameter in critic.parameters())
        self.capabilities = evolve(self.capabilities, parameters=count, weights=weights)

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return one log-probability a candidate, (n,), with logsumexp 0."""
        self._remarks = {}
        count = len(candidates)
        if self._critic is None or not candidates:
            return np.full(count, -math.log(count) if count else 0.0)
        rows = torch.from_numpy(self._critic.shape.columns.rows(view, candidates))[None]
        with torch.inference_mode():
            values = self._critic(rows, torch.ones(1, count, dtype=torch.bool))[0]
            self._remarks = {"value": float(values.max())}
            return normalised(policy(values.double(), self.settings.temperature))

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def write(self, view: View, action: Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: this engine does not write."""
        raise InputError.of(
            "engine-writes-nothing",
            f'engine "{ENGINE}" cannot fill {action.tool}.{slot}',
            fix="choose a candidate without an open slot, or an engine that writes",
        )

    def save(self, directory: Path) -> None:
        """Write the values into an empty folder, or that nothing was learned."""
        save_critic(directory, self._critic)

    def close(self) -> None:
        """Give the values back."""
        self._critic = None


def build_engine(
    settings: EngineSettings, parts: Mapping[str, object], runtime: aegis.Runtime
) -> ActionValues:
    """Return the engine with the checkpoint's values, or one that has learned nothing.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    del parts
    use_threads(runtime.threads)
    if runtime.checkpoint is None:
        return ActionValues(settings)
    return ActionValues(
        settings, read_critic(runtime.checkpoint), critic_digest(runtime.checkpoint)
    )
