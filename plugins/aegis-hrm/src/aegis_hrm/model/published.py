"""Configurations and weights as the official implementations of HRM and TRM write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis import ModelError
from aegis_hrm.model.halting import Halting
from aegis_hrm.model.shape import ModelShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from aegis_hrm.model.network import SequenceNetwork

_WRAPPERS: Final = ("_orig_mod.", "model.", "inner.")
"""What stands before a name: torch.compile, the loss head, the halting wrapper, in that order."""


def shape_of(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape that an official configuration describes."""
    tiny = "no_ACT_continue" in config or config.get("H_layers") == 0
    return ModelShape(
        vocabulary=config["vocab_size"],
        hidden=config["hidden_size"],
        heads=config["num_heads"],
        h_layers=0 if tiny else config["H_layers"],
        l_layers=config["L_layers"],
        h_cycles=config["H_cycles"],
        l_cycles=config["L_cycles"],
        expansion=config["expansion"],
        hierarchy="trm" if tiny else "hrm",
        gradient="last_cycle" if tiny else "one_step",
        positions=config["pos_encodings"],
        mixer="mlp" if config.get("mlp_t") else "attention",
        sequence=config["seq_len"],
        norm_eps=config.get("rms_norm_eps", 1e-5),
        rope_theta=config.get("rope_theta", 10000.0),
        prefix_ids=config["num_puzzle_identifiers"] if config["puzzle_emb_ndim"] else 0,
        prefix_width=config["puzzle_emb_ndim"],
        prefix_positions=config.get("puzzle_emb_len", 0),
    )


def halting_of(config: Mapping[str, Any]) -> Halting:
    """Return when sequences halt under an official configuration."""
    return Halting(
        segments=config["halt_max_steps"],
        exploration=config["halt_exploration_prob"],
        q_continue=not config.get("no_ACT_continue", False),
    )


def load_published(network: SequenceNetwork, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put the weights of a published checkpoint in force, whatever wrapper's name they carry.

    Raises:
        ModelError: ``weights-mismatch`` with the names that are missing, unknown or of another
            shape.
    """
    named = {_bare(name): tensor for name, tensor in tensors.items()}
    named.pop("puzzle_emb.local_weights", None)  # scratch space of the official trainer
    named.pop("puzzle_emb.local_ids", None)
    own = network.state_dict()
    wrong = [f"{name} is missing" for name in own.keys() - named.keys()]
    wrong += [f"{name} is unknown" for name in named.keys() - own.keys()]
    wrong += [
        f"{name} is {tuple(named[name].shape)}, not {tuple(own[name].shape)}"
        for name in own.keys() & named.keys()
        if own[name].shape != named[name].shape
    ]
    if wrong:
        raise ModelError.of(
            "weights-mismatch",
            f"the weights are of another model: {'; '.join(sorted(wrong)[:4])}",
            fix="use the configuration that they were trained with",
        )
    network.load_state_dict(named)


def _bare(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    return name
