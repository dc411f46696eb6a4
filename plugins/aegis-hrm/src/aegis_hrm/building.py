"""Building the engine: where torch and the weights are loaded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch
from attrs import evolve

from aegis import ContractError
from aegis.neural import derived_seed, select_device, use_threads
from aegis_hrm.decision.layout import Layout
from aegis_hrm.decision.network import DecisionNetwork
from aegis_hrm.decision.thinking import Budget
from aegis_hrm.engine import HrmEngine
from aegis_hrm.facts import describe_engine
from aegis_hrm.settings import design_of
from aegis_hrm.weights_file import damaged, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aegis
    from aegis_hrm.model.shape import ModelShape
    from aegis_hrm.settings import Design, EngineSettings


def build_engine(
    settings: EngineSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> HrmEngine:
    """Return the engine with the checkpoint's weights, or with fresh ones that the seed decides.

    Raises:
        ConfigError: If no such network can be built.
        ModelError: If the checkpoint's weights are damaged or of another architecture.
        ContractError: ``tokenizer-mismatch`` if they are another tokenizer's.
    """
    design, tokenizer = design_of(settings), parts["tokenizer"]
    rows = settings.embedding_rows
    layout = Layout(tokenizer, settings.context, settings.candidate_tokens, rows)
    use_threads(runtime.threads)
    shape = evolve(design.shape, vocabulary=layout.rows)
    network, digest = _network(shape, layout.fingerprint, runtime)
    return HrmEngine(
        network=network.to(select_device(runtime.device)),
        tokenizer=tokenizer,
        layout=layout,
        budget=Budget(
            segments=_segments(settings, design),
            confidence=settings.confidence,
            q_continue=design.q_continue,
        ),
        capabilities=evolve(
            describe_engine(settings),
            parameters=shape.parameters,
            tokenizer_fingerprint=layout.fingerprint,
            weights=digest,
        ),
        preset=settings.preset,
    )


def _network(
    shape: ModelShape, fingerprint: str, runtime: aegis.Runtime
) -> tuple[DecisionNetwork, str]:
    """Return the network and what identifies its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(runtime.seed, "hrm weights"))
        network = DecisionNetwork(shape, fingerprint)
    if runtime.checkpoint is None:
        fresh = f"{runtime.seed} {fingerprint} {shape}"
        return network, f"fresh-{hashlib.sha256(fresh.encode()).hexdigest()[:10]}"
    stored = read_weights(runtime.checkpoint, shape)
    if stored.fingerprint != fingerprint:
        raise ContractError.of(
            "tokenizer-mismatch",
            f"the checkpoint's weights take ids of a tokenizer of fingerprint "
            f"{stored.fingerprint[:12]}; the configured one has {fingerprint[:12]}",
            where=f"[engine.hrm].tokenizer; {runtime.checkpoint}",
            fix="configure the tokenizer that they were trained with, or go back: "
            "aegis checkpoints rollback",
        )
    try:
        network.load_state_dict(stored.tensors)
    except RuntimeError as error:  # a tensor is missing, unknown or of another shape
        raise damaged(runtime.checkpoint, str(error)) from error
    return network, stored.digest


def _segments(settings: EngineSettings, design: Design) -> int:
    """Return how many segments a decision may take."""
    if design.shape.hierarchy == "plain":
        return 1
    return settings.segments or design.training_segments
