"""Folders with models: what is read from them, and what is refused and why."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from aegis.errors import ModelError
from aegis_gpt2_lora.model_folder import open_model_folder


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def codes(folder):
    with pytest.raises(ModelError) as caught:
        open_model_folder(folder)
    return [problem.code for problem in caught.value.problems]


def config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_facts_come_from_json_and_headers(folder):
    model = open_model_folder(folder)

    assert model.context_length == 256
    assert model.embedding_rows == 4096
    assert model.linear_modules == {"c_attn", "c_proj", "c_fc"}
    # embeddings, then per layer 12 d^2 + 13 d, then the last norm: GPT-2's own count
    d = 12
    assert model.parameters == (4096 + 256) * d + 2 * (12 * d * d + 13 * d) + 2 * d


def test_a_llama_folder_has_its_own_linear_modules(shared):
    model = open_model_folder(shared / "stories260k")

    assert model.parameters == 260_032  # as its publisher states
    assert model.linear_modules >= {"q_proj", "v_proj", "gate_proj", "down_proj"}
    assert (model.context_length, model.embedding_rows) == (512, 512)


def test_shards_are_read_as_one_model(engine_of, folder, tiny_folder, view, candidates):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {
        "model-00001-of-00002.safetensors": names[:9],
        "model-00002-of-00002.safetensors": names[9:],
    }
    for file, chosen in parts.items():
        save_file({name: tensors[name] for name in chosen}, folder / file)
    index = {"weight_map": {name: file for file, chosen in parts.items() for name in chosen}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    assert open_model_folder(folder).parameters == open_model_folder(tiny_folder).parameters
    scores = engine_of(folder).score(view, candidates)
    assert scores.tolist() == engine_of(tiny_folder).score(view, candidates).tolist()


def test_a_missing_shard_and_a_name_that_leaves_the_folder_are_both_told(folder):
    (folder / "model.safetensors").unlink()
    names = {"a": "../../etc/passwd.safetensors", "b": "model-00001-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))

    assert codes(folder) == ["model-damaged", "model-incomplete"]


def test_pickled_weights_are_never_opened(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")

    with pytest.raises(ModelError, match="never loaded") as caught:
        open_model_folder(folder)
    assert "save_pretrained" in caught.value.problems[0].fix


def test_code_of_a_model_is_never_run(folder):
    config(folder, auto_map={"AutoModelForCausalLM": "modeling_x.X"})

    assert codes(folder) == ["model-remote-code"]


def test_what_is_no_causal_language_model_is_refused(folder):
    config(folder, architectures=["BertForMaskedLM"])

    assert codes(folder) == ["model-not-causal"]


def test_everything_that_is_missing_is_told_at_once(tmp_path):
    assert codes(tmp_path) == ["model-no-config", "model-no-weights", "model-no-tokenizer"]


@pytest.mark.parametrize("content", ["", "[]", "{", "x" * 300_000])
def test_a_config_that_cannot_be_read_is_damage(folder, content):
    (folder / "config.json").write_text(content)

    assert codes(folder) == ["model-damaged"]


def test_weights_that_do_not_fit_the_config_are_listed_by_name(engine_of, folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.wpe.weight"] = torch.zeros(100, 12)
    tensors["transformer.extra.weight"] = torch.zeros(1)
    del tensors["transformer.ln_f.bias"]
    save_file(tensors, folder / "model.safetensors")

    with pytest.raises(ModelError) as caught:
        engine_of(folder)
    assert [problem.message for problem in caught.value.problems] == [
        "tensor transformer.extra.weight is unknown",
        "tensor transformer.ln_f.bias is missing",
        "tensor transformer.wpe.weight has shape (100, 12), config.json says (256, 12)",
    ]


def test_names_and_masks_of_the_original_release_are_understood(
    engine_of, folder, tiny_folder, view, candidates
):
    tensors = load_file(folder / "model.safetensors")
    old = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    for layer in range(2):
        old[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 256, 256).tril()
        old[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(old, folder / "model.safetensors")

    assert open_model_folder(folder).parameters == open_model_folder(tiny_folder).parameters
    scores = engine_of(folder).score(view, candidates)
    assert scores.tolist() == engine_of(tiny_folder).score(view, candidates).tolist()


def test_another_arithmetic_of_gpt2_is_left_to_transformers(engine_of, folder, view, candidates):
    config(folder, scale_attn_by_inverse_layer_idx=True)
    from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

    assert isinstance(engine_of(folder).module, GPT2LMHeadModel)
