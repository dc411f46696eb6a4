"""Models and views that the tests share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

import aegis
from aegis.contracts.view import Recent, Seen, View
from aegis_gpt2_lora.building import build_engine
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.settings import EngineSettings

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data that is no part of the repository."""
    folder = Path(os.environ.get("AEGIS_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}: set AEGIS_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(autouse=True)
def _own_homes(tmp_path, monkeypatch):
    """Keep the models and caches of the person who runs the tests out of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("AEGIS_MODELS", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def engine_of():
    """Return the function that builds an engine from a model, as the host does."""

    def build(model="builtin:mini", *, seed=0, checkpoint=None, parts=None, **settings):
        runtime = aegis.Runtime(
            Path(), Path(), device="cpu", threads=1, seed=seed, checkpoint=checkpoint
        )
        return build_engine(EngineSettings(model=str(model), **settings), parts or {}, runtime)

    return build


@pytest.fixture(scope="session")
def mini(engine_of):
    return engine_of()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A GPT-2 of 51,000 random weights with the mini's tokenizer."""
    folder = tmp_path_factory.mktemp("tiny")
    shape = Shape(vocab_size=4096, n_positions=256, n_embd=12, n_layer=2, n_head=2)
    module = Gpt2(shape).initialise(torch.Generator().manual_seed(7))
    with torch.no_grad():  # large enough for every part of the arithmetic to show
        for weight in module.parameters():
            weight.mul_(5).add_(0.1)
    Gpt2Model(module).save(folder)
    mini_files = Path(__file__).parents[1] / "src" / "aegis_gpt2_lora" / "mini"
    shutil.copy(mini_files / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="session")
def view():
    return View(
        goal="Understand quantized low-rank adaptation",
        step=4,
        limit=40,
        missing=("rank", "adapter"),
        facts=("Adapters are small trainable matrices.",),
        knowledge=(Seen("17", "Low-rank adaptation"),),
        found=(Seen("30", "Prefix tuning"), Seen("31", "Quantization")),
        gaps=("singular value decomposition",),
        recent=(Recent("search low-rank adaptation", "ok", 3),),
    )


@pytest.fixture(scope="session")
def candidates():
    return (
        aegis.Action("search_library", {"query": "rank adapter"}, signals={"terms": 2}),
        aegis.Action("read", {"ref": "30"}, about="Prefix tuning", signals={"rank": 1, "match": 3}),
        aegis.Action("read", {"ref": "31"}, about="Quantization", signals={"rank": 2, "match": 1}),
        aegis.Action("write_note", slot="text"),
        aegis.Action("finish"),
    )
