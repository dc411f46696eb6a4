"""Adapters on disk: PEFT reads them, and nothing that is not one gets in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from aegis.errors import ModelError
from aegis_gpt2_lora.adapter_file import read_adapter


@pytest.fixture(scope="module")
def learned(tmp_path_factory, engine_of, tiny_folder, ten, rows):
    """A folder with an adapter that was trained on the tiny GPT-2 for a few steps."""
    import time

    from aegis.contracts.roles import TrainingContext
    from aegis_gpt2_lora.trainer import LoraTrainer
    from aegis_gpt2_lora.trainer_settings import TrainerSettings

    result, state = tmp_path_factory.mktemp("result"), tmp_path_factory.mktemp("state")
    context = TrainingContext(
        0, result, state, None, time.monotonic() + 600, lambda: False, lambda _: None, rows()
    )
    settings = TrainerSettings(rank=4, alpha=8, learning_rate=0.05, batch_size=5, epochs=5)
    LoraTrainer(settings).train(engine_of(tiny_folder), ten, context)
    return result


@pytest.fixture
def copied(learned, tmp_path):
    return shutil.copytree(learned, tmp_path / "copied")


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder):
    with pytest.raises(ModelError) as caught:
        read_adapter(folder)
    (problem,) = caught.value.problems
    return problem.code, problem.message


def test_the_result_has_exactly_these_files(learned):
    assert sorted(path.name for path in learned.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "aegis.json", "tokenizer.json",
    ]  # fmt: skip


def test_its_facts_name_the_base_model(learned, engine_of, tiny_folder):
    facts = json.loads((learned / "aegis.json").read_text())
    base = engine_of(tiny_folder)

    assert facts["format"] == "lora-adapter"
    assert facts["base_model"] == str(tiny_folder)
    assert facts["base_weights"] == base.base.weights
    assert facts["tokenizer"] == base.capabilities.tokenizer_fingerprint
    assert facts["parameters"] == 2 * 4 * ((12 + 36) + (12 + 12) + (48 + 12))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # PEFT's own use
def test_peft_and_transformers_compute_the_same_from_it(
    learned, engine_of, tiny_folder, view, candidates
):
    from peft import PeftModel
    from transformers import GPT2LMHeadModel

    engine = engine_of(tiny_folder, checkpoint=learned)
    base = GPT2LMHeadModel.from_pretrained(tiny_folder).eval()
    ids = torch.tensor([list(engine.encoding.prompt(view).ids)])
    with torch.inference_mode():
        plain = base(ids).logits
        theirs = PeftModel.from_pretrained(base, learned).eval()(ids).logits
        hidden, _ = engine.module(ids)
        ours = engine.module.head(hidden)

    assert float((theirs - plain).abs().max()) > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)


def test_serving_it_imports_neither_peft_nor_transformers(learned, tiny_folder):
    code = f"""
import sys
from pathlib import Path
import aegis
from aegis_gpt2_lora.building import build_engine
from aegis_gpt2_lora.settings import EngineSettings
runtime = aegis.Runtime(Path(), Path(), device="cpu", checkpoint=Path({str(learned)!r}))
build_engine(EngineSettings(model={str(tiny_folder)!r}), {{}}, runtime)
print([name for name in ("peft", "transformers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_its_digest_tells_it_from_the_base_and_from_other_adapters(
    learned, copied, engine_of, tiny_folder
):
    base = engine_of(tiny_folder).capabilities.weights
    first = engine_of(tiny_folder, checkpoint=learned).capabilities.weights
    again = engine_of(tiny_folder, checkpoint=copied).capabilities.weights
    tensors = load_file(copied / "adapter_model.safetensors")
    next(iter(tensors.values()))[0, 0] += 1e-6
    save_file(tensors, copied / "adapter_model.safetensors")

    assert base != first == again
    assert engine_of(tiny_folder, checkpoint=copied).capabilities.weights not in (base, first)


def test_another_base_model_is_refused_with_both_named(learned, engine_of, tiny_folder, mini):
    with pytest.raises(ModelError) as caught:
        engine_of("builtin:mini", checkpoint=learned)
    (problem,) = caught.value.problems

    assert problem.code == "checkpoint-base-mismatch"
    assert str(tiny_folder) in problem.message
    assert mini.base.weights[:12] in problem.message
    assert f'model = "{tiny_folder}"' in problem.fix


def test_the_same_base_with_other_weights_is_refused(learned, engine_of, tiny_folder, tmp_path):
    other = shutil.copytree(tiny_folder, tmp_path / "other")
    tensors = load_file(other / "model.safetensors")
    tensors["transformer.ln_f.bias"][0] += 1
    save_file(tensors, other / "model.safetensors")

    with pytest.raises(ModelError, match="checkpoint-base-mismatch"):
        engine_of(other, checkpoint=learned)


def test_another_tokenizer_is_refused(learned, copied, engine_of, tiny_folder, tmp_path, shared):
    change(copied / "aegis.json", tokenizer="0" * 64)
    assert refusal(copied)[0] == "tokenizer-mismatch"

    other = shutil.copytree(tiny_folder, tmp_path / "other")
    shutil.copy(shared / "stories260k" / "tokenizer.json", other)
    with pytest.raises(ModelError, match="tokenizer-mismatch"):
        engine_of(other, checkpoint=learned)


def test_a_checkpoint_of_a_whole_model_still_is_one(
    engine_of, tiny_folder, tmp_path, view, candidates
):
    engine_of(tiny_folder).save(tmp_path)
    engine = engine_of("builtin:mini", checkpoint=tmp_path)

    expected = engine_of(tiny_folder).score(view, candidates)
    np.testing.assert_array_equal(engine.score(view, candidates), expected)
    assert engine.base.model == ""


def test_pickled_weights_are_refused_and_never_opened(copied):
    (copied / "adapter_model.safetensors").unlink()
    assert refusal(copied) == (
        "adapter-damaged",
        "the adapter cannot be read: adapter_model.safetensors is missing",
    )
    (copied / "adapter_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")

    code, message = refusal(copied)
    assert code == "adapter-not-safetensors"
    assert "adapter_model.bin" in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auto_mapping": {"parent_library": "os"}}, "auto_mapping"),
        ({"peft_type": "IA3"}, "peft_type"),
        ({"use_dora": True}, "use_dora"),
        ({"use_rslora": True}, "use_rslora"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"c_attn": 3}}, "unknown keys 'rank_pattern'"),
        ({"r": 5}, "the rank is 5"),
        ({"r": 10**9}, "r = 1000000000"),
        ({"r": True}, "r = True"),
        ({"lora_alpha": 1e300}, "lora_alpha"),
        ({"target_modules": "all-linear"}, "target_modules"),
        ({"base_model_name_or_path": "x" * 300_000}, "larger than"),
    ],
)
def test_a_configuration_that_means_anything_else_is_refused(copied, changes, said):
    change(copied / "adapter_config.json", **changes)

    code, message = refusal(copied)
    assert code == "adapter-damaged"
    assert said in message


@pytest.mark.parametrize(
    "changes",
    [{"format": "x"}, {"more": 1}, {"base_weights": "../x"}, {"base_model": 3}, {"parameters": 1}],
)
def test_facts_that_are_not_an_adapter_s_are_refused(copied, changes):
    change(copied / "aegis.json", **changes)

    assert refusal(copied)[0] == "adapter-damaged"


@pytest.mark.parametrize("name", ["adapter_config.json", "aegis.json"])
@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, "null"])
def test_json_that_is_none_is_refused(copied, name, content):
    (copied / name).write_text(content)

    assert refusal(copied)[0] == "adapter-damaged"


def test_weights_that_were_cut_anywhere_are_refused(copied):
    path = copied / "adapter_model.safetensors"
    whole = path.read_bytes()
    for size in range(0, len(whole), 256):
        path.write_bytes(whole[:size])
        assert refusal(copied)[0] == "adapter-damaged"


def test_tensors_that_are_no_pairs_of_the_rank_are_refused(copied):
    path = copied / "adapter_model.safetensors"
    good = load_file(path)
    key = "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight"
    wrong = [
        {**good, "base_model.model.lm_head.weight": torch.zeros(1)},
        {name: tensor for name, tensor in good.items() if name != key},
        {**good, key: torch.zeros(4, 12, 1)},
        {**good, key: good[key][:3].clone()},
        {**good, key: torch.full_like(good[key], float("nan"))},
    ]
    for tensors in wrong:
        save_file(tensors, path)
        assert refusal(copied)[0] == "adapter-damaged"


def test_an_adapter_that_fits_no_layer_is_refused_when_it_is_built(copied, engine_of, tiny_folder):
    path = copied / "adapter_model.safetensors"
    save_file(
        {name.replace(".h.1.", ".h.9."): tensor for name, tensor in load_file(path).items()}, path
    )

    with pytest.raises(
        ModelError, match=r"there is no linear layer transformer\.h\.9\.attn\.c_attn"
    ):
        engine_of(tiny_folder, checkpoint=copied)
