"""Adapters: where they stand, what they begin at, and that merging them changes no answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from aegis.errors import ModelError
from aegis_gpt2_lora.adapter import merge, put_on
from aegis_gpt2_lora.adapter_file import Pair
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.targets import adapter_modules, short_names


def randomised(adapter, seed=5):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in adapter.parameters:
            weight.normal_(0, 0.1, generator=generator)
    return adapter


def test_gpt2_of_124m_weights_has_811008_to_train():
    with torch.device("meta"):
        module = Gpt2(Shape())
    names = adapter_modules(module)
    # rank 8 times the widths in and out of c_attn, attn.c_proj and mlp.c_proj, in 12 layers
    expected = 12 * 8 * ((768 + 2304) + (768 + 768) + (3072 + 768))

    assert len(names) == 36
    assert short_names(module, names) == ("c_attn", "c_proj")
    widths = [module.get_submodule(name) for name in names]
    found = sum(8 * (layer.in_features + layer.out_features) for layer in widths)
    total = sum(weight.numel() for weight in module.parameters())
    assert found == expected == 811_008
    assert total == 124_439_808
    assert round(100 * found / (total + found), 2) == 0.65


def test_what_is_trained_is_counted(engine_of, tiny_folder):
    module = engine_of(tiny_folder).module
    before = sum(weight.numel() for weight in module.parameters())
    adapter = put_on(module, (), rank=2, alpha=4, dropout=0.1, seed=0)

    assert adapter.trainable == 2 * 2 * ((12 + 36) + (12 + 12) + (48 + 12))
    assert adapter.total == before + adapter.trainable
    assert {n for n, w in module.named_parameters() if w.requires_grad} == {
        n for n, _ in module.named_parameters() if ".lora_" in n
    }


def test_llama_and_qwen_are_adapted_at_the_projections_of_their_attention(
    engine_of, llama_folder, qwen_folder
):
    for folder in (llama_folder, qwen_folder):
        module = engine_of(folder).module
        names = adapter_modules(module)
        assert short_names(module, names) == ("k_proj", "o_proj", "q_proj", "v_proj")
        assert len(names) == 2 * 4


def test_another_architecture_is_adapted_at_every_linear_layer_in_its_blocks(
    hugging_face, engine_of
):
    folder = hugging_face("GPTNeoX")
    module = engine_of(folder).module

    assert short_names(module, adapter_modules(module)) == (
        "dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value",
    )  # fmt: skip


def test_named_modules_are_adapted_and_unknown_ones_refused(mini):
    assert {n.rpartition(".")[2] for n in adapter_modules(mini.module, ["c_fc"])} == {"c_fc"}
    with pytest.raises(
        ModelError, match=r'no linear module .c_atn.*did you mean "c_attn"'
    ) as caught:
        adapter_modules(mini.module, ["c_fc", "c_atn"])
    assert caught.value.problems[0].fix == "name some of: c_attn, c_fc, c_proj"


def test_a_head_is_never_adapted(engine_of, llama_folder):
    with pytest.raises(ModelError, match="no linear module 'lm_head'"):
        adapter_modules(engine_of(llama_folder).module, ["lm_head"])


def test_a_model_without_linear_layers_in_blocks_is_refused():
    module = nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 3))

    with pytest.raises(ModelError, match=r"no linear modules in blocks.*0, 1"):
        adapter_modules(module)


def test_a_short_name_that_means_more_than_is_adapted_is_not_used():
    module = nn.ModuleDict(
        {"h": nn.ModuleList([nn.ModuleDict({"out": nn.Linear(2, 2)})]), "out": nn.Linear(2, 2)}
    )

    assert adapter_modules(module) == ("h.0.out",)
    assert short_names(module, ("h.0.out",)) == ("h.0.out",)


def test_adapters_begin_at_nothing_and_depend_on_the_seed_alone(
    engine_of, tiny_folder, view, candidates
):
    found = []
    for seed, state in ((1, 10), (1, 20), (2, 10)):
        engine = engine_of(tiny_folder)
        before = engine.score(view, candidates)
        torch.manual_seed(state)
        rng = torch.get_rng_state()
        adapter = put_on(engine.module, (), rank=4, alpha=8, dropout=0.1, seed=seed)
        assert torch.equal(torch.get_rng_state(), rng)
        np.testing.assert_allclose(engine.score(view, candidates), before, atol=2e-5)
        found.append(adapter.pairs())

    name = "transformer.h.0.attn.c_attn"
    assert torch.equal(found[0][name].a, found[1][name].a)
    assert not torch.equal(found[0][name].a, found[2][name].a)
    bound = (3 / 12) ** 0.5 * (2 / 6) ** 0.5  # Kaiming: gain sqrt(2 / (1 + 5)), 12 inputs
    assert 0.8 * bound < float(found[0][name].a.abs().max()) <= bound


def test_taking_adapters_off_leaves_the_module_as_it_was(engine_of, tiny_folder, llama_folder):
    for folder in (tiny_folder, llama_folder):
        module = engine_of(folder).module
        before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
        kinds = {name: type(part) for name, part in module.named_modules()}
        randomised(put_on(module, (), rank=2, alpha=4, dropout=0.1, seed=0)).take_off()

        assert {name: type(part) for name, part in module.named_modules()} == kinds
        assert not hasattr(module, "peft_config")
        for name, weight in module.named_parameters():
            assert weight.requires_grad
            assert torch.equal(weight, before[name])


@pytest.mark.parametrize("model", ["tiny", "llama", "qwen", "gpt2 of transformers"])
def test_merged_adapters_answer_as_attached_ones(
    model, engine_of, tiny_folder, llama_folder, qwen_folder, hugging_face, view, candidates
):
    folders = {"tiny": tiny_folder, "llama": llama_folder, "qwen": qwen_folder}
    folder = folders.get(model)
    if folder is None:  # a form of GPT-2 that is left to transformers, its layers stored (in, out)
        import transformers

        folder = tiny_folder.parent / "inverse"
        config = transformers.GPT2Config.from_pretrained(
            tiny_folder, scale_attn_by_inverse_layer_idx=True
        )
        transformers.GPT2LMHeadModel.from_pretrained(tiny_folder, config=config).save_pretrained(
            folder
        )
        (folder / "tokenizer.json").write_bytes((tiny_folder / "tokenizer.json").read_bytes())
    engine = engine_of(folder)
    before = engine.score(view, candidates)
    adapter = randomised(put_on(engine.module, (), rank=3, alpha=6, dropout=0.2, seed=0))
    attached = engine.score(view, candidates)
    adapter.take_off()
    merge(engine.module, adapter.pairs(), adapter.shape.scaling)

    assert adapter.transposed == (model == "gpt2 of transformers")
    assert np.abs(attached - before).max() > 0.01
    np.testing.assert_allclose(engine.score(view, candidates), attached, atol=1e-5)


def test_a_merge_is_the_formula(engine_of, tiny_folder):
    module = engine_of(tiny_folder).module
    layer = module.transformer["h"][1].mlp.c_proj
    pair = Pair(torch.randn(2, 48), torch.randn(12, 2))
    expected = layer.weight.detach().double() + 2.5 * (pair.b.double() @ pair.a.double())
    merge(module, {"transformer.h.1.mlp.c_proj": pair}, 2.5)

    torch.testing.assert_close(layer.weight.double(), expected, atol=1e-5, rtol=1e-5)


def test_adapters_that_do_not_fit_change_nothing_and_are_all_named(engine_of, tiny_folder):
    module = engine_of(tiny_folder).module
    before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    good = Pair(torch.ones(2, 12), torch.ones(36, 2))
    pairs = {
        "transformer.h.0.attn.c_attn": good,
        "transformer.h.1.attn.c_proj": good,
        "transformer.h.7.attn.c_attn": good,
        "transformer.ln_f": good,
    }

    with pytest.raises(ModelError) as caught:
        merge(module, pairs, 1.0)
    assert caught.value.problems[0].message == (
        "the adapter does not fit Gpt2: transformer.h.1.attn.c_proj maps 12 to 12, the adapter 12 to "
        "36; there is no linear layer transformer.h.7.attn.c_attn; there is no linear layer "
        "transformer.ln_f"
    )
    assert all(torch.equal(weight, before[name]) for name, weight in module.named_parameters())
