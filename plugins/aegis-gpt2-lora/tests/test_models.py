"""Names of models and where they are found."""

from __future__ import annotations

import shutil

import pytest

from aegis.errors import ModelError
from aegis_gpt2_lora.models import is_present, list_models, models_home, open_model, stored_name


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("AEGIS_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def problem(model):
    with pytest.raises(ModelError) as caught:
        open_model(model)
    (found,) = caught.value.problems
    return found


def test_the_store_is_where_the_environment_says(tmp_path, monkeypatch):
    assert models_home() == tmp_path / "share" / "aegis" / "models"
    monkeypatch.setenv("AEGIS_MODELS", str(tmp_path / "elsewhere"))
    assert models_home() == tmp_path / "elsewhere"


def test_the_bundled_model_is_always_there():
    assert open_model("builtin:mini").folder.name == "mini"
    assert [found.name for found in list_models()] == ["builtin:mini"]


def test_a_model_that_is_absent_names_the_command_that_fetches_it():
    absent = problem("gpt2")
    assert (absent.code, absent.fix) == ("model-absent", "aegis model fetch gpt2")
    assert (
        problem("openai-community--gpt2-medium").fix
        == "aegis model fetch openai-community/gpt2-medium"
    )
    assert 'did you mean "builtin:mini"' in problem("builtin:mni").message


def test_a_path_that_is_a_hub_name_is_told_how_hub_names_are_written(tmp_path):
    absent = problem(str(tmp_path / "openai-community" / "gpt2"))

    assert absent.code == "model-absent"
    assert 'model = "openai-community--gpt2"' in absent.fix


def test_a_stored_model_is_found_by_its_name(store, tiny_folder):
    shutil.copytree(tiny_folder, store / "owner--tiny")

    assert is_present("owner--tiny")
    assert open_model("owner--tiny").folder == store / "owner--tiny"
    assert [(m.name, m.place, m.problem) for m in list_models()][1:] == [
        ("owner--tiny", "store", "")
    ]


def test_a_snapshot_of_the_hugging_face_cache_is_found(tmp_path, tiny_folder):
    repository = tmp_path / "cache" / "huggingface" / "hub" / "models--openai-community--gpt2"
    shutil.copytree(tiny_folder, repository / "snapshots" / "0123abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")

    assert open_model("gpt2").folder == repository / "snapshots" / "0123abc"
    assert ("openai-community--gpt2", "hugging-face-cache") in [
        (m.name, m.place) for m in list_models()
    ]


@pytest.mark.parametrize("revision", ["../../..", "", "no-such", "0123abc"])
def test_a_snapshot_that_is_not_there_is_no_model(tmp_path, revision):
    repository = tmp_path / "cache" / "huggingface" / "hub" / "models--gpt2"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)

    assert not is_present("gpt2")


@pytest.mark.parametrize("name", ["..", "a/../b", "a b", "", "-x", "a//b", "a/b/c", "a\0b", "a\n"])
def test_strange_names_are_refused(name):
    with pytest.raises(ModelError):
        stored_name(name)


def test_a_stored_model_that_cannot_be_used_is_listed_with_the_reason(store):
    (store / "broken").mkdir()

    assert "config.json" in list_models()[1].problem
