"""Training with transformers, PEFT and TRL as their documentation has it."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F  # noqa: N812 - the usual name

from aegis_gpt2_lora.gpt2 import Gpt2
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.packed_model import PackedModel
from measuring.lora_examples import RANK
from measuring.stopwatch import Sample, timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.packing import Tree

RATE = 2e-4  # of AdamW, in every row


def rival(module: Gpt2, dropout: float, *, own_dropout: bool) -> Any:
    """Return transformers' GPT-2 with the weights of `module`, under PEFT's LoRA.

    Args:
        module: The weights.
        dropout: Of the adapters.
        own_dropout: Leave on the model's own dropout (0.1), as `train` does.
    """
    from peft import LoraConfig, get_peft_model

    model = transformers_model(module, 0.1 if own_dropout else 0.0)
    config = LoraConfig(
        r=RANK,
        lora_alpha=2 * RANK,
        lora_dropout=dropout,
        target_modules=["c_attn", "c_proj"],
        fan_in_fan_out=True,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT asks transformers by a deprecated name
        wrapped = get_peft_model(model, config)
    return wrapped.train(own_dropout or dropout > 0)


def transformers_model(module: Gpt2, dropout: float) -> Any:
    """Return transformers' own GPT-2 with the weights of `module`, all its dropouts the same."""
    from attrs import asdict
    from transformers import GPT2Config, GPT2LMHeadModel

    kinds: dict[str, Any] = {"resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": dropout}
    config = GPT2Config(**asdict(module.shape), **kinds)
    tensors = Gpt2Model(module).tensors()
    model = GPT2LMHeadModel(config)
    model.load_state_dict({**tensors, "lm_head.weight": tensors["transformer.wte.weight"]})
    return model


def adapted(module: Gpt2, dropout: float) -> PackedModel:
    """Return our model with new adapters on the weights of `module`, which it shares."""
    from peft import LoraConfig, inject_adapter_in_model

    with torch.device("meta"):
        own = Gpt2(module.shape)
    own.load_state_dict(module.state_dict(), assign=True)
    own.requires_grad_(requires_grad=False)
    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=dropout, target_modules=["c_attn", "c_proj"]
    )
    inject_adapter_in_model(config, own)
    return PackedModel(own)


def optimizer(model: torch.nn.Module, rate: float = RATE) -> torch.optim.Optimizer:
    """Return AdamW over what trains."""
    return torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=rate)


def step(model: torch.nn.Module, adam: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """Take the rest of a training step, after the loss."""
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    torch.nn.utils.clip_grad_norm_([w for w in model.parameters() if w.requires_grad], 1.0)
    adam.step()
    adam.zero_grad(set_to_none=True)


def padded(
    trees: Sequence[Tree], longest: int | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, the attention mask and labels of completions, each (B, L)."""
    rows = [(tree.prompt, tree.branches[0]) for tree in trees]
    length = longest or max(len(prompt) + len(end) for prompt, end in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, (prompt, end) in enumerate(rows):
        stop = len(prompt) + len(end)
        ids[row, :stop] = torch.tensor(prompt + end)
        mask[row, :stop] = 1
        labels[row, len(prompt) : stop] = torch.tensor(end)
    return ids, mask, labels


def padded_loss(model: Any, trees: Sequence[Tree], longest: int | None = None) -> torch.Tensor:
    """Return the loss as transformers computes it, with logits of every position."""
    ids, mask, labels = padded(trees, longest)
    loss: torch.Tensor = model(
        input_ids=ids, attention_mask=mask, labels=labels, use_cache=False
    ).loss
    return loss


def label_loss(model: Any, trees: Sequence[Tree]) -> torch.Tensor:
    """Return the same loss, with logits of labelled positions alone."""
    ids, mask, labels = padded(trees)
    base = model.get_base_model()
    hidden = base.transformer(input_ids=ids, attention_mask=mask, use_cache=False)
    wanted = labels[:, 1:] != -100
    logits = F.linear(hidden.last_hidden_state[:, :-1][wanted], base.lm_head.weight)
    return F.cross_entropy(logits, labels[:, 1:][wanted])


def packed_loss(model: PackedModel, trees: Sequence[Tree]) -> torch.Tensor:
    """Return the same loss as we compute it."""
    return -model.log_probabilities(trees, training=True).mean()


def trl_version() -> str | None:
    """Return TRL's version, or None where it is not installed."""
    if importlib.util.find_spec("trl") is None:
        return None
    return str(importlib.import_module("trl").__version__)


def trl_samples(
    module: Gpt2, trees: Sequence[Tree], size: int, dropout: float, *, checkpointing: bool
) -> list[tuple[Sample, int]]:
    """Return a timing and the padded tokens of each step that TRL takes over `trees`."""
    trl = importlib.import_module("trl")
    datasets = importlib.import_module("datasets")
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    samples: list[tuple[Sample, int]] = []

    class Trainer(trl.SFTTrainer):  # type: ignore[misc, name-defined]  # no types, perhaps absent
        """Times its steps: forward and backward, the optimizer's short work left out."""

        def training_step(self, model: Any, inputs: Any, *more: Any) -> Any:
            results: list[Any] = []
            work = super().training_step
            taken = timed(lambda: results.append(work(model, inputs, *more)))
            samples.append((taken, inputs["input_ids"].numel()))
            return results[0]

    columns = {
        "input_ids": [tree.prompt + tree.branches[0] for tree in trees],
        "labels": [(-100,) * len(tree.prompt) + tree.branches[0] for tree in trees],
    }
    # With a fingerprint of its own: making one pickles classes that some versions cannot.
    table = datasets.table.InMemoryTable.from_pydict(columns)
    dataset = datasets.Dataset(table, fingerprint="examples")
    vocabulary = {"<end>": 0, **{str(number): number for number in range(1, 50)}}
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # no annotations
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="<end>")),  # noqa: S106 - no password
        eos_token="<end>",  # noqa: S106 - no password
        pad_token="<end>",  # noqa: S106 - no password
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = trl.SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=size,
            max_steps=len(trees) // size,
            learning_rate=RATE,
            gradient_checkpointing=checkpointing,
            bf16=False,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
            completion_only_loss=True,
            dataset_kwargs={"skip_prepare_dataset": True},  # these are ids already
        )
        trainer = Trainer(
            model=rival(module, dropout, own_dropout=True),
            args=settings,
            train_dataset=dataset,
            processing_class=tokenizer,
        )
        trainer.train()
    return samples
