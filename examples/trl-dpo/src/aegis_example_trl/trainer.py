"""The trainer ``trl-dpo``: direct preference optimisation of recorded decisions with TRL."""

from __future__ import annotations

import math
import os
import random
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from attrs import define
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer

import aegis


def preferences(engine: Any, data: Any, seed: int) -> list[dict[str, str]]:
    """Return what paid beside what paid less in the same view, or else beside what was not done."""
    draw, same, pairs = random.Random(seed), defaultdict(list), []  # noqa: S311 - not for secrets
    for step, paid in zip(data, data.advantages, strict=True):
        if step.decision.chosen is not None:
            lines = tuple(f" {action.render()}\n" for action in step.decision.candidates)
            same[f"{step.view.render()}\nnext:", lines].append((paid, lines[step.decision.chosen]))
    for (prompt, lines), taken in same.items():
        length = len(engine.tokenizer.encode(prompt + max(lines, key=len)))
        for paid, chosen in taken:
            worse = {line for less, line in taken if less < paid} - {chosen}
            rest = sorted(worse or set(lines) - {line for _, line in taken})
            if paid > 0 and rest and length < engine.capabilities.context_length:
                pairs.append({"prompt": prompt, "chosen": chosen, "rejected": draw.choice(rest)})
    return pairs


@define
class Watch(TrainerCallback):
    """Reports every step of a training, and stops it in time."""

    context: aegis.TrainingContext
    why: str = "finished"

    def on_log(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        """Report a loss; stop if asked to, if it is none, or if time runs out."""
        stop, late = self.context.should_stop(), time.monotonic() + 15 > self.context.deadline
        if state.global_step < state.max_steps and (stop or late):
            self.why = "interrupted" if stop else "deadline"
        if (loss := told["logs"].get("loss")) is not None:
            self.why = self.why if math.isfinite(loss) else "diverged"
            done = float(state.global_step * args.train_batch_size)
            self.context.report({"loss": loss, "examples": done})
        control.should_training_stop |= self.why != "finished"


class DpoTrainer:
    """Trains a copy of an engine; what is interrupted begins anew, since TRL's state is pickled."""

    accepts = frozenset({"causal-lm"})

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def train(self, engine: Any, data: Any, context: aegis.TrainingContext) -> Any:
        """Train on pairs and write the whole model; `AegisError` ``no-examples`` without any."""
        state, numbers, variables = random.getstate(), np.random.get_state(), patch.dict(os.environ)
        try:
            with TemporaryDirectory() as folder, torch.random.fork_rng(), variables:
                return self._train(engine, data, context, Path(folder))
        finally:
            random.setstate(state)
            np.random.set_state(numbers)

    def _train(self, engine: Any, data: Any, context: aegis.TrainingContext, folder: Path) -> Any:
        own, seed = self._settings, context.seed % 2**32
        parts = [preferences(engine, part, seed) for part in (data, context.validation)]
        if not parts[0]:
            raise aegis.AegisError.of("no-examples", f"no pair: {len(data)} steps", fix="aegis run")
        train, held_out = (Dataset.from_list(part) if part else None for part in parts)
        engine.save(folder)
        load, cpu = AutoModelForCausalLM, next(engine.module.parameters()).device.type == "cpu"
        model, old = (load.from_pretrained(folder, dtype=torch.float32) for _ in range(2))
        end, *_ = engine.tokenizer.capabilities.special_tokens
        words = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", eos_token=end)  # type: ignore[no-untyped-call]  # transformers does not annotate it
        told: Any = {"seed": seed, "beta": own.beta, "num_train_epochs": own.epochs, "use_cpu": cpu}
        told |= {"per_device_train_batch_size": own.batch_size, "learning_rate": own.learning_rate}
        told |= {"loss_type": ["sigmoid_norm"], "lr_scheduler_type": "constant", "bf16": False}
        told |= {"gradient_checkpointing": False, "save_strategy": "no", "report_to": "none"}
        told |= {"max_length": None, "logging_steps": 1, "logging_nan_inf_filter": False}
        watch, args = Watch(context), DPOConfig(str(folder), disable_tqdm=True, **told)
        trainer: Any = DPOTrainer(model, old, args, None, train, held_out, words, None, [watch])

        def cut(row: Any) -> Any:  # the end of text that TRL adds: a decision ends with its line
            return {name: row[name][:-1] for name in ("chosen_ids", "rejected_ids")}

        trainer.train_dataset = trainer.train_dataset.map(cut)
        done = trainer.train()
        if watch.why in ("interrupted", "diverged"):
            return aegis.TrainingResult(context.directory, {}, 0, 0.0, watch.why)
        size, pairs, epochs = model.num_parameters(), len(parts[0]), done.metrics["epoch"]
        counts = dict.fromkeys(("trainable_parameters", "total_parameters"), size)
        figures = {"loss": done.training_loss, **counts}
        if held_out and watch.why == "finished":
            trainer.eval_dataset = trainer.eval_dataset.map(cut)
            figures["held_out_loss"] = trainer.evaluate()["eval_loss"]
        model.save_pretrained(context.directory)
        engine.tokenizer.save(context.directory)
        return aegis.TrainingResult(context.directory, figures, pairs, epochs, watch.why)
