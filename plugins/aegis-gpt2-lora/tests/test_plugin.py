"""The manifests: cheap, complete, true."""

from __future__ import annotations

import json
import subprocess
import sys

import attrs
import pluggy
import pytest

from aegis import hookspecs
from aegis.errors import ContractError, ModelError
from aegis.neural import FileTokenizer, read_tokenizer_facts
from aegis_gpt2_lora import plugin
from aegis_gpt2_lora.facts import PUBLISHED_GPT2, describe_engine, describe_tokenizer
from aegis_gpt2_lora.settings import EngineSettings, TokenizerSettings

HEAVY = ("torch", "transformers", "tokenizers", "numpy", "safetensors", "huggingface_hub", "peft")


def test_manifests_and_facts_import_nothing_heavy():
    code = f"""
import json, sys
from aegis.neural import FileTokenizer, read_tokenizer_facts
from aegis_gpt2_lora import plugin
for component in [*plugin.aegis_engines(), *plugin.aegis_tokenizers()]:
    component.describe(component.config())
plugin.aegis_commands()
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []


def test_every_hook_exists_and_is_implemented_validly():
    manager = pluggy.PluginManager("aegis")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()

    assert plugin.plugin_api == hookspecs.PLUGIN_API
    (engine,) = plugin.aegis_engines()
    assert (engine.kind, engine.name, engine.parts["tokenizer"].default) == ("engine", "gpt2", None)


def test_the_mini_is_described_as_it_is_built(mini):
    described = describe_engine(EngineSettings())

    assert attrs.evolve(mini.capabilities, weights=None) == described
    assert described.unverified == ()
    assert described.embedding_rows == 4096
    assert described.tokenizer_max_id == 4095
    assert described.parameters == sum(w.numel() for w in mini.module.parameters())


def test_instructions_are_described_as_they_are_built(engine_of):
    text = "Choose what helps most to understand the goal."
    built = engine_of(instructions=text)
    described = describe_engine(EngineSettings(instructions=text))

    assert attrs.evolve(built.capabilities, weights=None) == described
    assert described.context_length == 1024 - len(built.tokenizer.encode(text + "\n"))


def test_instructions_that_take_half_of_the_context_are_refused():
    with pytest.raises(ModelError, match=r"instructions take \d+ of the model's 1024 tokens"):
        describe_engine(EngineSettings(instructions="word " * 600))


def test_what_a_folder_does_not_say_is_unverified_until_it_is_built(engine_of, shared):
    described = describe_engine(EngineSettings(model=str(shared / "stories260k")))
    built = engine_of(shared / "stories260k").capabilities

    assert described.unverified == ("characters_per_token",)
    assert built.unverified == ()
    assert 1.0 < built.characters_per_token < 4.0
    assert built.adapters == described.adapters


def test_the_published_facts_of_gpt2_are_those_of_its_file(shared):
    assert read_tokenizer_facts(shared / "gpt2-tokenizer" / "tokenizer.json") == PUBLISHED_GPT2


def test_the_real_vocabulary_is_described_without_its_files(shared, tmp_path):
    assert describe_tokenizer(TokenizerSettings()).fingerprint == PUBLISHED_GPT2.fingerprint
    assert describe_tokenizer(TokenizerSettings()).max_token_id == 50256


def test_an_absent_model_is_an_error_of_the_description():
    with pytest.raises(ModelError, match="aegis model fetch gpt2"):
        describe_engine(EngineSettings(model="gpt2"))


def test_a_tokenizer_that_is_not_the_models_own_is_refused(engine_of, shared):
    other = FileTokenizer(shared / "stories260k" / "tokenizer.json")
    with pytest.raises(ContractError, match="not the one that the weights"):
        engine_of(parts={"tokenizer": other})


def test_the_models_own_tokenizer_may_be_configured(engine_of, mini, view, candidates):
    engine = engine_of(parts={"tokenizer": mini.tokenizer})

    assert engine.score(view, candidates).tolist() == mini.score(view, candidates).tolist()


def test_a_tokenizer_with_more_ids_than_rows_is_refused_before_anything_is_built(
    shared, tiny_folder, tmp_path
):
    import shutil

    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    shutil.copy(shared / "gpt2-tokenizer" / "tokenizer.json", folder)

    with pytest.raises(ModelError, match="ids up to 50256, the model has 4096 embedding rows"):
        describe_engine(EngineSettings(model=str(folder)))
