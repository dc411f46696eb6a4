"""Trainers of which each breaks one law; ``sound`` breaks none.

Gradient descent with momentum by hand, so that everything that a training has to keep is seen.
"""

from __future__ import annotations

import os
import time
from typing import Any

import aegis

plugin_api = 1
EPOCHS = 6
BATCH = 8


class Trainer:
    accepts = frozenset({"tiny"})

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def train(self, engine: Any, data: Any, context: Any) -> aegis.TrainingResult:  # noqa: C901 - a branch for each thing that is broken
        import torch
        from safetensors.torch import load_file

        from aegis.neural import save_tensors

        weights = dict(engine.module.named_parameters())
        moving = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        paid = [n for n, advantage in enumerate(data.advantages) if advantage > 0]
        if not paid and self.broken != "trainer-nothing":
            raise aegis.AegisError.of("no-examples", "no step paid", fix="collect more")
        step, loss, because = 0, 0.0, "finished"
        state = context.state / "state.safetensors"
        if context.resume_from is not None and state.exists():
            kept = load_file(state)
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.copy_(kept[f"weight.{name}"])
                    if self.broken != "trainer-resumes":
                        moving[name] = kept[f"moving.{name}"]
            step = int(kept["step"])
        if self.broken == "trainer-outside":
            torch.manual_seed(context.seed)
        if self.broken == "trainer-data":
            data[0].decision.candidates[0].signals["worth"] = 7
        if self.broken == "trainer-served":
            engine.save(context.directory)
        order = torch.Generator().manual_seed(context.seed)
        places = torch.cat(
            [torch.randperm(max(1, len(paid)), generator=order) for _ in range(EPOCHS)]
        )
        while step * BATCH < len(places):
            if context.should_stop() and self.broken != "trainer-stops":
                because = "interrupted"
                break
            if time.monotonic() > context.deadline and self.broken != "trainer-deadline":
                because = "deadline"
                break
            steps = [data[paid[int(n)]] for n in places[step * BATCH : (step + 1) * BATCH] if paid]
            if steps:
                items = [(one.view, one.decision.candidates) for one in steps]
                values, _ = engine.log_probabilities(items)
                chosen = torch.tensor([one.decision.chosen for one in steps])
                found = -values.gather(1, chosen[:, None]).mean()
                loss = float(found.detach())
                if loss != loss and self.broken != "trainer-nan":
                    because = "diverged"
                    break
                engine.module.zero_grad()
                (-found if self.broken == "trainer-learns" else found).backward()
                with torch.no_grad():
                    for name, weight in weights.items():
                        moving[name].mul_(0.9).add_(weight.grad)
                        weight.sub_(0.3 * moving[name])
            step += 1
            context.report({"loss": loss if loss == loss else 0.0, "examples": step * BATCH})
            tensors = {f"weight.{name}": weight for name, weight in weights.items()}
            tensors |= {f"moving.{name}": value for name, value in moving.items()}
            save_tensors(state, {**tensors, "step": torch.tensor(step)})
        if self.broken == "trainer-repeats":
            with torch.no_grad():
                noise = torch.frombuffer(bytearray(os.urandom(256)), dtype=torch.uint8)
                weights["bias"].add_((noise / 255 - 0.5) * 0.001)
        if because in ("finished", "deadline") and self.broken != "trainer-served":
            engine.save(context.directory)
        count = sum(weight.numel() for weight in weights.values())
        return aegis.TrainingResult(
            directory=context.state if self.broken == "trainer-returns" else context.directory,
            metrics={
                "loss": (float("nan") if not paid else loss) if loss == loss else 0.0,
                "trainable_parameters": 10.0 if self.broken == "trainer-frozen" else float(count),
                "total_parameters": float(count),
            },
            examples=max(1, len(paid)),
            epochs=step * BATCH / max(1, len(paid)),
            stopped_because=because,
        )


def _component(name: str) -> aegis.Component:
    accepts = {"tiny", "grand"} if name == "trainer-described" else {"tiny"}
    return aegis.Component(
        kind="trainer",
        name=name,
        summary="Gradient descent with momentum.",
        build=lambda config, parts, runtime: Trainer(name),
        describe=lambda _: aegis.TrainerCapabilities(accepts=frozenset(accepts)),
    )


@aegis.hookimpl
def aegis_engines() -> Any:
    from aegis.testing import tiny_component

    return [tiny_component()]


@aegis.hookimpl
def aegis_trainers() -> Any:
    return [_component(name) for name in os.environ["AEGIS_BROKEN"].split()]
