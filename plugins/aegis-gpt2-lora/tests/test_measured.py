"""What was measured of a model holds as long as the model's files stay."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aegis import project
from aegis.evaluation.contender import profiled
from aegis.evaluation.task import task_of
from aegis_gpt2_lora.facts import describe_engine
from aegis_gpt2_lora.settings import EngineSettings

MINI = Path(__file__).parents[1] / "src" / "aegis_gpt2_lora" / "mini"
TOML = """profile = "own"
[plugins]
enabled = ["gpt2-lora"]
[profiles.own]
engine = "gpt2"
environment = "research-gym"
[engine.gpt2]
model = "./small"
"""


@pytest.fixture
def small(tmp_path, repository):
    folder = tmp_path / "small"
    shutil.copytree(MINI, folder)
    shutil.copytree(repository / "data" / "library", tmp_path / "data" / "library")
    (tmp_path / "aegis.toml").write_text(TOML)
    return folder


def mark(folder, *sets):
    loaded = project.load(folder.parent / "aegis.toml", sets=sets)
    task = task_of(loaded, "research-gym")
    (own,) = profiled(loaded, task, "own", "sampled")
    return own.fingerprint(task)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_other_content_of_any_file_is_another_policy(small, name):
    before = mark(small)
    assert mark(small) == before
    file = small / name
    content = bytearray(file.read_bytes())
    if name == "model.safetensors":
        content[-1] ^= 1
    else:
        content += b" "
    file.write_bytes(content)
    assert mark(small) != before


def test_words_are_drawn_with_the_seed(small):
    assert mark(small, "runtime.seed=1") != mark(small, "runtime.seed=2")


def test_the_files_are_named_without_reading_them(small):
    facts = describe_engine(EngineSettings(model=str(small)))
    assert {path.name for path in facts.files} == {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
    }
