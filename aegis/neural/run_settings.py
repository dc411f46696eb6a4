"""How a training goes."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class RunSettings:
    """How a training goes, whatever it trains.

    Attributes:
        epochs: Passes over the examples, at most.
        batch_size: Examples of a batch.
        tokens_at_once: Tokens that are computed together; a batch with more is split.
        learning_rate: Largest learning rate.
        warmup: Share of the batches in which the rate rises from 0.
        floor: What it falls to at the end, as a share of `learning_rate`.
        max_grad_norm: Norm that a gradient is scaled down to; None: it is left as it is.
        evaluations: Measurements of the held-out loss in an epoch.
        patience: Measurements in a row without a better held-out loss after which it stops.
    """

    epochs: int
    batch_size: int
    tokens_at_once: int
    learning_rate: float
    warmup: float = 0.0
    floor: float = 0.0
    max_grad_norm: float | None = None
    evaluations: int = 1
    patience: int = 4
