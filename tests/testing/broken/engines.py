"""Engines of which each breaks one law; ``sound`` breaks none and claims everything."""

from __future__ import annotations

import os
from typing import Any

from attrs import evolve

import aegis

plugin_api = 1
_KEPT: list[Any] = []


def _made(name: str, runtime: aegis.Runtime) -> Any:  # noqa: C901 - it goes wrong in many ways
    import numpy as np
    import torch

    from aegis.testing import tiny_component

    engine = tiny_component("sound").build(None, {}, runtime)
    kind = type(engine)

    class Engine(kind):
        calls = 0

        def score(self, view: Any, candidates: Any) -> Any:
            Engine.calls += 1
            scores = super().score(view, candidates)
            if name == "engine-normalised":
                return scores + 1.0
            if name == "engine-repeats":
                scores = scores + np.linspace(0, Engine.calls % 7, len(scores))
                return scores - np.logaddexp.reduce(scores)
            if name == "engine-hands-off" and isinstance(candidates, list):
                candidates.sort(key=lambda action: action.key)
            return scores

        def score_batch(self, items: Any) -> Any:
            found = super().score_batch(items)
            return found[::-1] if name == "engine-batch" else found

        def _scores(self, view: Any, candidates: Any) -> Any:
            scores = super()._scores(view, candidates)
            if name == "engine-order":
                return scores + torch.arange(len(scores))
            return scores

        def log_probabilities(self, items: Any) -> Any:
            values, mask = super().log_probabilities(items)
            return (values.detach(), mask) if name == "engine-gradient" else (values, mask)

        @property
        def remarks(self) -> Any:
            return {"doubt": float("nan") if name == "engine-remarks" else 0.5}

        def write(self, view: Any, action: Any, slot: str) -> aegis.Written:
            text = "two\nlines" if name == "engine-writes" else "low-rank adaptation"
            return aegis.Written(text, -3.0, 3)

        def save(self, directory: Any) -> None:
            if name == "engine-saved":
                with torch.no_grad():
                    own = self.module.views.clone()
                    self.module.views.mul_(0.5)
                    super().save(directory)
                    self.module.views.copy_(own)
                return
            super().save(directory)

        def close(self) -> None:
            if name == "engine-closed":
                _KEPT.append(self)
            super().close()

    engine.__class__ = Engine
    engine.capabilities = evolve(engine.capabilities, writes_text=True)
    if name == "engine-seeds":
        with torch.no_grad():
            engine.module.views.normal_()
    return engine


def _component(name: str) -> aegis.Component:
    return aegis.Component(
        kind="engine",
        name=name,
        summary="Tiny.",
        build=lambda config, parts, runtime: _made(name, runtime),
        describe=lambda _: aegis.EngineCapabilities(
            kind="sound",
            embedding_rows=256,
            trainable=True,
            tokenizer_max_id=255,
            writes_text=True,
            order_independent=True,
            parameters=9 if name == "engine-described" else None,
        ),
    )


@aegis.hookimpl
def aegis_engines() -> Any:
    return [_component(name) for name in os.environ["AEGIS_BROKEN"].split()]
