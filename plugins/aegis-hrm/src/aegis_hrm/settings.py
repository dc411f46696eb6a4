"""The section ``[engine.hrm]`` of aegis.toml, and the presets behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import evolve, frozen

import aegis
from aegis import ConfigError
from aegis_hrm.model.shape import Gradient, Hierarchy, ModelShape, Positions

if TYPE_CHECKING:
    from collections.abc import Mapping

Preset = Literal["cpu", "official"]


@frozen(kw_only=True)
class Design:
    """What a preset decides.

    Attributes:
        shape: The architecture, but for the number of embedding rows.
        q_continue: Whether the value of thinking on is trained.
        ema: How much of the average of the weights is kept at a step; 0: no average is served.
        training_segments: Segments that are supervised, each with a step of its own.
    """

    shape: ModelShape
    q_continue: bool
    ema: float
    training_segments: int


DESIGNS: Final[Mapping[str, Design]] = {
    "official": Design(
        shape=ModelShape(
            vocabulary=1,
            outputs=1,
            hidden=512,
            heads=8,
            h_layers=4,
            l_layers=4,
            h_cycles=2,
            l_cycles=2,
            hierarchy="hrm",
            gradient="one_step",
        ),
        q_continue=True,
        ema=0.0,
        training_segments=16,
    ),
    "cpu": Design(
        shape=ModelShape(
            vocabulary=1,
            outputs=1,
            hidden=64,
            heads=4,
            h_layers=0,
            l_layers=1,
            h_cycles=1,
            l_cycles=1,
            hierarchy="trm",
            gradient="last_cycle",
        ),
        q_continue=False,
        ema=0.99,
        training_segments=2,
    ),
}
"""``official``: the published configuration (27 million weights). ``cpu``: what learned fastest on
two cores; docs/log.md has the measurements."""


@frozen
class EngineSettings:
    """Settings of the engine ``hrm``. What is left out is as the preset has it."""

    preset: Preset = aegis.setting(
        "cpu", help="What the other settings begin with: cpu (small) or official (as published)."
    )
    embedding_rows: int = aegis.setting(
        1000, ge=1, le=1 << 20, help="Rows of the token embedding; the tokenizer's ids are below."
    )
    hidden: int | None = aegis.setting(None, ge=2, le=8192, help="Width of a state.")
    heads: int | None = aegis.setting(
        None, ge=1, le=256, help="Attention heads; they divide `hidden` into even widths."
    )
    layers: int | None = aegis.setting(
        None, ge=1, le=64, help="Layers of the high-level and of the low-level module, each."
    )
    h_cycles: int | None = aegis.setting(
        None, ge=1, le=64, help="High-level cycles of one segment."
    )
    l_cycles: int | None = aegis.setting(
        None, ge=1, le=64, help="Low-level steps of one high-level cycle."
    )
    expansion: float | None = aegis.setting(
        None, gt=0, le=32, help="Width of a feed-forward layer in units of `hidden`."
    )
    hierarchy: Hierarchy | None = aegis.setting(
        None,
        help="hrm: two modules; trm: one module for both states; plain: a transformer without "
        "recursion, the control.",
    )
    gradient: Gradient | None = aegis.setting(
        None, help="How far a gradient reaches back within a segment."
    )
    positions: Positions | None = aegis.setting(
        None, help="Rotary positions (rope), learned ones, or none."
    )
    q_continue: bool | None = aegis.setting(
        None, help="Whether the value of thinking on is trained and decides when to stop."
    )
    segments: int | None = aegis.setting(
        None,
        ge=1,
        le=256,
        help="Segments of computation that a decision may take; by default as many as the preset "
        "trains, beyond which answers can become worse.",
    )
    confidence: float = aegis.setting(
        0.5,
        ge=0.01,
        le=0.99,
        help="Probability of being right from which a decision takes no further segment.",
    )
    context: int = aegis.setting(
        1024, ge=64, le=1 << 16, help="Tokens of a view together with one candidate, at most."
    )
    candidate_tokens: int = aegis.setting(
        96, ge=8, le=1024, help="Tokens of one candidate, at most."
    )


def design_of(settings: EngineSettings) -> Design:
    """Return the preset with what the settings change of it.

    Raises:
        ConfigError: ``shape-impossible`` if no such network can be built, ``context-short`` if a
            candidate may take more than half of the context.
    """
    _check_context(settings)
    preset = DESIGNS[settings.preset]
    changes = {
        "hidden": settings.hidden,
        "heads": settings.heads,
        "l_layers": settings.layers,
        "h_cycles": settings.h_cycles,
        "l_cycles": settings.l_cycles,
        "expansion": settings.expansion,
        "hierarchy": settings.hierarchy,
        "gradient": settings.gradient,
        "positions": settings.positions,
    }
    wanted: dict[str, Any] = {k: value for k, value in changes.items() if value is not None}
    layers = settings.layers or preset.shape.l_layers
    wanted["h_layers"] = 0 if wanted.get("hierarchy", preset.shape.hierarchy) == "trm" else layers
    try:
        shape = evolve(
            preset.shape,
            vocabulary=settings.embedding_rows,
            sequence=settings.context,
            **wanted,
        )
    except ValueError as error:
        raise ConfigError.of(
            "shape-impossible",
            f"no such network can be built: {error}",
            where="[engine.hrm]",
            fix="choose heads so that hidden / heads is an even number",
        ) from error
    proceed = preset.q_continue if settings.q_continue is None else settings.q_continue
    return evolve(preset, shape=shape, q_continue=proceed)


def _check_context(settings: EngineSettings) -> None:
    most = settings.context // 2
    if settings.candidate_tokens > most:
        raise ConfigError.of(
            "context-short",
            f"candidates of up to {settings.candidate_tokens} tokens leave too little of a context "
            f"of {settings.context} to the view",
            where="[engine.hrm]",
            fix=f"set candidate_tokens = {most} or less, or a longer context",
        )
